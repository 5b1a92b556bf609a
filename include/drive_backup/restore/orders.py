"""What a restore hands to a destination, and what comes back. One order is one item of the snapshot."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Literal, Protocol

from include.drive_backup.errors import CorruptStoreError
from include.drive_backup.manifest.catalogue import read_rows
from include.drive_backup.manifest.manifest import Manifest
from include.drive_backup.manifest.schema import CatalogueRow, row_of
from include.drive_backup.model import StoredContent, Struct, counted
from include.drive_backup.paths import shown_path
from include.drive_backup.ports import BlobStore
from include.drive_backup.restore.selection import Entry, why_not_saved
from include.drive_backup.values import read_object, read_text

#: When something is there already: ``copy`` writes a new one beside it, ``skip`` leaves it, ``replace`` replaces it.
#: What is there with the same bytes is never written again.
Conflict = Literal["copy", "skip", "replace"]

#: ``restored`` written and verified; ``same`` was there already; ``skipped`` left alone as asked; ``left-out`` the
#: destination has no such thing; ``not-saved`` the backup has no content; ``failed``.
RestoreOutcome = Literal["restored", "same", "skipped", "left-out", "not-saved", "failed"]

#: Reasons of ``failed`` that pass when a blob is rehydrated.
ARCHIVED = frozenset({"BlobArchived", "BlobBeingRehydrated"})


class RestoreResult(Struct, frozen=True):
    """What became of one content (or folder) of one item.

    :param path: the catalogue's.
    :param target: where it is now, in the destination's own words.
    :param kind: of the item: ``file``, ``folder``, ``shortcut``, ``native``.
    :param renamed: Drive's own name, where it has another one now in a folder or a container.
    :param asked: somebody named the item itself; known in the steps of a DAG.
    """

    item_id: str
    path: str
    outcome: RestoreOutcome
    target: str = ""
    bytes: int = 0
    reason: str | None = None
    message: str | None = None
    kind: str = ""
    renamed: str | None = None
    asked: bool = False

    @property
    def shown(self) -> str:
        """The path that people read."""
        return shown_path(self.path, folder=self.kind == "folder")


class Destination(Protocol):
    """Where items are restored to. Restoring again what is there already must find it and say ``same``."""

    async def restore(self, row: CatalogueRow) -> list[RestoreResult]:
        """Bring back one item; its folder was brought back before.

        :raises DriveBackupError: the destination or the backup cannot be used at all. What concerns one item is a
            result.
        """


async def ordered_rows(
    store: BlobStore, manifest: Manifest, wanted: Mapping[str, Entry], kinds: frozenset[str]
) -> AsyncIterator[CatalogueRow]:
    """The wanted rows of some kinds, from the catalogue's parts, in their order there."""
    async for values in read_rows(store, manifest):
        if values["path"] in wanted and values["kind"] in kinds:
            yield row_of(values)


def result_for(
    row: CatalogueRow,
    outcome: RestoreOutcome,
    target: str = "",
    *,
    size: int = 0,
    reason: str | None = None,
    message: str | None = None,
    renamed: str | None = None,
) -> RestoreResult:
    """The result for an item.

    :param size: bytes written.
    :param renamed: from :func:`renamed_from`.
    """
    return RestoreResult(
        item_id=row.item.id,
        path=row.path,
        outcome=outcome,
        target=target,
        bytes=size,
        reason=reason,
        message=message,
        kind=row.item.kind,
        renamed=renamed,
    )


def renamed_from(row: CatalogueRow, content_format: str, name: str) -> str | None:
    """Drive's own name, with the extension of an export; None where the restored name is just that.

    :param content_format: ``original``, an export's, or empty for a folder.
    """
    own = row.item.name
    if content_format not in ("", "original"):
        own = f"{own.removesuffix(f'.{content_format}')}.{content_format}"
    # Half a pair of surrogates, which no text that is stored can hold.
    return None if own == name else own.encode(errors="backslashreplace").decode()


def not_saved(row: CatalogueRow) -> list[RestoreResult]:
    """The result for what the backup does not have of an item, beside what is restored of it; none when it has all."""
    why = why_not_saved(row.item.kind, row.outcome, row.reason, row.message, stored=bool(row.contents))
    if why is None:
        return []
    reason, message = why
    return [result_for(row, "not-saved", reason=reason, message=message)]


def left_out(row: CatalogueRow, said: str) -> RestoreResult:
    """The result for a shortcut, where there are none.

    :param said: why; ``{target}`` is what it leads to.
    """
    details = read_object(row.item.resource.get("shortcutDetails"))
    target = read_text(details.get("targetId")) or "unknown"
    return result_for(row, "left-out", reason="shortcut", message=said.format(target=target))


def shortfall(manifest: Manifest) -> str | None:
    """Why a snapshot may lack something, whatever is restored of it; None: it lacks nothing."""
    return " ".join(filter(None, [incomplete(manifest), elsewhere(manifest)])) or None


def incomplete(manifest: Manifest) -> str | None:
    """Why a snapshot lacks something that no other one of its run has; None: it does not."""
    if not manifest.listing_complete:
        return (
            f"The snapshot {manifest.name.ident} is PARTIAL: Drive's listing was incomplete, so items may be missing "
            "from it that nobody can name."
        )
    if manifest.status != "complete":
        return f"The snapshot {manifest.name.ident} is PARTIAL: some files are missing from it, as they failed."
    return None


def elsewhere(manifest: Manifest) -> str | None:
    """Where the items are that a snapshot of what is shared leaves out, as other sources of its run have them."""
    if not manifest.covered:
        return None
    where = ", ".join(
        f"{counted(items, 'item')} in the snapshot {manifest.instant} of {home}"
        for home, items in sorted(manifest.covered.items())
    )
    return f"What is shared is NOT ALL in the snapshot {manifest.name.ident}: {where}. Restore from there, too."


def wrong_bytes(content: StoredContent) -> CorruptStoreError:
    """The word for content that was read and is not what the catalogue says."""
    return CorruptStoreError(
        f"The blob '{content.blob}' does not have the bytes that the snapshot says, so nothing was restored of it. "
        "`drive-backup repair` puts it back where the storage account keeps it; `drive-backup verify` names all such "
        "blobs, and what else holds the same bytes."
    )

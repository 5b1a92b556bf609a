"""Gives a file in Drive the content of the backup, without a loss to anybody.

Drive has no way to say "only if nobody saved meanwhile". So what is replaced is kept for ever as a version of the file
first, and afterwards Drive is asked which versions came in between, and which is the newest: what others saved is kept
too, and where it is the newest it stays so, and the backup's content becomes a file beside it.
"""

from __future__ import annotations

from typing import Any

from include.drive_backup.drive.writing import DriveWriter
from include.drive_backup.errors import ItemUnavailableError
from include.drive_backup.manifest.schema import CatalogueRow
from include.drive_backup.model import StoredContent, Struct
from include.drive_backup.restore.drive_there import Resource, has_bytes
from include.drive_backup.restore.drive_upload import Uploader

#: What tells whether a file is as it was seen; a document of Drive's own has only the last one.
_SEEN = ("name", "parents", "mimeType", "headRevisionId", "md5Checksum", "modifiedTime")


class Replaced(Struct, frozen=True):
    """What became of it.

    :param made: the file with the content of the backup; None: others' content stays, and the backup's goes beside it.
    :param said: what is to be told of it.
    """

    made: dict[str, Any] | None = None
    said: str | None = None


class Replacer:
    """Replaces contents of files."""

    def __init__(self, writer: DriveWriter, uploader: Uploader) -> None:
        self._writer = writer
        self._uploader = uploader

    async def replace(
        self, row: CatalogueRow, content: StoredContent, metadata: Resource, seen: Resource, *, converted: bool
    ) -> Replaced:
        """Replace a file's content.

        :param seen: the file as it was found; if it is not so any more, it stays as it is.
        :param converted: it is a document of Drive's own.
        """
        file_id = str(seen["id"])
        # Before the look at the file: whatever is saved after that look is none of these.
        before = set() if converted else {str(each["id"]) for each in await self._writer.revisions(file_id)}
        now = await self._writer.get(file_id)
        if now is None or now.get("trashed") or any(now.get(key) != seen.get(key) for key in _SEEN):
            return Replaced(said=_CHANGED.format(what=_named(seen)))
        if converted:
            made = await self._uploader.upload(row, content, metadata, converted=True, over=file_id)
            return Replaced(made=dict(made))
        try:
            await self._writer.keep(file_id, str(now.get("headRevisionId")))
        except ItemUnavailableError as error:
            return Replaced(said=_NOT_KEPT.format(what=_named(seen), error=error))
        await self._uploader.upload(row, content, metadata, over=file_id)
        return await self._looked_at(content, file_id, before, seen)

    async def _looked_at(self, content: StoredContent, file_id: str, before: set[str], seen: Resource) -> Replaced:
        """What is there now: ours, or what somebody saved at that moment."""
        added = [each for each in await self._writer.revisions(file_id) if str(each["id"]) not in before]
        others = [str(each["id"]) for each in added if not has_bytes(each, content)]
        head = await self._writer.get(file_id)
        for revision in others:
            if head is None or revision != head.get("headRevisionId"):
                await self._writer.keep(file_id, revision)
        if head is None or head.get("trashed") or not has_bytes(head, content):
            return Replaced(said=_SAVED.format(what=_named(seen)))
        said = _BETWEEN.format(what=_named(seen), revisions=", ".join(others)) if others else None
        return Replaced(made=head, said=said)


def _named(seen: Resource) -> str:
    return f"'{seen.get('name')}' ({seen['id']})"


_CHANGED = "Somebody changed {what} after it was looked at; it was left alone, and this was restored beside it."
_NOT_KEPT = (
    "The present version of {what} could not be kept, so it was left alone, and this was restored beside it. {error}"
)
_SAVED = (
    "{what} has other content than was sent: somebody saved it at that moment. It was left so, and this was restored "
    "beside it."
)
_BETWEEN = (
    "Somebody saved {what} while it was replaced. That version is kept: see 'Manage versions' in Drive (revision "
    "{revisions})."
)

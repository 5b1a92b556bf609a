"""Restore into another Blob container: plain blobs under readable names, verified before they appear and after.

The bytes pass through this machine, though Blob could copy them by itself: so that they are hashed on the way, and a
blob of other bytes than the catalogue's never gets a name (docs/adr/0016).
"""

from __future__ import annotations

from typing import Literal

from include.drive_backup.blob.metadata import restored_metadata
from include.drive_backup.errors import BrokenBodyError, ContentArchivedError, CorruptStoreError, PermanentError
from include.drive_backup.hashing import Checksums
from include.drive_backup.manifest.schema import CatalogueRow
from include.drive_backup.model import StoredContent
from include.drive_backup.ports import BlobInfo, BlobStore, TargetStore
from include.drive_backup.restore.container_names import BlobNames, safe_segment
from include.drive_backup.restore.naming import numbered
from include.drive_backup.restore.orders import (
    Conflict,
    RestoreResult,
    left_out,
    not_saved,
    renamed_from,
    result_for,
    wrong_bytes,
)
from include.drive_backup.transfer.upload import Upload

_TRIES = 3
_SHORTCUT = (
    "A container has no shortcuts to Drive. This one leads to the item {target}: restore that with --id {target}, if "
    "the snapshot has it."
)
_OTHER_BYTES = (
    "The container has other bytes under this name than were sent: somebody else may have written it at that moment, "
    "so it was left. Look at the blob, and restore again."
)
_NO_FOLDER = "A file has the name of this empty folder; it was left alone."

State = Literal["nothing", "same", "other"]


class TargetContainer:
    """Implements :class:`.orders.Destination`.

    :param target: see :func:`.container_target.check_target`.
    :param names: from :func:`.container_names.container_names`.
    :param store: the backup.
    :param snapshot: the source and the id of the snapshot; they become metadata.
    """

    def __init__(
        self,
        target: TargetStore,
        names: BlobNames,
        store: BlobStore,
        snapshot: tuple[str, str],
        conflict: Conflict = "copy",
    ) -> None:
        self._target = target
        self._names = names
        self._store = store
        self._snapshot = snapshot
        self._conflict: Conflict = conflict

    async def restore(self, row: CatalogueRow) -> list[RestoreResult]:
        """Write all contents of a file, or what stands for an empty folder. See the port.

        :raises PermanentError: the container or the credential is of no use, whatever the item.
        """
        return [*await self._bring_back(row), *not_saved(row)]

    async def _bring_back(self, row: CatalogueRow) -> list[RestoreResult]:
        if row.item.kind == "shortcut":
            return [left_out(row, _SHORTCUT)]
        if row.item.kind == "folder":
            return [await self._safely(row, None)]
        return [await self._safely(row, content) for content in row.contents]

    async def _safely(self, row: CatalogueRow, content: StoredContent | None) -> RestoreResult:
        name = self._names[row.path, content.format if content else ""]
        try:
            return await (self._file(row, content, name) if content else self._folder(row, name))
        except PermanentError as error:
            # The base class itself is Blob's refusal of one blob: immutable, leased.
            if not isinstance(error, (CorruptStoreError, ContentArchivedError)) and type(error) is not PermanentError:
                raise
            return result_for(row, "failed", self._shown(name), reason=error.reason, message=str(error))
        except BrokenBodyError as error:
            return result_for(row, "failed", self._shown(name), reason=error.reason, message=str(error))

    async def _folder(self, row: CatalogueRow, name: str) -> RestoreResult:
        """An empty blob stands for an empty folder, as Azure's own tools make one; others come with their blobs."""
        shown, renamed = self._shown(name), renamed_from(row, "", _last(name))
        if name.endswith("/"):
            return result_for(row, "same", shown, renamed=renamed)
        if await self._target.put(name, b"", metadata=restored_metadata(row.item, None, *self._snapshot)):
            return result_for(row, "restored", shown, renamed=renamed)
        found = await self._target.head(name)
        if found is not None and found.metadata.get("hdi_isfolder") == "true":
            return result_for(row, "same", shown, renamed=renamed)
        return result_for(row, "failed", shown, reason="nameTaken", message=_NO_FOLDER)

    async def _file(self, row: CatalogueRow, content: StoredContent, wanted: str) -> RestoreResult:
        for _ in range(_TRIES):
            name, there, found = await self._look(wanted, content)
            if there == "other" and self._conflict == "copy":
                name, there, found = await self._beside(wanted, content)
            if there == "same":
                renamed = renamed_from(row, content.format, _last(name))
                return result_for(row, "same", self._shown(name), renamed=renamed)
            if there == "other" and self._conflict == "skip":
                return result_for(row, "skipped", self._shown(name))
            if await self._write(name, row, content, found):
                return await self._written(name, row, content)
            # Somebody else, or another try of ours, was quicker: look again.
        raise PermanentError(f"Others write '{name}' in {self._target.url} all the time.", reason="nameTaken")

    async def _look(self, name: str, content: StoredContent) -> tuple[str, State, BlobInfo | None]:
        """What has the name now."""
        found = await self._target.head(name)
        if found is None:
            return name, "nothing", None
        same = found.size == content.size and await self._md5(found) == content.md5
        return name, "same" if same else "other", found

    async def _md5(self, found: BlobInfo) -> str:
        """What others wrote may have no Content-MD5, so that only its bytes tell."""
        if found.md5 is not None:
            return found.md5
        sums = Checksums()
        async for piece in self._target.stream(found.name):
            await sums.add(piece)
        return sums.md5

    async def _beside(self, wanted: str, content: StoredContent) -> tuple[str, State, BlobInfo | None]:
        """A name beside one that is taken; a copy that an earlier try left there is found again."""
        folder, slash, last = wanted.rpartition("/")
        for other in numbered(last, safe_segment):
            name, there, found = await self._look(f"{folder}{slash}{other}", content)
            if there != "other":
                return name, there, found
        raise AssertionError("unreachable: the names never end")

    async def _write(self, name: str, row: CatalogueRow, content: StoredContent, over: BlobInfo | None) -> bool:
        """Stream the bytes; nothing has the name before they were found to be the right ones.

        :param over: the blob to replace.
        :return: false: what has the name is not what was seen there.
        """
        target = self._target if over is None else self._target.over(over)
        async with Upload(target, name, content.size) as upload:
            async for piece in self._store.stream(content.blob):
                await upload.write(piece)
            await upload.finish()
            if (upload.size, upload.md5, upload.sha256) != (content.size, content.md5, content.sha256):
                raise wrong_bytes(content)
            metadata = restored_metadata(row.item, content, *self._snapshot)
            return await upload.commit(content_type=content.mime_type, metadata=metadata)

    async def _written(self, name: str, row: CatalogueRow, content: StoredContent) -> RestoreResult:
        found = await self._target.head(name)
        if found is None or (found.size, found.md5) != (content.size, content.md5):
            return result_for(row, "failed", self._shown(name), reason="checksum", message=_OTHER_BYTES)
        renamed = renamed_from(row, content.format, _last(name))
        return result_for(row, "restored", self._shown(name), size=content.size, renamed=renamed)

    def _shown(self, name: str) -> str:
        return f"{self._target.url}/{name}"


def _last(name: str) -> str:
    return name.rstrip("/").rpartition("/")[2]

"""Restore into Google Drive.

Nothing is made twice: what an earlier try made is found by its marks (:mod:`.drive_metadata`), and a call whose answer
was lost is repeated with an id that was given out before, which Drive takes once. Google editor files cannot have such
an id; before another attempt Drive is asked for the mark.

Nothing is deleted, and nothing goes into the trash. Where it is not certain whose a file is, both stay.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Literal

from include.drive_backup.blob.names import decode_segment
from include.drive_backup.drive.errors import UnexpectedAnswerError
from include.drive_backup.drive.writing import DriveWriter
from include.drive_backup.errors import (
    BrokenBodyError,
    ContentArchivedError,
    CorruptStoreError,
    DriveBackupError,
    ItemUnavailableError,
    RateLimitError,
    ServiceUnavailableError,
)
from include.drive_backup.manifest.schema import CatalogueRow
from include.drive_backup.model import FOLDER, StoredContent
from include.drive_backup.ports import BlobStore, Clock
from include.drive_backup.restore.drive_files import DriveFiles, result_of
from include.drive_backup.restore.drive_metadata import ITEM_KEY, as_plain_file, importable, mark, metadata_of
from include.drive_backup.restore.drive_target import DriveTarget
from include.drive_backup.restore.drive_there import DriveContents, Resource
from include.drive_backup.restore.drive_upload import Uploader
from include.drive_backup.restore.orders import Conflict, RestoreResult, not_saved
from include.drive_backup.values import read_object, read_text

_CONVERTED = "Drive cannot make a Google file of its export again, so the export itself was restored."
_NO_FOLDER = "Its folder could not be restored: {why}"


class DriveFolder:
    """Implements :class:`.orders.Destination`.

    :param target: from :func:`.drive_target.open_target`.
    :param conflict: what to do with what has the name already: what others have there (with ``target.merge`` only), or
        what this restore made before and somebody changed.
    :param folders: ids of folders that were restored before, by catalogue path.
    :param permissions: what to give, by Drive id of the item that was backed up.
    :param twins: catalogue paths of items that share their name with another one of their folder in the snapshot.
    """

    def __init__(
        self,
        writer: DriveWriter,
        store: BlobStore,
        target: DriveTarget,
        clock: Clock,
        *,
        conflict: Conflict = "copy",
        folders: Mapping[str, str] | None = None,
        permissions: Mapping[str, Sequence[Resource]] | None = None,
        twins: Collection[str] = (),
    ) -> None:
        self._writer = writer
        self._target = target
        self._permissions = permissions or {}
        self._there = DriveContents(writer, target, twins)
        self._uploader = Uploader(writer, store, target, clock, self._there)
        self._files = DriveFiles(writer, self._there, self._uploader, conflict, merge=target.merge)
        #: Ids by catalogue path; empty for one that could not be made.
        self.folders = dict(folders or {})
        #: Ids of what was restored, by the ids that were backed up.
        self.ids: dict[str, str] = {}
        self._why: dict[str, str] = {}
        self._lock = asyncio.Lock()

    async def recall(self) -> None:
        """Find what earlier tries of this restore made."""
        await self._there.recall()

    async def restore(self, row: CatalogueRow) -> list[RestoreResult]:
        """Make one item again. See the port."""
        return [*await self._bring_back(row), *not_saved(row)]

    async def _bring_back(self, row: CatalogueRow) -> list[RestoreResult]:
        try:
            parent = await self.folder_of(row.path)
            results = await self._item(row, parent)
        except (
            ContentArchivedError,
            CorruptStoreError,
            ItemUnavailableError,
            RateLimitError,
            ServiceUnavailableError,
            BrokenBodyError,
        ) as error:
            self._why[row.path] = str(error)
            return [_failed(row, error)]
        for result in results:
            if result.outcome in ("restored", "same", "skipped"):
                self.ids[row.item.id] = result.target
        return await self._shared(row, results)

    def lost(self, path: str) -> bool:
        """Whether the folder that holds a path could not be made."""
        return self.folders.get(path.rpartition("/")[0]) == ""

    async def folder_of(self, path: str) -> str:
        """The id of the folder that holds a path; one that is no item (``~orphans``) is made when needed.

        :raises ItemUnavailableError: the folder could not be made.
        """
        folder = path.rpartition("/")[0]
        if not folder:
            return self._target.folder_id
        async with self._lock:
            if folder not in self.folders:
                self.folders[folder] = await self._synthetic(folder)
        if not self.folders[folder]:
            why = self._why.get(folder, "see there.")
            self._why[path] = why
            raise ItemUnavailableError(_NO_FOLDER.format(why=why), reason="folderMissing")
        return self.folders[folder]

    async def _synthetic(self, folder: str) -> str:
        above, _, segment = folder.rpartition("/")
        metadata = {
            "name": _name_of(segment),
            "mimeType": FOLDER,
            "parents": [self.folders.get(above) or self._target.folder_id],
            "appProperties": self._target.marks(folder),
        }
        made, _ = await self._create(metadata, "files")
        return str(made["id"])

    async def _item(self, row: CatalogueRow, parent: str) -> list[RestoreResult]:
        if row.item.kind == "folder":
            return [await self._folder(row, parent)]
        if row.item.kind == "shortcut":
            return [await self._shortcut(row, parent)]
        if not row.contents:
            return []
        if row.item.kind == "file":
            content = row.contents[0]
            return [await self._files.restore(row, content, self._metadata(row, parent, content.format))]
        if (content_ := importable(row)) is not None:
            return [await self._native(row, content_, parent)]
        return [await self._export(row, content, parent) for content in row.contents]

    async def _export(self, row: CatalogueRow, content: StoredContent, parent: str) -> RestoreResult:
        try:
            return await self._plain(row, content, parent)
        except (ContentArchivedError, CorruptStoreError, BrokenBodyError) as error:
            # The other formats of the item are worth having.
            return _failed(row, error)

    async def _folder(self, row: CatalogueRow, parent: str) -> RestoreResult:
        self.folders[row.path] = ""
        there = await self._there.folder(row, parent) if self._target.merge else None
        if there is not None:
            result = result_of(row, "same", there)
        else:
            made, new = await self._create(self._metadata(row, parent, ""), "files")
            result = result_of(row, "restored" if new else "same", made)
        self.folders[row.path] = result.target
        return result

    async def _shortcut(self, row: CatalogueRow, parent: str) -> RestoreResult:
        target = read_text(read_object(row.item.resource.get("shortcutDetails")).get("targetId"))
        if not target:
            why = "Drive cannot make shortcuts of other apps again."
            return result_of(row, "left-out", reason="shortcut", message=why)
        target = self.ids.get(target, target)
        if not self._there.made(mark(row.item.id)) and await self._writer.get(target) is None:
            why = f"What it leads to ({target}) is not in this restore, and is gone or out of the account's reach."
            return result_of(row, "left-out", reason="shortcut", message=why)
        metadata = {**self._metadata(row, parent, ""), "shortcutDetails": {"targetId": target}}
        metadata.pop("folderColorRgb", None)
        made, new = await self._create(metadata, "shortcuts")
        return result_of(row, "restored" if new else "same", made)

    async def _native(self, row: CatalogueRow, content: StoredContent, parent: str) -> RestoreResult:
        metadata = self._metadata(row, parent, content.format)
        try:
            return await self._files.restore(row, content, metadata, converted=True)
        except UnexpectedAnswerError as error:
            if error.status != 400:
                raise
        except ItemUnavailableError as error:
            # "conversion" in Drive's words: see drive.errors.
            if error.reason != "fileNotExportable":
                raise
        return await self._plain(row, content, parent)

    async def _plain(self, row: CatalogueRow, content: StoredContent, parent: str) -> RestoreResult:
        metadata = as_plain_file(self._metadata(row, parent, content.format), content)
        result = await self._files.restore(row, content, metadata)
        if result.outcome not in ("restored", "same"):
            return result
        message = " ".join(filter(None, [_CONVERTED, result.message]))
        return RestoreResult.from_dict({**result.to_dict(), "reason": "exportOnly", "message": message})  # type: ignore[no-any-return]

    async def _create(self, metadata: dict[str, Any], kind: Literal["files", "shortcuts"]) -> tuple[Resource, bool]:
        """Make an item without content; false: an earlier try did."""
        for made in self._there.made(metadata["appProperties"][ITEM_KEY]):
            return made, False
        return await self._uploader.create(metadata, kind), True

    async def _shared(self, row: CatalogueRow, results: list[RestoreResult]) -> list[RestoreResult]:
        """Give the permissions that were asked for; without them an item is not as it was."""
        wanted = self._permissions.get(row.item.id, ())
        done = [each for each in results if each.outcome in ("restored", "same")]
        try:
            for result in done:
                for permission in wanted:
                    with self._uploader.limits.sharing():
                        await self._writer.share(result.target, permission)
        except (ServiceUnavailableError, ItemUnavailableError) as error:
            why = f"It is restored, but not shared as it was: {error}"
            return [*results, result_of(row, "failed", reason="permissions", message=why)]
        return results

    def _metadata(self, row: CatalogueRow, parent: str, content_format: str) -> dict[str, Any]:
        return metadata_of(row.item, parent, self._target.marks(row.item.id, content_format))


def _failed(row: CatalogueRow, error: DriveBackupError) -> RestoreResult:
    return result_of(row, "failed", reason=error.reason, message=str(error))


def _name_of(segment: str) -> str:
    """The name of a folder that is not an item."""
    try:
        return decode_segment(segment)
    except ValueError:
        # One of the backup's own, which no name in Drive is encoded as.
        return segment

"""Restore into Google Drive.

Nothing is made twice: what an earlier try made is found by its marks (:mod:`.drive_metadata`), and a call whose answer
was lost is repeated with an id that was given out before, which Drive takes once. Google editor files cannot have such
an id; before another attempt Drive is asked for the mark.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Literal

from include.drive_backup.blob.names import decode_segment
from include.drive_backup.drive.errors import UnexpectedAnswerError
from include.drive_backup.drive.writing import DriveWriter, IdInUseError
from include.drive_backup.errors import (
    BrokenBodyError,
    ContentArchivedError,
    CorruptStoreError,
    DriveBackupError,
    ItemUnavailableError,
    PermanentError,
    ServiceUnavailableError,
)
from include.drive_backup.manifest.schema import CatalogueRow
from include.drive_backup.model import FOLDER, StoredContent
from include.drive_backup.ports import BlobStore, Clock
from include.drive_backup.restore.drive_metadata import ITEM_KEY, as_plain_file, importable, mark, metadata_of
from include.drive_backup.restore.drive_target import DriveTarget
from include.drive_backup.restore.orders import (
    Conflict,
    RestoreOutcome,
    RestoreResult,
    not_saved,
    result_for,
    wrong_bytes,
)
from include.drive_backup.values import read_integer, read_object, read_text

_TRIES = 4
_FULL = frozenset({"storageQuotaExceeded", "teamDriveFileLimitExceeded", "activeItemCreationLimitExceeded"})
_CONVERTED = "Drive cannot make a Google file of its export again, so the export itself was restored."

Resource = Mapping[str, Any]


class DriveFolder:
    """Implements :class:`.orders.Destination`.

    :param target: from :func:`.drive_target.open_target`.
    :param conflict: what to do with what is there already under the same name; with ``target.merge`` only.
    :param folders: ids of folders that were restored before, by catalogue path.
    :param permissions: what to give, by Drive id of the item that was backed up.
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
    ) -> None:
        self._writer = writer
        self._store = store
        self._target = target
        self._clock = clock
        self._conflict: Conflict = conflict
        self._permissions = permissions or {}
        #: Ids by catalogue path; empty for one that could not be made.
        self.folders = dict(folders or {})
        #: Ids of what was restored, by the ids that were backed up.
        self.ids: dict[str, str] = {}
        self._made: dict[str, Resource] = {}
        self._ids: dict[Literal["files", "shortcuts"], list[str]] = {"files": [], "shortcuts": []}
        self._there: dict[str, asyncio.Task[dict[str, Resource]]] = {}
        self._lock = asyncio.Lock()

    async def recall(self) -> None:
        """Find what earlier tries of this restore made."""
        async for found in self._writer.find(self._target.query, self._target.drive_id, "what was restored before"):
            self._made[str(read_object(found.get("appProperties")).get(ITEM_KEY, ""))] = found

    async def restore(self, row: CatalogueRow) -> list[RestoreResult]:
        """Make one item again. See the port.

        :raises PermanentError: the account or the shared drive is full.
        """
        return [*await self._bring_back(row), *not_saved(row)]

    async def _bring_back(self, row: CatalogueRow) -> list[RestoreResult]:
        try:
            parent = await self.folder_of(row.path)
            results = await self._item(row, parent)
            return await self._shared(row, results)
        except UnexpectedAnswerError as error:
            if error.reason in _FULL:
                raise PermanentError(
                    f"{error} Nothing more fits there: make room, or restore elsewhere. What is restored stays.",
                    reason=error.reason,
                ) from error
            return [self._failed(row, error)]
        except (
            ContentArchivedError,
            CorruptStoreError,
            ItemUnavailableError,
            ServiceUnavailableError,
            BrokenBodyError,
        ) as error:
            return [self._failed(row, error)]

    def lost(self, path: str) -> bool:
        """Whether the folder that holds a path could not be made."""
        return self.folders.get(path.rpartition("/")[0]) == ""

    async def folder_of(self, path: str) -> str:
        """The id of the folder that holds a path; one that is no item (``~orphans``) is made when needed.

        :raises ItemUnavailableError: the folder could not be made.
        """
        above, _, segment = path.rpartition("/")[0].rpartition("/")
        folder = f"{above}/{segment}" if above else segment
        if not folder:
            return self._target.folder_id
        async with self._lock:
            if folder not in self.folders:
                metadata = {
                    "name": _name_of(segment),
                    "mimeType": FOLDER,
                    "parents": [self.folders.get(above) or self._target.folder_id],
                    "appProperties": self._target.marks(folder),
                }
                made, _ = await self._create(metadata, folder, "files")
                self.folders[folder] = str(made["id"])
        if not self.folders[folder]:
            raise ItemUnavailableError("Its folder could not be restored, see there.", reason="folderMissing")
        return self.folders[folder]

    async def _item(self, row: CatalogueRow, parent: str) -> list[RestoreResult]:
        if row.item.kind == "folder":
            return [await self._folder(row, parent)]
        if row.item.kind == "shortcut":
            return [await self._shortcut(row, parent)]
        if not row.contents:
            return []
        if row.item.kind == "file":
            return [await self._file(row, row.contents[0], self._metadata(row, parent, row.contents[0].format))]
        if (content := importable(row)) is not None:
            return [await self._native(row, content, parent)]
        return [await self._export(row, content, parent) for content in row.contents]

    async def _export(self, row: CatalogueRow, content: StoredContent, parent: str) -> RestoreResult:
        try:
            return await self._plain(row, content, parent)
        except (ContentArchivedError, CorruptStoreError, BrokenBodyError) as error:
            # The other formats of the item are worth having.
            return self._failed(row, error)

    async def _folder(self, row: CatalogueRow, parent: str) -> RestoreResult:
        self.folders[row.path] = ""
        if self._target.merge and (there := await self._same_name(row, parent)) and there["mimeType"] == FOLDER:
            result = _result(row, "same", there)
        else:
            made, new = await self._create(self._metadata(row, parent, ""), row.item.id, "files")
            result = _result(row, "restored" if new else "same", made)
        self.folders[row.path] = self.ids[row.item.id] = result.target
        return result

    async def _shortcut(self, row: CatalogueRow, parent: str) -> RestoreResult:
        target = read_text(read_object(row.item.resource.get("shortcutDetails")).get("targetId"))
        if not target:
            return _result(
                row, "left-out", reason="shortcut", message="Drive cannot make shortcuts of other apps again."
            )
        target = self.ids.get(target, target)
        if mark(row.item.id) not in self._made and await self._writer.get(target) is None:
            why = f"What it leads to ({target}) is not in this restore, and is gone or out of the account's reach."
            return _result(row, "left-out", reason="shortcut", message=why)
        metadata = {**self._metadata(row, parent, ""), "shortcutDetails": {"targetId": target}}
        metadata.pop("folderColorRgb", None)
        made, new = await self._create(metadata, row.item.id, "shortcuts")
        return _result(row, "restored" if new else "same", made)

    async def _native(self, row: CatalogueRow, content: StoredContent, parent: str) -> RestoreResult:
        metadata = self._metadata(row, parent, content.format)
        try:
            return await self._file(row, content, metadata, converted=True)
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
        result = await self._file(row, content, metadata)
        if result.outcome not in ("restored", "same"):
            return result
        return RestoreResult.from_dict({**result.to_dict(), "reason": "exportOnly", "message": _CONVERTED})  # type: ignore[no-any-return]

    async def _file(
        self, row: CatalogueRow, content: StoredContent, metadata: Resource, *, converted: bool = False
    ) -> RestoreResult:
        made = self._made.get(metadata["appProperties"][ITEM_KEY])
        if made is not None:
            return self._found(row, content, made, converted=converted)
        there = (
            await self._same_name(row, metadata["parents"][0], str(metadata["name"])) if self._target.merge else None
        )
        if there is not None and not converted and _has(there, content):
            return self._know(row, _result(row, "same", there))
        if there is not None and self._conflict == "skip":
            return _result(row, "skipped", there)
        over = str(there["id"]) if there is not None and self._conflict == "replace" else None
        if there is not None and over and there["mimeType"] != metadata["mimeType"]:
            why = f"An item of the type {there['mimeType']} has its name; it was not replaced."
            return _result(row, "failed", there, reason="otherType", message=why)
        made = await self._upload(row, content, metadata, converted=converted, over=over)
        if not converted and not _has(made, content):
            # Out of the way, so that the next try makes it anew.
            await self._writer.update(str(made["id"]), {"trashed": True})
            why = f"Drive has other bytes than were sent; the file {made['id']} is in the trash. Restore it again."
            return _result(row, "failed", made, reason="checksum", message=why)
        return self._know(row, _result(row, "restored", made, size=content.size))

    def _found(self, row: CatalogueRow, content: StoredContent, made: Resource, *, converted: bool) -> RestoreResult:
        if converted or _has(made, content):
            return self._know(row, _result(row, "same", made))
        why = "This restore made it before, and it was changed since; it was left alone."
        return self._know(row, _result(row, "skipped", made, reason="changedSince", message=why))

    async def _upload(
        self, row: CatalogueRow, content: StoredContent, metadata: Resource, *, converted: bool, over: str | None
    ) -> Resource:
        """Upload until the file is there; one whose answer was lost is looked for before it is sent again."""
        sent = {key: each for key, each in metadata.items() if not (over and key in ("parents", "createdTime"))}
        file_id = None if converted or over else await self._new_id("files")
        for left in reversed(range(_TRIES)):
            try:
                return await self._writer.upload(
                    sent, content.mime_type, content.size, lambda: self._checked(content), file_id=file_id, over=over
                )
            except IdInUseError:
                found = await self._writer.get(file_id or "")
                if found is not None and not found.get("trashed"):
                    return found
                file_id = await self._new_id("files")
            except UnexpectedAnswerError:
                raise
            except (ServiceUnavailableError, BrokenBodyError):
                if not left:
                    raise
                await self._clock.sleep(5.0)
                if (there := await self._look(row.item.id, content.format)) is not None:
                    return there
        raise ServiceUnavailableError(
            f"Drive did not take '{row.item.name}' in {_TRIES} attempts; restore again.", service="drive"
        )

    async def _checked(self, content: StoredContent) -> AsyncIterator[bytes]:
        """The content's bytes; it ends with an error, before Drive has the last ones, when they are not the right ones.

        :raises CorruptStoreError: the blob is not what the catalogue says.
        """
        digest, size = hashlib.sha256(), 0
        async for piece in self._store.stream(content.blob):
            digest.update(piece)
            size += len(piece)
            yield piece
        if (size, digest.hexdigest()) != (content.size, content.sha256):
            raise wrong_bytes(content)

    async def _create(
        self, metadata: Resource, item_id: str, kind: Literal["files", "shortcuts"]
    ) -> tuple[Resource, bool]:
        """Make an item without content; false: an earlier try did."""
        made = self._made.get(metadata["appProperties"][ITEM_KEY])
        if made is not None:
            return made, False
        created = await self._writer.create(metadata, await self._new_id(kind))
        self._made[mark(item_id)] = created
        return created, True

    async def _new_id(self, kind: Literal["files", "shortcuts"]) -> str:
        ids = self._ids[kind]
        if not ids:
            ids.extend(await self._writer.generate_ids(100, kind))
        return ids.pop()

    async def _look(self, item_id: str, content_format: str) -> Resource | None:
        query = self._target.query_for(item_id, content_format)
        async for found in self._writer.find(query, self._target.drive_id, "what was restored before"):
            return found
        return None

    async def _same_name(self, row: CatalogueRow, parent: str, name: str | None = None) -> Resource | None:
        """What is in a folder under a name, not made by this restore."""
        if parent not in self._there:
            self._there[parent] = asyncio.create_task(self._children(parent))
        return (await self._there[parent]).get(row.item.name if name is None else name)

    async def _children(self, parent: str) -> dict[str, Resource]:
        query = f"'{parent}' in parents and trashed = false"
        found = [each async for each in self._writer.find(query, self._target.drive_id, "the folder to restore into")]
        ours = {each["id"] for each in self._made.values()}
        return {str(each["name"]): each for each in found if each["id"] not in ours}

    async def _shared(self, row: CatalogueRow, results: list[RestoreResult]) -> list[RestoreResult]:
        """Give the permissions that were asked for; without them an item is not as it was."""
        wanted = self._permissions.get(row.item.id, ())
        done = [each for each in results if each.outcome in ("restored", "same")]
        try:
            for result in done:
                for permission in wanted:
                    await self._writer.share(result.target, permission)
        except (UnexpectedAnswerError, ItemUnavailableError) as error:
            return [*results, _result(row, "failed", reason="permissions", message=f"It is restored, but: {error}")]
        return results

    def _know(self, row: CatalogueRow, result: RestoreResult) -> RestoreResult:
        self.ids[row.item.id] = result.target
        return result

    def _marks(self, item_id: str, content_format: str) -> dict[str, str]:
        return self._target.marks(item_id, content_format)

    def _metadata(self, row: CatalogueRow, parent: str, content_format: str) -> dict[str, Any]:
        return metadata_of(row.item, parent, self._marks(row.item.id, content_format))

    @staticmethod
    def _failed(row: CatalogueRow, error: DriveBackupError) -> RestoreResult:
        return _result(row, "failed", reason=error.reason, message=str(error))


def _name_of(segment: str) -> str:
    """The name of a folder that is not an item."""
    try:
        return decode_segment(segment)
    except ValueError:
        # One of the backup's own, which no name in Drive is encoded as.
        return segment


def _has(resource: Resource, content: StoredContent) -> bool:
    """Whether Drive says that the file has these bytes."""
    if (read_integer(resource.get("size")) or 0) != content.size or resource.get("md5Checksum") != content.md5:
        return False
    return resource.get("sha256Checksum") in (None, content.sha256)


def _result(
    row: CatalogueRow,
    outcome: RestoreOutcome,
    resource: Resource | None = None,
    *,
    size: int = 0,
    reason: str | None = None,
    message: str | None = None,
) -> RestoreResult:
    target = str(resource["id"]) if resource else ""
    return result_for(row, outcome, target, size=size, reason=reason, message=message)

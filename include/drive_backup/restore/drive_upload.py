"""Sends contents to Drive, each once, though answers get lost, and only whole ones."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from typing import Literal

from include.drive_backup.drive.errors import UnexpectedAnswerError
from include.drive_backup.drive.writing import DriveWriter, IdInUseError
from include.drive_backup.errors import BrokenBodyError, ServiceUnavailableError
from include.drive_backup.manifest.schema import CatalogueRow
from include.drive_backup.model import StoredContent
from include.drive_backup.ports import BlobStore, Clock
from include.drive_backup.restore.drive_limits import DriveLimits
from include.drive_backup.restore.drive_metadata import ITEM_KEY, RESTORE_KEY
from include.drive_backup.restore.drive_target import DriveTarget
from include.drive_backup.restore.drive_there import DriveContents, Resource
from include.drive_backup.restore.orders import wrong_bytes

_TRIES = 4
#: A file whose content is replaced gets this beside it; what else people wrote about it stays.
_REPLACED = ("name", "mimeType", "modifiedTime")


class Uploader:
    """Makes items in Drive.

    :param there: is asked for what was made by a call whose answer was lost.
    """

    def __init__(
        self, writer: DriveWriter, store: BlobStore, target: DriveTarget, clock: Clock, there: DriveContents
    ) -> None:
        self._writer = writer
        self._store = store
        self._target = target
        self._clock = clock
        self._there = there
        #: The limits of Drive that were met.
        self.limits = DriveLimits(clock)
        self._ids: dict[Literal["files", "shortcuts"], list[str]] = {"files": [], "shortcuts": []}

    async def create(self, metadata: Resource, kind: Literal["files", "shortcuts"]) -> Resource:
        """Make an item without content."""
        with self.limits.creating(str(metadata["parents"][0])):
            made = await self._writer.create(metadata, await self._new_id(kind))
        self._there.note(metadata["appProperties"][ITEM_KEY], made)
        return made

    async def upload(
        self,
        row: CatalogueRow,
        content: StoredContent,
        metadata: Resource,
        *,
        converted: bool = False,
        over: str | None = None,
    ) -> Resource:
        """Send a content.

        :param converted: Drive makes a document of its own of it.
        :param over: the id of the file whose content it becomes; None: a new file.
        """
        with self.limits.uploading(str(metadata["parents"][0]), content.size, new=over is None):
            made = await self._until_there(row, content, metadata, converted=converted, over=over)
        self._there.note(metadata["appProperties"][ITEM_KEY], made)
        return made

    async def _until_there(
        self, row: CatalogueRow, content: StoredContent, metadata: Resource, *, converted: bool, over: str | None
    ) -> Resource:
        """Upload until the file is there; one whose answer was lost is looked for before it is sent again."""
        sent = metadata if over is None else _for_another(metadata)
        mark, query = metadata["appProperties"][ITEM_KEY], self._target.query_for(row.item.id, content.format)
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
                if over is None and (there := await self._there.look(mark, query)) is not None:
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

    async def _new_id(self, kind: Literal["files", "shortcuts"]) -> str:
        ids = self._ids[kind]
        if not ids:
            ids.extend(await self._writer.generate_ids(100, kind))
        return ids.pop()


def _for_another(metadata: Resource) -> Resource:
    marks = {key: metadata["appProperties"][key] for key in (RESTORE_KEY, ITEM_KEY)}
    return {**{key: metadata[key] for key in _REPLACED if key in metadata}, "appProperties": marks}

"""Brings one content back into a folder of Drive: whether it is there, whose place it may take, and what came of it."""

from __future__ import annotations

from typing import Any

from include.drive_backup.drive.writing import DriveWriter
from include.drive_backup.manifest.schema import CatalogueRow
from include.drive_backup.model import StoredContent
from include.drive_backup.restore.drive_metadata import ITEM_KEY, MADE_KEY, RESTORE_KEY
from include.drive_backup.restore.drive_replace import Replacer
from include.drive_backup.restore.drive_there import DriveContents, Namesake, Resource, has_bytes, untouched
from include.drive_backup.restore.drive_upload import Uploader
from include.drive_backup.restore.orders import Conflict, RestoreOutcome, RestoreResult, result_for

_SINCE = "What this restore made of it before ({ids}) was changed since"
_BESIDE = f"{_SINCE}; it was left alone, and this is another one beside it."
_OTHER_TYPE = "Something of another type has its name; it was left alone, and this was restored beside it."
_OTHER_BYTES = (
    "The new file {id} has other bytes than were sent: Drive damaged them, or somebody saved it at that moment. It was "
    "left where it is, since it may be somebody's work; look at it. Restore again: this file is then made anew."
)


class DriveFiles:
    """Restores contents.

    :param merge: what others have in the folder counts.
    """

    def __init__(
        self, writer: DriveWriter, there: DriveContents, uploader: Uploader, conflict: Conflict, *, merge: bool
    ) -> None:
        self._writer = writer
        self._there = there
        self._uploader = uploader
        self._replacer = Replacer(writer, uploader)
        self._conflict: Conflict = conflict
        self._merge = merge

    async def restore(
        self, row: CatalogueRow, content: StoredContent, metadata: dict[str, Any], *, converted: bool = False
    ) -> RestoreResult:
        """Restore one content.

        :param metadata: of the file that it becomes.
        :param converted: Drive makes a document of its own of it.
        """
        mark = metadata["appProperties"][ITEM_KEY]
        made = self._there.made(mark)
        if converted:
            # Where Drive once refused to convert, a plain file has the mark of the document: it is not the document.
            made = [each for each in made if each.get("mimeType") == metadata["mimeType"]]
        for each in made:
            if untouched(each, metadata) if converted else has_bytes(each, content):
                return result_of(row, "same", each)
        if made:
            return await self._changed_since(row, content, metadata, made, converted=converted)
        if not self._merge:
            return await self._new(row, content, metadata, converted=converted)
        return await self._beside_others(row, content, metadata, mark, converted=converted)

    async def _changed_since(
        self,
        row: CatalogueRow,
        content: StoredContent,
        metadata: dict[str, Any],
        made: list[Resource],
        *,
        converted: bool,
    ) -> RestoreResult:
        """What was made before is no longer it: treated as any other file of its name."""
        ids = ", ".join(str(each["id"]) for each in made)
        if self._conflict == "skip":
            said = f"{_SINCE.format(ids=ids)}; it was left alone, as asked, and is not what the backup has."
            return result_of(row, "skipped", made[0], reason="changedSince", message=said)
        if self._conflict == "replace" and len(made) == 1:
            return await self._instead(row, content, metadata, made[0], converted=converted)
        return await self._new(row, content, metadata, converted=converted, said=_BESIDE.format(ids=ids))

    async def _beside_others(
        self, row: CatalogueRow, content: StoredContent, metadata: dict[str, Any], mark: str, *, converted: bool
    ) -> RestoreResult:
        name, parent = str(metadata["name"]), metadata["parents"][0]
        comparable = None if converted else content
        found = await self._there.namesake(row, parent, name, mark, comparable)
        if found.same is not None:
            return result_of(row, "same", found.same)
        if self._conflict == "skip" and (other := await self._left(row, found, name, parent)) is not None:
            return result_of(row, "skipped", other)
        if self._conflict == "replace" and found.one is not None:
            return await self._instead(row, content, metadata, found.one, converted=converted)
        said = found.doubt if self._conflict != "copy" else None
        return await self._new(row, content, metadata, converted=converted, said=said)

    async def _left(self, row: CatalogueRow, found: Namesake, name: str, parent: str) -> Resource | None:
        """What has the name, so that the file is skipped; a twin of another item may not be that one."""
        if found.one is not None or self._there.is_twin(row):
            return found.one
        return await self._there.first_named(parent, name)

    async def _instead(
        self, row: CatalogueRow, content: StoredContent, metadata: dict[str, Any], seen: Resource, *, converted: bool
    ) -> RestoreResult:
        if seen["mimeType"] != metadata["mimeType"]:
            return await self._new(row, content, metadata, converted=converted, said=_OTHER_TYPE)
        done = await self._replacer.replace(row, content, metadata, seen, converted=converted)
        if done.made is None:
            return await self._new(row, content, metadata, converted=converted, said=done.said)
        await self._remember_time(done.made, metadata, converted=converted)
        return result_of(row, "restored", done.made, size=content.size, message=done.said)

    async def _new(
        self,
        row: CatalogueRow,
        content: StoredContent,
        metadata: dict[str, Any],
        *,
        converted: bool,
        said: str | None = None,
    ) -> RestoreResult:
        made = await self._uploader.upload(row, content, metadata, converted=converted)
        if not converted and not has_bytes(made, content):
            # It may be somebody's work by now, so it only loses the mark of this restore, and is made anew next time.
            await self._writer.update(str(made["id"]), {"appProperties": {RESTORE_KEY: None, ITEM_KEY: None}})
            said = _OTHER_BYTES.format(id=made["id"])
            return result_of(row, "failed", made, reason="checksum", message=said)
        await self._remember_time(made, metadata, converted=converted)
        return result_of(row, "restored", made, size=content.size, message=said)

    async def _remember_time(self, made: Resource, metadata: dict[str, Any], *, converted: bool) -> None:
        """Drive may give a document another time than it was asked for: by the noted one it is known again."""
        if converted and made.get("modifiedTime") and not untouched(made, metadata):
            await self._writer.update(str(made["id"]), {"appProperties": {MADE_KEY: made["modifiedTime"]}})


def result_of(
    row: CatalogueRow,
    outcome: RestoreOutcome,
    resource: Resource | None = None,
    *,
    size: int = 0,
    reason: str | None = None,
    message: str | None = None,
) -> RestoreResult:
    """The result for an item, with the id of what it is now."""
    target = str(resource["id"]) if resource else ""
    return result_for(row, outcome, target, size=size, reason=reason, message=message)

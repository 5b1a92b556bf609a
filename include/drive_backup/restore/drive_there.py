"""What is in Drive where a restore goes to: what the restore itself made before, and what others have there.

A file of the same name may be the one that was backed up, or any other. Which of them may be replaced is decided here,
and only where no doubt is left.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Collection, Mapping
from typing import Any

from include.drive_backup.drive.writing import DriveWriter
from include.drive_backup.manifest.schema import CatalogueRow
from include.drive_backup.model import FOLDER, StoredContent, Struct
from include.drive_backup.restore.drive_metadata import ITEM_KEY, MADE_KEY
from include.drive_backup.restore.drive_target import DriveTarget
from include.drive_backup.values import read_integer, read_object, read_time

Resource = Mapping[str, Any]


class Namesake(Struct, frozen=True):
    """What others have under the name of an item that is to be restored.

    :param one: the item that it stands for, beyond doubt.
    :param same: one that has the bytes already.
    :param doubt: why none of those that are there can be told to be it; None: there are none, or ``one``.
    """

    one: dict[str, Any] | None = None
    same: dict[str, Any] | None = None
    doubt: str | None = None


class DriveContents:
    """What is there.

    :param twins: catalogue paths of items that share their name with another one of their folder in the snapshot.
    """

    def __init__(self, writer: DriveWriter, target: DriveTarget, twins: Collection[str] = ()) -> None:
        self._writer = writer
        self._target = target
        self._twins = frozenset(twins)
        self._made: dict[str, list[Resource]] = defaultdict(list)
        self._claimed: dict[str, str] = {}
        self._listings: dict[str, asyncio.Task[list[dict[str, Any]]]] = {}

    async def recall(self) -> None:
        """Find what earlier tries of this restore made."""
        async for found in self._writer.find(self._target.query, self._target.drive_id, "what was restored before"):
            self.note(item_mark(found), found)

    def note(self, mark: str, made: Resource) -> None:
        """Remember what this restore has made."""
        self._made[mark].append(made)

    def made(self, mark: str) -> list[Resource]:
        """What this restore has made of one thing; more than one where others changed what it made before."""
        return self._made.get(mark, [])

    async def look(self, mark: str, query: str) -> Resource | None:
        """What this restore made of one thing, if Drive shows it by now, and nobody noted it yet."""
        known = {each["id"] for each in self.made(mark)}
        async for found in self._writer.find(query, self._target.drive_id, "what was restored before"):
            if found["id"] not in known:
                return found
        return None

    async def folder(self, row: CatalogueRow, parent: str) -> Resource | None:
        """The folder to restore into instead of a new one; each stands for one folder of the snapshot only."""
        named = [each for each in await self._named(parent, row.item.name) if each["mimeType"] == FOLDER]
        own = [each for each in named if each["id"] == row.item.id]
        free = own or ([] if row.path in self._twins else named)
        found = free[0] if len(free) == 1 else None
        return found if found is not None and self._claim(found, row.path) else None

    async def namesake(
        self, row: CatalogueRow, parent: str, name: str, mark: str, content: StoredContent | None
    ) -> Namesake:
        """What has the name of a file.

        :param mark: of what is to be restored.
        :param content: its bytes; None for a document of Drive's own, whose bytes nobody can compare.
        """
        named = [each for each in await self._named(parent, name) if each["mimeType"] != FOLDER]
        own = [each for each in named if each["id"] == row.item.id or item_mark(each) == mark]
        equal = [each for each in own or named if content is not None and has_bytes(each, content)]
        for each in equal:
            if self._claim(each, row.path):
                return Namesake(same=each)
        one = self._only(row, own, named)
        if one is not None and self._claim(one, row.path):
            return Namesake(one=one)
        return Namesake(doubt=_DOUBT.format(name=name)) if named else Namesake()

    def is_twin(self, row: CatalogueRow) -> bool:
        """Whether another item of its folder in the snapshot has its name."""
        return row.path in self._twins

    async def first_named(self, parent: str, name: str) -> Resource | None:
        """A file in a folder that has a name."""
        return next((each for each in await self._named(parent, name) if each["mimeType"] != FOLDER), None)

    def _only(self, row: CatalogueRow, own: list[dict[str, Any]], named: list[dict[str, Any]]) -> dict[str, Any] | None:
        if own:
            return own[0] if len(own) == 1 else None
        strangers = [each for each in named if not item_mark(each)]
        alone = len(named) == 1 and row.path not in self._twins
        return strangers[0] if alone and strangers else None

    def _claim(self, found: Resource, path: str) -> bool:
        """Whether it stands for this item; no other one gets it then."""
        return self._claimed.setdefault(str(found["id"]), path) == path

    async def _named(self, parent: str, name: str) -> list[dict[str, Any]]:
        if parent not in self._listings:
            self._listings[parent] = asyncio.create_task(self._children(parent))
        return [each for each in await self._listings[parent] if each.get("name") == name]

    async def _children(self, parent: str) -> list[dict[str, Any]]:
        query = f"'{parent}' in parents and trashed = false"
        found = [each async for each in self._writer.find(query, self._target.drive_id, "the folder to restore into")]
        ours = {each["id"] for made in self._made.values() for each in made}
        return [each for each in found if each["id"] not in ours]


_DOUBT = (
    "The place has files called '{name}' already, and which of them this one was cannot be told; so they were left "
    "alone, and it was restored beside them."
)


def item_mark(resource: Resource) -> str:
    """Of what a restore made an item; empty for one that none made."""
    return str(read_object(resource.get("appProperties")).get(ITEM_KEY, ""))


def has_bytes(resource: Resource, content: StoredContent) -> bool:
    """Whether Drive says that a file has these bytes."""
    if (read_integer(resource.get("size")) or 0) != content.size or resource.get("md5Checksum") != content.md5:
        return False
    return resource.get("sha256Checksum") in (None, content.sha256)


def untouched(document: Resource, sent: Resource) -> bool:
    """Whether a document of Drive's own is as the restore made it: its bytes cannot be compared, but its time can.

    :param sent: what was asked of Drive when it was made.
    """
    now = read_time(document.get("modifiedTime"))
    known = (sent.get("modifiedTime"), read_object(document.get("appProperties")).get(MADE_KEY))
    return now is not None and now in [read_time(each) for each in known]

"""A Drive in memory that implements ``ports.Drive``, changes under one's hands, and misbehaves on demand."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from include.drive_backup import ports
from include.drive_backup.drive.single import check_file, file_root
from include.drive_backup.errors import (
    BrokenBodyError,
    CredentialsError,
    FeedLostError,
    ItemChangedError,
    ItemUnavailableError,
    SourceNotFoundError,
)
from include.drive_backup.exports import MIME_TYPES
from include.drive_backup.model import FOLDER, ApiUse, Checked, Item, Revision, Source
from include.drive_backup.ports import ChangePage, Page
from include.drive_backup.values import read_time
from tests.support.trees import ROOT, Entry, checksums, with_contents

#: What happens to one read: gets the right bytes, gives the delivered ones, or raises.
Body = Callable[[bytes], bytes]


def cut(content: bytes) -> bytes:
    """The connection ends early, and the client notices."""
    raise BrokenBodyError(f"The content broke off after {len(content) // 2} bytes.", reason="cutBody")


def short(content: bytes) -> bytes:
    """The body ends early, and nothing says so."""
    return content[: len(content) // 2]


def flipped(content: bytes) -> bytes:
    """The right length, one wrong bit."""
    return content[:-1] + bytes([content[-1] ^ 1])


class FakeDrive:
    """``items`` are resources by id, ``contents`` their bytes (of a native: what an export gives).

    :param piece: bytes per piece of a body.
    """

    def __init__(self, *entries: Entry, root: str = ROOT, piece: int = 64 * 1024, page: int = 3) -> None:
        self.items: dict[str, dict[str, Any]] = {}
        self.contents: dict[str, bytes] = {}
        self.root_resource = {"id": root, "name": "My Drive", "mimeType": FOLDER}
        #: who the credential acts as
        self.email = "ann@example.com"
        self.person: str | None = None
        self.incomplete = False
        #: ids in the order of their changes: what is not here, the change feed does not tell
        self.feed: list[str] = []
        #: when people do what they do; the change feed tells it, unless it is None
        self.now: datetime | None = None
        self.times: dict[str, datetime] = {}
        #: how long listings show an item as it was before, or not at all if it is new; the change feed is prompt
        self.lag = timedelta(0)
        self.before: dict[str, list[tuple[datetime, dict[str, Any] | None]]] = defaultdict(list)
        #: folders that this account does not see; what is in them it sees if it is shown to it
        self.unseen: set[str] = set()
        #: what its owner does not share any more; and owners that the credential may not act for
        self.unshared: dict[str, dict[str, Any]] = {}
        self.strangers: set[str] = set()
        #: whether Drive marks what is in a thrown-away folder as trashed; it makes no entries for it either way
        self.marks_children = False
        self.bodies: dict[str, list[Body]] = defaultdict(list)
        self.errors: dict[str, list[Exception]] = defaultdict(list)
        self.before_read: Callable[[str], None] | None = None
        self.during_read: Callable[[str], None] | None = None
        self.reads: Counter[str] = Counter()
        self.kept: dict[tuple[str, str], list[dict[str, Any]]] = {}
        #: of each item, its earlier versions: revision resources and bytes
        self.past: dict[str, list[tuple[dict[str, Any], bytes]]] = defaultdict(list)
        self.spans: list[tuple[int, int]] = []
        self.ranges_ignored = False
        #: what the check of an export is worth
        self.checked: Checked = "crc"
        self.strain = 0
        self.calls: list[str] = []
        self.now_reading = 0
        self.most_reading = 0
        self._root, self._piece, self._page = root, piece, page
        self._use = ApiUse()
        self.add(*entries)

    # what people do

    def add(self, *entries: Entry, parent: str | None = None) -> None:
        for resource, content in with_contents(*entries, root=parent or self._root):
            self._remember(resource["id"])
            self.items[resource["id"]] = resource
            self._note(resource["id"])
            if content is not None:
                self.contents[resource["id"]] = content

    def write(self, ident: str, content: bytes, modified: str) -> None:
        self._remember(ident)
        self.past[ident].append((self._revision(ident), self.contents[ident]))
        self.contents[ident] = content
        if "md5Checksum" in self.items[ident]:
            revision = f"{ident}-r{int(self.items[ident]['version']) + 1}"
            self.items[ident] |= {**checksums(content), "headRevisionId": revision}
        self.change(ident, modifiedTime=modified)

    def _revision(self, ident: str) -> dict[str, Any]:
        resource = self.items[ident]
        names = ("id", "modifiedTime", "size", "md5Checksum")
        facts = {name: resource[name] for name in names if name in resource}
        links = {} if "md5Checksum" in resource else {"exportLinks": dict.fromkeys(MIME_TYPES["docx"], "link")}
        return {**facts, **links, "id": f"{ident}-r{resource['version']}"}

    def change(self, ident: str, **fields: Any) -> None:
        """Rename, move, trash: what changes the version but not the content."""
        self._remember(ident)
        self.items[ident] |= {**fields, "version": str(int(self.items[ident]["version"]) + 1)}
        self._note(ident)

    def _remember(self, ident: str) -> None:
        if self.now is not None:
            old = self.items.get(ident)
            self.before[ident].append((self.now, None if old is None else dict(old)))

    def _listed(self, ident: str) -> dict[str, Any] | None:
        """An item as listings show it now."""
        for moment, resource in self.before[ident]:
            if self.now is not None and self.now - moment < self.lag:
                return resource
        return self._known(ident)

    def _note(self, ident: str) -> None:
        self.feed.append(ident)
        self.times.pop(ident, None)
        if self.now is not None:
            self.times[ident] = self.now

    def delete(self, ident: str) -> None:
        del self.items[ident]
        self._note(ident)
        self.contents.pop(ident, None)

    def unshare(self, ident: str, **fields: Any) -> None:
        """Its owner takes it away, and may change it then."""
        self.unshared[ident] = self.items.pop(ident) | fields
        self._note(ident)

    # ports.Drive

    @property
    def use(self) -> ApiUse:
        return self._use

    async def user_email(self) -> str:
        return self.email

    async def user_id(self) -> str | None:
        return self.person

    async def root(self, source: Source) -> Item:
        self.calls.append("root")
        if source.kind == "shared":
            return Item(id="", name="Shared with me", mime_type=FOLDER)
        if source.kind == "user":
            return Item.from_resource(self.root_resource)
        if source.kind == "file":
            try:
                item = Item.from_resource(self._known(source.id))
            except ItemUnavailableError as error:
                raise SourceNotFoundError(f"There is no {source}.", reason=error.reason) from error
            check_file(source, item)
            return file_root(item)
        resource = self.items.get(source.id) or (self.root_resource if source.id == self._root else None)
        if resource is None:
            raise SourceNotFoundError(f"There is no {source}.")
        return Item.from_resource(resource)

    async def change_token(self, source: Source) -> str:
        self.calls.append("change_token")
        return f"token-{len(self.feed)}"

    async def list_items(self, source: Source) -> AsyncIterator[Page]:
        self.calls.append("list_items")
        if source.kind == "file":
            yield Page(items=(Item.from_resource(self._known(source.id)),))
            return
        resources = [
            found for ident in self.items if ident not in self.unseen and (found := self._listed(ident)) is not None
        ]
        for start in range(0, len(resources) or 1, self._page):
            self._use += ApiUse(calls=1, units=100)
            found = tuple(Item.from_resource(each) for each in resources[start : start + self._page])
            yield Page(items=found, incomplete=self.incomplete)

    async def list_shared(self, source: Source) -> AsyncIterator[Page]:
        self.calls.append("list_shared")
        items = [Item.from_resource(each) for each in self.items.values()]
        yield Page(items=tuple(items), incomplete=self.incomplete)

    async def changes(self, source: Source, token: str) -> AsyncIterator[ChangePage]:
        self.calls.append("changes")
        position = int(token.removeprefix("token-"))
        if position > len(self.feed):
            raise FeedLostError("Invalid page token.")
        hidden = {self._root, *self.unseen}
        newest = [ident for ident in reversed(dict.fromkeys(reversed(self.feed[position:]))) if ident not in hidden]
        pages = [newest[start : start + self._page] for start in range(0, len(newest) or 1, self._page)]
        for number, page in enumerate(pages, 1):
            self._use += ApiUse(calls=1, units=100)
            yield ChangePage(
                items=tuple(Item.from_resource(self._known(ident)) for ident in page if ident in self.items),
                removed=tuple(ident for ident in page if ident not in self.items),
                token=f"token-{len(self.feed)}" if number == len(pages) else None,
                times={ident: self.times[ident] for ident in page if ident in self.times},
            )

    async def children(self, source: Source, folder_id: str) -> AsyncIterator[Page]:
        self.calls.append(f"children {folder_id}")
        self._use += ApiUse(calls=1, units=100)
        listed = [found for ident in self.items if (found := self._listed(ident)) is not None]
        yield Page(items=tuple(Item.from_resource(each) for each in listed if folder_id in each.get("parents", ())))

    async def belonging(
        self, source: Source, items: Sequence[Item], decided: Mapping[str, bool]
    ) -> dict[str, bool | None]:
        return {item.id: True for item in items}

    async def get_item(self, item_id: str, resource_key: str | None = None) -> Item:
        self.calls.append(f"get {item_id}")
        self._use += ApiUse(calls=1, units=5)
        return Item.from_resource(self._known(item_id))

    async def get_item_as(self, owner: str, item_id: str) -> Item:
        self.calls.append(f"get {item_id} as {owner}")
        self._use += ApiUse(calls=1, units=5)
        if owner in self.strangers:
            raise CredentialsError("Not of this domain.", reason="noDelegation")
        return Item.from_resource(self.unshared.get(item_id) or self._known(item_id))

    async def details(self, item: Item, detail: str) -> list[dict[str, Any]]:
        await asyncio.sleep(0)
        self.calls.append(f"{detail} {item.id}")
        if self.errors[f"{detail} {item.id}"]:
            raise self.errors[f"{detail} {item.id}"].pop(0)
        return self.kept.get((item.id, detail), [])

    async def revisions(self, item: Item) -> tuple[Revision, ...]:
        self.calls.append(f"revisions {item.id}")
        if (self._known(item.id).get("capabilities") or {}).get("canReadRevisions") is False:
            raise ItemUnavailableError("The revisions may not be read.", reason="cannotReadRevisions")
        found = [resource for resource, _ in self.past[item.id]]
        readable = [each for each in [*found, self._revision(item.id)] if read_time(each["modifiedTime"]) is not None]
        return tuple(map(Revision.from_resource, readable))

    @asynccontextmanager
    async def open_revision(
        self, item: Item, revision: Revision, export_mime_type: str | None
    ) -> AsyncIterator[ports.Body]:
        self.reads[revision.id] += 1
        content = next(data for resource, data in self.past[item.id] if resource["id"] == revision.id)
        yield self._body(item.id, content)

    async def shared_drive(self, drive_id: str) -> dict[str, Any]:
        return {"id": drive_id, "name": "Team"}

    @asynccontextmanager
    async def open_content(
        self, item: Item, export_mime_type: str | None, span: tuple[int, int] | None = None
    ) -> AsyncIterator[ports.Body]:
        await asyncio.sleep(0)
        self.reads[item.id] += 1
        self._use += ApiUse(calls=1, units=200)
        if self.before_read is not None:
            self.before_read(item.id)
        if self.errors[item.id]:
            raise self.errors[item.id].pop(0)
        self._known(item.id)
        content = self.contents[item.id]
        if span is not None:
            content = self._part(item, content, span)
        if self.bodies[item.id]:
            content = self.bodies[item.id].pop(0)(content)
        self.now_reading += 1
        self.most_reading = max(self.most_reading, self.now_reading)
        try:
            yield self._body(item.id, content)
        finally:
            self.now_reading -= 1

    def _body(self, ident: str, content: bytes) -> ports.Body:
        return ports.Body(self._pieces(ident, content), self.checked)

    async def _pieces(self, ident: str, content: bytes) -> AsyncIterator[bytes]:
        for start in range(0, len(content), self._piece):
            await asyncio.sleep(0)
            yield content[start : start + self._piece]
        if self.during_read is not None:
            self.during_read(ident)

    def _part(self, item: Item, content: bytes, span: tuple[int, int]) -> bytes:
        if self.ranges_ignored:
            raise BrokenBodyError("All of it came.", reason="rangeIgnored")
        if len(content) != item.size:
            raise ItemChangedError("It has another size now.")
        self.spans.append(span)
        return content[slice(*span)]

    def _known(self, ident: str) -> dict[str, Any]:
        if ident not in self.items or ident in self.unseen:
            raise ItemUnavailableError(f"File not found: {ident}.", reason="notFound")
        resource = self.items[ident]
        if not self.unseen.isdisjoint(resource.get("parents", ())):
            resource = {**resource, "parents": [each for each in resource["parents"] if each not in self.unseen]}
        own = resource["trashed"]
        if not own and not self._in_trash(ident):
            return resource
        return {**resource, "trashed": True, "explicitlyTrashed": own}

    def _in_trash(self, ident: str) -> bool:
        """Whether a folder above was thrown away, and Drive says so of the item."""
        seen, above = {ident}, list(self.items[ident].get("parents", ()))
        while self.marks_children and above:
            folder = self.items.get(above.pop())
            if folder is not None and folder["id"] not in seen:
                if folder["trashed"]:
                    return True
                seen.add(folder["id"])
                above.extend(folder.get("parents", ()))
        return False


def at(text: str) -> datetime:
    """``2026-03-01`` or ``2026-03-01T10:00`` in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)

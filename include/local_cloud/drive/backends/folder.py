"""A real folder as Ann's My Drive: what happens on disk appears as changes, ids survive renames and restarts."""

from __future__ import annotations

import asyncio
import hashlib
import os
import secrets
from collections.abc import Iterable
from pathlib import Path

from include.local_cloud.drive.backends.disk import Found, scan
from include.local_cloud.drive.backends.ledger import Known, Ledger
from include.local_cloud.drive.content import FileContent
from include.local_cloud.drive.edits import guess_type
from include.local_cloud.drive.model import FOLDER, SHORTCUT, Item, Revision
from include.local_cloud.drive.state import DriveState

OWNER = "ann@example.com"


class DiskContent(FileContent):
    """A file as it was when it was scanned; its checksums are kept in the ledger."""

    def __init__(self, path: Path, found: Found, ledger: Ledger) -> None:
        super().__init__(path, found.size)
        self._found = found
        self._ledger = ledger
        self._digests.update(ledger.digests(found.key))

    def fresh(self) -> bool:
        """Whether the file is still the one that was scanned."""
        try:
            now = self.path.stat()
        except OSError:
            return False
        return (now.st_ino, now.st_size, now.st_mtime_ns) == self._found.key[1:]

    def compute(self, algorithms: Iterable[str]) -> None:
        """Hash, unless the file changed meanwhile: then it keeps no checksum until the next scan.

        :raises OSError: when it changed or cannot be read.
        """
        before = dict(self._digests)
        super().compute(algorithms)
        if not self.fresh():
            self._digests = before
            raise OSError("the file changed while it was hashed")
        self._ledger.remember(self._found.key, self._digests)


class FolderBackend:
    """Keeps a :class:`DriveState` like a folder on disk.

    :param root: the folder that becomes My Drive. It is only read: this Drive refuses writes.
    :param database: where ids, versions, checksums and the change log are kept.
    """

    def __init__(self, state: DriveState, root: Path, database: Path) -> None:
        self.state = state
        self.root = root.resolve()
        self.ledger = Ledger(database)
        self.known: dict[str, Known] = {}
        self._lock = asyncio.Lock()
        self._home = state.users[OWNER].root_id

    def load(self) -> None:
        """Look at the folder for the first time after a start. Blocks."""
        log = self.state.logs[OWNER]
        self.known = self.ledger.load(log)
        first = not self.known
        for path, known in sorted(self.known.items()):
            self.state.add(self._item(path, known), log=False)
        self.update(scan(self.root), log=not first)

    async def refresh(self) -> None:
        """Look again."""
        async with self._lock:
            found = await asyncio.to_thread(scan, self.root)
            self.ledger.flush()
            self.update(found)

    async def check(self, item: Item) -> None:
        """Look again when one file is not what it was."""
        content = item.content
        if isinstance(content, DiskContent) and not content.fresh():
            await self.refresh()

    def update(self, tree: tuple[dict[str, Found], dict[str, str]], *, log: bool = True) -> None:
        """Make the state like the disk."""
        found, self.state.unlisted = tree
        before = self.state.logs[OWNER].next
        gone = {p: k for p, k in self.known.items() if p not in found or found[p].kind != k.found.kind}
        kept = {p: k for p, k in self.known.items() if p not in gone}
        arrived = self._identify({p: f for p, f in found.items() if p not in kept}, gone)
        changed = {p: Known(kept[p].id, found[p], kept[p]) for p in kept if found[p] != kept[p].found}
        self.known = kept | changed | arrived
        for path, known in sorted((changed | arrived).items()):
            self._place(path, known, log=log)
        still = {known.id for known in self.known.values()}
        for known in gone.values():
            if known.id not in still and known.id in self.state.items:
                self.state.remove(self.state.items[known.id])
        self._save(gone, changed | arrived, before)

    def _save(self, gone: dict[str, Known], changed: dict[str, Known], before: int) -> None:
        entries = self.state.logs[OWNER].since(before)
        if gone or changed or entries:
            self.ledger.save(gone.keys() - self.known.keys(), changed, entries)

    def _identify(self, arrived: dict[str, Found], gone: dict[str, Known]) -> dict[str, Known]:
        """Find out which new paths are old files under another name: same inode, and for files same size and time."""
        by_key = {known.found.identity: known for known in gone.values()}
        now = self.state.clock.now()
        return {
            path: Known(old.id, found, old) if (old := by_key.pop(found.identity, None)) else _new(found, now)
            for path, found in sorted(arrived.items())
        }

    def _place(self, path: str, known: Known, *, log: bool) -> None:
        item = self.state.items.get(known.id)
        fresh = self._item(path, known)
        if item is None:
            self.state.add(fresh, log=log)
            return
        if _visible(item) == _visible(fresh):
            return
        with self.state.editing(item):
            item.name, item.parents, item.modified = fresh.name, fresh.parents, fresh.modified
            item.mime_type, item.revisions, item.target = fresh.mime_type, fresh.revisions, fresh.target
            item.listable, item.downloadable = fresh.listable, fresh.downloadable
        known.version = item.version

    def _item(self, path: str, known: Known) -> Item:
        found = known.found
        above, _, name = path.rpartition("/")
        item = Item(
            id=known.id,
            name=os.fsencode(name).decode("utf-8", "replace"),
            mime_type=_type(path, found),
            parents=[self.known[above].id if above else self._home],
            owner=OWNER,
            created=known.created,
            # A folder's mtime moves with everything inside; Drive's modifiedTime does not.
            modified=known.created if found.kind == "folder" else found.modified,
            by=OWNER,
            version=known.version,
            listable=found.readable,
            downloadable=found.readable,
        )
        if found.kind == "file":
            head = hashlib.sha256(repr((known.id, found.key)).encode()).hexdigest()[:51]
            content = DiskContent(self.root / path, found, self.ledger)
            item.revisions.append(Revision(head, found.modified, content, item.mime_type, OWNER, item.name))
        if found.target is not None and found.target in self.known:
            target = self.known[found.target]
            item.target, item.target_mime = target.id, _type(found.target, target.found)
        return item


def _type(path: str, found: Found) -> str:
    return {"folder": FOLDER, "link": SHORTCUT}.get(found.kind) or guess_type(path.rpartition("/")[2])


def _new(found: Found, now: int) -> Known:
    return Known("1" + secrets.token_urlsafe(24), found, None, created=min(found.modified, now))


def _visible(item: Item) -> tuple[object, ...]:
    head = item.revisions[-1].id if item.revisions else None
    return (item.name, item.parents, item.mime_type, head, item.modified, item.target, item.listable, item.downloadable)


def folder_state(root: Path, database: Path) -> DriveState:
    """A Drive that shows a folder, read-only. Bob is a user too, with nothing in his Drive.

    :param database: a file that is made when it is missing.
    """
    state = DriveState()
    state.add_user(OWNER, "Ann Example", admin=True)
    state.add_user("bob@example.com", "Bob Example")
    backend = FolderBackend(state, root, database)
    backend.load()
    state.refresh, state.check, state.read_only = backend.refresh, backend.check, True
    return state

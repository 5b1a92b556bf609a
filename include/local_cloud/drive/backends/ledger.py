"""What a folder back end must not forget over a restart: ids, versions, checksums, the change log."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from include.local_cloud.drive.backends.disk import Found
from include.local_cloud.drive.changelog import ChangeLog, Entry

_SCHEMA = """
CREATE TABLE IF NOT EXISTS items (
    path BLOB PRIMARY KEY, id TEXT, kind TEXT, device INT, inode INT, size INT, mtime_ns INT,
    readable INT, target BLOB, created INT, version INT);
CREATE TABLE IF NOT EXISTS changes (id TEXT PRIMARY KEY, position INT, time INT, removed INT);
CREATE TABLE IF NOT EXISTS digests (
    device INT, inode INT, size INT, mtime_ns INT, algorithm TEXT, value TEXT,
    PRIMARY KEY (device, inode, size, mtime_ns, algorithm)) WITHOUT ROWID;
"""
Key = tuple[int, int, int, int]
GROUP = 1_000


@dataclass(slots=True, init=False)
class Known:
    """A path that has an id. ``created`` is its createdTime in ms since 1970: fixed when it is first seen."""

    id: str
    found: Found
    created: int
    version: int

    def __init__(self, ident: str, found: Found, before: Known | None, *, created: int = 0, version: int = 1) -> None:
        self.id = ident
        self.found = found
        self.created = before.created if before else created
        self.version = before.version if before else version


class Ledger:
    """A SQLite file. Hashing threads write to it too, one at a time."""

    def __init__(self, path: Path) -> None:
        self._lock = threading.Lock()
        self._connection = sqlite3.connect(path, check_same_thread=False)
        self._connection.execute("PRAGMA journal_mode=WAL")
        self._connection.execute("PRAGMA synchronous=NORMAL")
        self._connection.executescript(_SCHEMA)
        rows = self._connection.execute("SELECT device, inode, size, mtime_ns, algorithm, value FROM digests")
        self._digests: dict[Key, dict[str, str]] = {}
        self._unwritten: list[tuple[object, ...]] = []
        for *key, algorithm, value in rows:
            self._digests.setdefault((key[0], key[1], key[2], key[3]), {})[algorithm] = value

    def load(self, log: ChangeLog) -> dict[str, Known]:
        """All known paths; the log gets its entries back."""
        entries = list(self._connection.execute("SELECT id, position, time, removed FROM changes ORDER BY position"))
        for ident, position, time, removed in entries:
            log.entries[ident] = Entry(position, time, removed=bool(removed))
            log.next = position + 1
        return {
            os.fsdecode(path): Known(
                ident,
                Found(
                    kind, device, inode, size, mtime, bool(readable), None if target is None else os.fsdecode(target)
                ),
                None,
                created=created,
                version=version,
            )
            for path, ident, kind, device, inode, size, mtime, readable, target, created, version in (
                self._connection.execute("SELECT * FROM items")
            )
        }

    def save(self, gone: Iterable[str], changed: Mapping[str, Known], entries: Iterable[tuple[str, Entry]]) -> None:
        """Write down what one look at the disk found."""
        rows = [_row(path, known) for path, known in changed.items()]
        log = [(ident, entry.position, entry.time, entry.removed) for ident, entry in entries]
        with self._lock, self._connection:
            self._connection.executemany("DELETE FROM items WHERE path = ?", [(os.fsencode(path),) for path in gone])
            self._connection.executemany("INSERT OR REPLACE INTO items VALUES (?,?,?,?,?,?,?,?,?,?,?)", rows)
            self._connection.executemany("INSERT OR REPLACE INTO changes VALUES (?,?,?,?)", log)

    def digests(self, key: Key) -> dict[str, str]:
        """Checksums of a file that was hashed before."""
        return self._digests.get(key, {})

    def remember(self, key: Key, digests: dict[str, str]) -> None:
        """Keep checksums. They are written in groups: a lost one is only computed again."""
        with self._lock:
            self._digests[key] = dict(digests)
            self._unwritten += [(*key, algorithm, value) for algorithm, value in digests.items()]
            if len(self._unwritten) >= GROUP:
                self._write()

    def flush(self) -> None:
        """Write what is not written yet."""
        with self._lock:
            self._write()

    def _write(self) -> None:
        if self._unwritten:
            with self._connection:
                self._connection.executemany("INSERT OR REPLACE INTO digests VALUES (?,?,?,?,?,?)", self._unwritten)
            self._unwritten.clear()


def _row(path: str, known: Known) -> tuple[object, ...]:
    found = known.found
    target = None if found.target is None else os.fsencode(found.target)
    return (
        os.fsencode(path),
        known.id,
        found.kind,
        found.device,
        found.inode,
        found.size,
        found.mtime_ns,
        found.readable,
        target,
        known.created,
        known.version,
    )

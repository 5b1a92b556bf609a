"""What was really in Drive, what was committed and held, and whether a container agrees with it at the end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

from include.drive_backup.blob.names import SnapshotName, parse_snapshot
from include.drive_backup.manifest.catalogue import read_rows
from include.drive_backup.manifest.manifest import Manifest, Status
from include.drive_backup.manifest.repository import SnapshotRepository
from include.drive_backup.manifest.void import VOID_MANIFEST
from include.drive_backup.model import Source, parse_instant
from include.drive_backup.ports import BlobStore
from include.drive_backup.retention.rules import Candidate, Policy, judge
from tests.support.month_claims import Look, Version, check_clock, check_item, check_then


class Promise(msgspec.Struct):
    """A complete snapshot that a run said it had committed, and what its listing must have seen.

    :ivar before: the manifest of a complete snapshot that was over at its instant, if there was one.
    """

    manifest: str
    listed: tuple[datetime, datetime]
    selected: tuple[str, ...]
    before: str | None = None


class Committed(msgspec.Struct):
    """A manifest that was ever written, whether its run heard of it or not."""

    selects: tuple[str, ...]
    status: Status
    late: bool = False


class Truth:
    """Fed while a month passes; :meth:`check` at its end.

    :ivar held: manifests and the tags that hold them now.
    """

    def __init__(self) -> None:
        self.versions: dict[str, list[Version]] = {}
        self.promises: dict[str, Promise] = {}
        self.committed: dict[str, Committed] = {}
        self.void: set[str] = set()
        self.held: set[tuple[str, str]] = set()
        self.problems: list[str] = []
        #: the time at the end; None: the times of this month are not looked at
        self.now: datetime | None = None

    def written(self, name: str, data: bytes) -> None:
        """Note a blob below ``snapshots/`` that was written: a manifest, or what makes one void."""
        if name.endswith("/void.json"):
            self.void.add(name.replace("/void.json", "/manifest.json"))
        elif name.endswith("/manifest.json") and data != VOID_MANIFEST:
            manifest = Manifest.from_json(data)
            self.committed[name] = Committed(
                tuple(manifest.selection["include"]), manifest.status, late=manifest.kind == "as-of"
            )

    async def check(self, store: BlobStore, source: Source, policy: Policy) -> None:
        """Hold all that is in a container against what was."""
        repository = SnapshotRepository(store)
        there = {name.manifest: name for name in await repository.names(source)}
        for name in there.values():
            manifest = await repository.read(name)
            if manifest is not None and manifest.status == "complete":
                await self._check_snapshot(store, manifest, there)
        for missing in sorted(self.kept_by(policy) - there.keys()):
            self.problems.append(f"{missing} is kept by the rules, and gone")
        for manifest_name, tag in sorted(self.held):
            if manifest_name not in there:
                self.problems.append(f"{manifest_name} is held by {tag}, and gone")

    async def _check_snapshot(self, store: BlobStore, manifest: Manifest, there: Mapping[str, SnapshotName]) -> None:
        rows = {row["item_id"]: row async for row in read_rows(store, manifest)}
        for row in rows.values():
            await self.check_row(store, manifest.name.key, row)
            await self._check_time(store, manifest, row)
        promise = self.promises.get(manifest.name.manifest)
        if promise is not None and self.now is not None:
            await self._check_claims(store, manifest, rows, promise, there)
        if promise is None or manifest.kind == "as-of":
            return
        for ident, versions in self.versions.items():
            seen = any(
                each.since < promise.listed[0] and (each.until is None or each.until > promise.listed[1])
                for each in versions
            )
            if seen and selects(promise.selected, name_of(ident)) and ident not in rows:
                self.problems.append(f"{manifest.name.key} is complete and lacks {name_of(ident)}")

    async def _check_claims(
        self,
        store: BlobStore,
        manifest: Manifest,
        rows: dict[str, dict[str, Any]],
        promise: Promise,
        there: Mapping[str, SnapshotName],
    ) -> None:
        before = there.get(promise.before or "")
        look = Look(manifest, rows, promise.listed, None if before is None else parse_instant(before.instant))
        self.problems += check_clock(look, self.now or look.ended)
        for ident, versions in self.versions.items():
            if selects(promise.selected, name_of(ident)):
                self.problems += await check_item(store, look, ident, versions)
            if ident in rows:
                self.problems += await check_then(store, look, ident, versions)

    async def _check_time(self, store: BlobStore, manifest: Manifest, row: dict[str, Any]) -> None:
        """Of a snapshot that was made on time: what is exact is of a version that was there while it was made."""
        promise = self.promises.get(manifest.name.manifest)
        if promise is None or manifest.kind == "as-of" or row["fidelity"] != "exact":
            return
        ended = parse_instant(manifest.ended)
        for content in row["contents"] or ():
            data = await store.read(content["blob"])
            then = [
                each.content
                for each in self.versions[row["item_id"]]
                if each.since <= ended and (each.until is None or each.until >= promise.listed[0])
            ]
            if data not in then:
                self.problems.append(f"{manifest.name.key}: {row['path']} is exact and has the bytes of another time")

    async def check_row(self, store: BlobStore, where: str, row: dict[str, Any]) -> None:
        """Hold the bytes of one item of a snapshot against what the file ever had."""
        for content in row["contents"] or ():
            data = await store.read(content["blob"])
            if data is None:
                self.problems.append(f"{where}: {row['path']} has lost its content {content['blob']}")
            elif all(data != version.content for version in self.versions[row["item_id"]]):
                self.problems.append(f"{where}: {row['path']} has the bytes of something else")

    def kept_by(self, policy: Policy) -> set[str]:
        """The manifests that the rules keep of all that were ever committed, each among those that select the same."""
        kept: set[str] = set()
        counts = {name: each for name, each in self.committed.items() if name not in self.void}
        for selection in {each.selects for each in counts.values()}:
            ever = [_candidate(name, each) for name, each in counts.items() if each.selects == selection]
            kept.update(verdict.snapshot.name for verdict in judge(ever, policy.keep) if verdict.kept)
        return kept


def name_of(ident: str) -> str:
    """What the file of an id is called in a month: ``id4`` is ``4.md``."""
    number = int(ident.removeprefix("id"))
    return f"{number}.{('txt', 'md', 'bin')[number % 3]}"


def selects(globs: Sequence[str], name: str) -> bool:
    """Whether globs of a month select a file."""
    return not globs or any(
        name.endswith(glob.removeprefix("*")) if glob.startswith("*") else name.startswith(glob.removesuffix("*"))
        for glob in globs
    )


def _candidate(manifest: str, committed: Committed) -> Candidate:
    name = parse_snapshot(manifest)
    assert name is not None
    return Candidate(
        name=manifest,
        instant=name.instant,
        generation=name.generation,
        status=committed.status,
        late=committed.late,
    )

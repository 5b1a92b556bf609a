"""Level 3: restore a sample, and compare it with what Drive has now.

What is restored comes the way that any restore goes. Of a file that did not change in Drive since the snapshot, the
bytes on disk must have Drive's own checksum; one that did change is said to have.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal

from include.drive_backup.errors import BrokenBodyError, ItemUnavailableError, PermanentError, ServiceUnavailableError
from include.drive_backup.manifest.catalogue import read_rows
from include.drive_backup.manifest.manifest import Manifest
from include.drive_backup.manifest.schema import CatalogueRow
from include.drive_backup.model import Struct, human_bytes
from include.drive_backup.ports import BlobStore, Drive
from include.drive_backup.restore.local_target import open_local
from include.drive_backup.restore.orders import ARCHIVED, Destination, RestoreResult, incomplete, not_saved, result_for
from include.drive_backup.restore.run import restore
from include.drive_backup.restore.selection import Entry, Selection, select

#: ``equal``: restored, and Drive has the same bytes now; ``changed`` in Drive since the snapshot; ``gone`` from Drive;
#: ``restored``: read back, and Drive knows no checksum to compare it with, or was not asked; ``wrong``: it is not what
#: it should be; ``failed``: it could not be restored; ``archived``: left out, since it cannot be read now;
#: ``not-saved``: the snapshot says itself that it does not have this, so nothing was lost.
Verdict = Literal["equal", "changed", "gone", "restored", "wrong", "failed", "archived", "not-saved"]


class Drilled(Struct, frozen=True):
    """What became of the sample: files by verdict, bytes restored, and a sentence for each that is bad.

    ``shortfall`` says why the snapshot itself may lack something.
    """

    source: str
    snapshot: str
    counts: dict[Verdict, int] = {}
    bytes: int = 0
    problems: tuple[str, ...] = ()
    shortfall: str | None = None

    def __str__(self) -> str:
        words = ", ".join(f"{count} {verdict}" for verdict, count in sorted(self.counts.items()))
        said = f"{self.source} as of {self.snapshot}: {human_bytes(self.bytes)} restored: {words or 'no files'}."
        return f"{said} {self.shortfall}" if self.shortfall else said


async def drill(
    store: BlobStore,
    manifest: Manifest,
    folder: Path,
    *,
    drive: Drive | None,
    seed: str,
    most_bytes: int,
    most_files: int,
) -> Drilled:
    """Restore some files of a snapshot and compare them.

    :param folder: an empty one, of which the caller disposes.
    :param drive: None: compare with the catalogue alone.
    :param seed: another one draws other files.
    :param most_bytes: of all files together.
    """
    chosen = pick((await select(store, manifest, Selection())).values(), seed, most_bytes, most_files)
    results: list[RestoreResult] = []
    destination = _Trying(open_local(folder, chosen, store))
    counted = await restore(store, manifest, chosen, destination, results.append)
    rows = read_rows(store, manifest, ["item_id", "path", "kind", "md5", "sha256"])
    facts = {row["path"]: row async for row in rows if row["path"] in chosen}
    counts, problems = Counter[Verdict](), list[str]()
    for result in results:
        verdict = await _verdict(result, facts[result.path], drive)
        counts[verdict] += 1
        if verdict in ("wrong", "failed"):
            problems.append(f"{result.shown} ({result.item_id}): {result.message or _WRONG}")
    return Drilled(
        source=manifest.source,
        snapshot=manifest.name.shown,
        counts=dict(counts),
        bytes=counted["bytes"],
        problems=tuple(problems),
        shortfall=incomplete(manifest),
    )


class _Trying:
    """A destination to which one file that cannot be read is one result: a drill has few, and tells of all."""

    def __init__(self, destination: Destination) -> None:
        self._destination = destination

    async def restore(self, row: CatalogueRow) -> list[RestoreResult]:
        """See the port."""
        try:
            return await self._destination.restore(row)
        except (PermanentError, ServiceUnavailableError, BrokenBodyError) as error:
            return [result_for(row, "failed", reason=error.reason, message=str(error)), *not_saved(row)]


_WRONG = "what was restored is not what Drive has, though Drive says that it did not change."


def pick(entries: Iterable[Entry], seed: str, most_bytes: int, most_files: int) -> dict[str, Entry]:
    """Files and exports in an order that the seed draws, as many as fit."""
    drawn = sorted(
        (entry for entry in entries if entry.formats),
        key=lambda entry: hashlib.sha256(f"{seed}\0{entry.item_id}\0{entry.path}".encode()).digest(),
    )
    chosen: dict[str, Entry] = {}
    room = most_bytes
    for entry in drawn:
        if len(chosen) < most_files and entry.size <= room:
            chosen[entry.path] = entry
            room -= entry.size
    return chosen


async def _verdict(result: RestoreResult, row: Mapping[str, Any], drive: Drive | None) -> Verdict:
    if result.outcome == "not-saved":
        return "not-saved"
    if result.outcome not in ("restored", "same"):
        return "archived" if result.reason in ARCHIVED else "failed"
    known = row["sha256"] or row["md5"]
    if drive is None or row["kind"] != "file" or known is None:
        return "restored"
    try:
        now = await drive.get_item(result.item_id)
    except ItemUnavailableError:
        return "gone"
    if known != (now.sha256 if row["sha256"] else now.md5):
        return "changed"
    name = "sha256" if row["sha256"] else "md5"
    return "equal" if await asyncio.to_thread(_digest, Path(result.target), name) == known else "wrong"


def _digest(file: Path, algorithm: str) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, algorithm).hexdigest()

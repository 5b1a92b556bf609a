"""The verification of many sources by many tasks: check listings, read batches, tell what the damage means."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from datetime import UTC, datetime, tzinfo

from msgspec.structs import replace

from include.drive_backup.blob.names import SnapshotName
from include.drive_backup.errors import UNREADABLE, SnapshotNotFoundError
from include.drive_backup.groups import run_work
from include.drive_backup.model import Source
from include.drive_backup.ports import BlobStore, Clock
from include.drive_backup.protection import Reader, protected
from include.drive_backup.verification.batches import (
    BatchWriter,
    CheckedGroup,
    Found,
    ReadBatch,
    ReadGroup,
    contents_of,
    read_found,
    write_found,
)
from include.drive_backup.verification.describe import describe, record
from include.drive_backup.verification.listing import check_source
from include.drive_backup.verification.model import Checked, Damage, Depth
from include.drive_backup.verification.reading import read_again
from include.drive_backup.verification.run import choose, sample_of
from include.drive_backup.verification.sample import Sample, mark_read

log = logging.getLogger(__name__)


async def check_group(
    store: BlobStore,
    sources: Sequence[str],
    *,
    run: str,
    at: str,
    depth: Depth,
    period: int,
    now: datetime,
    batch_bytes: int,
    max_batches: int,
    clock: Clock | None = None,
    zone: tzinfo = UTC,
) -> CheckedGroup:
    """Check the listings of some sources, one after the other, and lay out what is to be read again.

    :param at: ``all``, ``latest``, a time, or an id; a source without such a snapshot has nothing to be checked.
    :param batch_bytes: of one batch, about.
    :param max_batches: of one source.
    :param clock: None: nothing keeps retention from deleting meanwhile.
    :param zone: in which ``at`` is when it names none.
    """
    work = run_work(run)
    checks, damages, batches, samples = list[Checked](), list[Damage](), list[ReadBatch](), dict[str, Sample]()
    unchecked, unreadable = list[str](), list[str]()
    for number, name in enumerate(sources):
        source = Source.parse(name)
        sample = await sample_of(store, source, depth, period, now)
        writer = BatchWriter(store, name, f"{work}/{number:05d}-", batch_bytes=batch_bytes, max_batches=max_batches)
        try:
            names = await choose(store, source, at, None, zone, log.info)
            what = source if len(names) > 1 or at == "all" else names[0]
            async with _protected(store, what, run, clock):
                checked = await check_source(store, names, writer.add, sample=sample)
        except SnapshotNotFoundError as error:
            log.warning("%s: nothing to check. %s", name, error)
            unchecked.append(f"{name}: {error}")
            continue
        except UNREADABLE as error:
            log.warning("%s: its check ended early. %s", name, error)
            unreadable.append(f"{name}: {error}")
            continue
        await record(store, (), [(name, each) for each in checked.returned])
        batches += await writer.close()
        checks.append(checked)
        damages += checked.damages
        if at == "all":
            samples[name] = sample
    return CheckedGroup(
        sources=len(checks),
        snapshots=sum(each.snapshots for each in checks),
        erased=sum(each.erased for each in checks),
        erased_from=sum(each.erased_from for each in checks),
        blobs=sum(each.blobs for each in checks),
        bytes=sum(each.bytes for each in checks),
        found=await write_found(store, f"{work}/found-", damages),
        batches=tuple(batches),
        samples=samples,
        unchecked=tuple(unchecked),
        unreadable=tuple(unreadable),
    )


async def read_batch(
    store: BlobStore,
    batch: ReadBatch,
    *,
    run: str,
    in_flight: int = 8,
    stop: asyncio.Event | None = None,
    clock: Clock | None = None,
) -> ReadGroup:
    """Read the contents of one batch again.

    :param in_flight: blobs at once; each takes some MB of memory.
    :param stop: set it to end soon.
    :param clock: None: nothing keeps retention from deleting meanwhile.
    """
    source = Source.parse(batch.source)
    async with _protected(store, source, run, clock):
        read = await read_again(store, source, contents_of(store, batch), in_flight=in_flight, stop=stop)
    return ReadGroup(
        source=batch.source,
        read=replace(read, damages=()),
        found=await write_found(store, f"{run_work(run)}/found-", read.damages),
    )


def _protected(
    store: BlobStore, what: SnapshotName | Source, run: str, clock: Clock | None
) -> AbstractAsyncContextManager[None]:
    reader = Reader(who=f"google_drive_verify/{run}", doing="verified")
    return nullcontext() if clock is None else protected(store, clock, what, reader, log.warning)


async def tell(store: BlobStore, founds: Iterable[Found]) -> list[Damage]:
    """All that was found, by source, with what it means."""
    by_source: dict[str, list[Damage]] = {}
    for found in founds:
        for damage in await read_found(store, found):
            by_source.setdefault(damage.source, []).append(damage)
    return [
        damage
        for source in sorted(by_source)
        for damage in await describe(store, Source.parse(source), by_source[source])
    ]


async def keep(
    store: BlobStore,
    damages: Iterable[Damage],
    groups: Iterable[CheckedGroup],
    *,
    whole: bool,
    read: Iterable[ReadGroup] = (),
) -> None:
    """Record damage that was told of and, of each source of which all was read that was to be read, that it was.

    :param whole: every task of the verification did its work.
    :param read: what came of reading.
    """
    await record(store, damages)
    unread = {each.source for each in read if each.read.unread}
    for group in groups if whole else ():
        for source, sample in group.samples.items():
            if source in unread:
                continue
            await mark_read(store, Source.parse(source), sample)

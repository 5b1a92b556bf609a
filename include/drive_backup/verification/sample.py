"""Which contents a run reads again, such that each is read once in a set period, whatever the schedule is.

Every content falls into one of as many buckets as the period has days, by its fingerprint. A run takes the buckets of
all days since the last run that finished, so runs that fail, or come once a week, leave nothing out.
"""

from __future__ import annotations

import json
from datetime import datetime

from include.drive_backup.blob.names import verified_prefix
from include.drive_backup.model import Source, Struct
from include.drive_backup.ports import BlobStore
from include.drive_backup.values import read_integer


class Sample(Struct, frozen=True):
    """Some of ``period`` buckets. ``day`` is that of the run, as Python's ``date.toordinal``."""

    period: int
    buckets: tuple[int, ...]
    day: int = 0

    def takes(self, fingerprint: bytes) -> bool:
        """Whether a content is in one of the buckets."""
        return int.from_bytes(fingerprint[:8]) % self.period in self.buckets


NOTHING = Sample(period=1, buckets=())
EVERYTHING = Sample(period=1, buckets=(0,))


async def due(store: BlobStore, source: Source, period: int, now: datetime) -> Sample:
    """The buckets whose turn it is. The first run takes one.

    :param period: days in which everything is to be read.
    """
    today = now.toordinal()
    # A day that is to come was not read: one such record would end all reading until then.
    done = [day for day in await days_read(store, source, period) if day <= today]
    first = max(done) + 1 if done else today
    first = max(first, today - period + 1)
    return Sample(period=period, buckets=tuple(day % period for day in range(first, today + 1)), day=today)


async def mark_read(store: BlobStore, source: Source, sample: Sample) -> None:
    """Record that the buckets of all days up to the sample's were read. Call it when they were, and not before."""
    if not sample.day or not sample.buckets:
        return
    body = json.dumps({"source": str(source), **sample.to_dict()}).encode()
    await store.put(
        f"{verified_prefix(source)}{sample.period:05d}-{sample.day:07d}.json", body, content_type="application/json"
    )


async def days_read(store: BlobStore, source: Source, period: int | None = None) -> list[int]:
    """The days of runs that finished, as ``date.toordinal``.

    :param period: only of runs that read everything in so many days.
    """
    whole = verified_prefix(source)
    listed = whole if period is None else f"{whole}{period:05d}-"
    days = [info.name.removeprefix(whole).removesuffix(".json").partition("-")[2] async for info in store.list(listed)]
    return [day for day in map(read_integer, days) if day is not None]

"""When the content of sources was read again last: verification that is paused says nothing by itself."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import date, datetime, timedelta

from include.drive_backup.model import Source, counted
from include.drive_backup.ports import BlobStore
from include.drive_backup.settings import VERIFICATION_DAG_ID
from include.drive_backup.verification.sample import days_read

#: Verification comes weekly at least, as it is delivered.
LATE = timedelta(days=14)
#: Sources that are looked at, and so many at once: each is one request.
_MOST, _AT_ONCE = 200, 16
_NAMED = 3


async def last_read(store: BlobStore, source: Source, now: datetime) -> date | None:
    """The day on which a share of a source's content was read again last; None: never, as far as is recorded."""
    days = [day for day in await days_read(store, source) if 0 < day <= now.toordinal()]
    return date.fromordinal(max(days)) if days else None


async def unverified(store: BlobStore, sources: Sequence[str], now: datetime) -> list[str]:
    """A sentence for each of some sources whose content was not read again lately."""
    room = asyncio.Semaphore(_AT_ONCE)

    async def look(source: str) -> str | None:
        async with room:
            last = await last_read(store, Source.parse(source), now)
        if last is not None and now.date() - last <= LATE:
            return None
        return f"{source}: {'never' if last is None else f'last on {last}'}"

    found = await asyncio.gather(*map(look, sources[:_MOST]))
    return [each for each in found if each is not None]


def unverified_text(late: Sequence[str]) -> str:
    """What to say of sources whose content was not read again lately; empty for none."""
    if not late:
        return ""
    more = f" and {len(late) - _NAMED:,} more" if len(late) > _NAMED else ""
    return (
        f"The content of {counted(len(late), 'source')} was not read again in the last {LATE.days} days: "
        f"{', '.join(late[:_NAMED])}{more}. Is the DAG {VERIFICATION_DAG_ID} paused in Airflow? Unpause it."
    )

"""One flat listing read by several readers at once, each with the items of one range of creation time.

The pages of one listing come one after the other, as each needs the token of the page before it. ``createdTime`` is the
one thing that Drive can filter by and that never changes, so ranges of it split a listing into parts that hold each
item exactly once, whatever happens meanwhile. Drive says neither how many items a range has nor gives them in a useful
order (``orderBy=createdTime`` is warned against for large collections), so the ranges are guessed from the first pages,
and a wrong guess costs time or calls, never an item.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Collection, Iterable, Sequence
from contextlib import aclosing
from datetime import datetime
from typing import NamedTuple

from include.drive_backup.drive.errors import UnexpectedAnswerError
from include.drive_backup.model import Item
from include.drive_backup.ports import Page

log = logging.getLogger(__name__)

#: Ranges that are read at once. Drive's quota allows some 54 pages a second and user; a page takes 0.1 to 2 s.
READERS = 12
#: Pages of the whole listing that are read before it is split. They come again: a small Drive is better not split.
_FIRST_PAGES = 4
#: Missing items that are asked for one by one; with more of them the ranges are not believed.
_DOUBTS = 50
#: Creation times that a reader remembers, at most.
_SAMPLE = 2_000


class Part(NamedTuple):
    """A page of one listing, and whether another one follows."""

    page: Page
    more: bool


#: All pages of the listing with a query (empty: of everything).
Read = Callable[[str], AsyncGenerator[Part, None]]


class Life(NamedTuple):
    """When the Drive was made, as far as that is known, and the time now."""

    since: datetime
    now: datetime


class Range(NamedTuple):
    """Creation times from ``low`` to before ``high``; None is open. Open below holds items without a time as well."""

    low: datetime | None = None
    high: datetime | None = None

    @property
    def query(self) -> str:
        """The range in Drive's search language."""
        if self.low is None:
            return "" if self.high is None else f"not (createdTime >= '{_text(self.high)}')"
        upper = "" if self.high is None else f" and createdTime < '{_text(self.high)}'"
        return f"createdTime >= '{_text(self.low)}'{upper}"

    def split(self, sample: Sequence[datetime], life: Life, count: int) -> list[Range]:
        """Up to ``count`` ranges that together are this one.

        Half of the guess is that all items are spread in time like the sample, half that they are spread evenly over
        the Drive's life: its first pages tend to hold what was used last.

        :param sample: creation times of items of this range.
        """
        if len({time.replace(microsecond=0) for time in sample}) < 2:
            return [self]
        first, last = self.low or min(life.since, *sample), self.high or max(life.now, *sample)
        evenly = [first + (last - first) / len(sample) * number for number in range(len(sample))]
        guess = sorted([*sample, *evenly])
        cuts = sorted({guess[len(guess) * number // count].replace(microsecond=0) for number in range(1, count)})
        inside = [cut for cut in cuts if first < cut < last]
        return [Range(*ends) for ends in zip([self.low, *inside], [*inside, self.high], strict=True)]


async def list_in_ranges(
    read: Read, exists: Callable[[Item], Awaitable[bool]], life: Life, what: str
) -> AsyncIterator[Page]:
    """All pages of a listing, in no order. Items may come twice when a guess was very wrong, or Drive is.

    :param read: reads the listing with a query.
    :param exists: whether an item is still there; asked when the ranges do not show what the first pages showed.
    """
    async with aclosing(read("")) as whole:
        first, more = await _first_pages(whole)
        ranges = Range().split([time for page in first for time in _times(page)], life, READERS) if more else []
        if len(ranges) < 2:
            for page in first:
                yield page
            async for part in whole:
                yield part.page
            return
    if any(page.incomplete for page in first):
        yield Page(items=(), incomplete=True)
    missing = {item.id: item for page in first for item in page.items}
    try:
        async with aclosing(_Readers(read, life).pages(ranges)) as pages:
            async for page in pages:
                for item in page.items:
                    missing.pop(item.id, None)
                yield page
        doubt = await _any(exists, missing.values())
    except UnexpectedAnswerError as error:
        if error.status != 400:
            raise
        doubt = True
    if doubt:
        log.warning("Drive does not answer ranges of creation time well; %s starts over without them", what)
        async for part in read(""):
            yield part.page


async def _first_pages(whole: AsyncIterator[Part]) -> tuple[list[Page], bool]:
    """The first pages, and whether there are more."""
    first = []
    async for part in whole:
        first.append(part.page)
        if len(first) == _FIRST_PAGES:
            return first, part.more
    return first, False


async def _any(exists: Callable[[Item], Awaitable[bool]], missing: Collection[Item]) -> bool:
    """Whether ranges that do not show these items are wrong, and the items were not just deleted."""
    return len(missing) > _DOUBTS or any([await exists(item) for item in missing])


class _Readers:
    """All readers of one listing."""

    def __init__(self, read: Read, life: Life) -> None:
        self._read = read
        self._life = life
        self._readers: dict[asyncio.Task[Part], _Reader] = {}
        self._longest = 0
        self._pages = self._repeated = 0

    async def pages(self, ranges: Iterable[Range]) -> AsyncGenerator[Page, None]:
        """The pages of all ranges as they come; each reader is one page ahead."""
        self._start(ranges)
        try:
            while self._readers:
                done, _ = await asyncio.wait(self._readers, return_when=asyncio.FIRST_COMPLETED)
                for task in [task for task in self._readers if task in done]:
                    yield await self._take(self._readers.pop(task))
        finally:
            for reader in self._readers.values():
                await reader.close()

    def _start(self, ranges: Iterable[Range]) -> None:
        for span in ranges:
            reader = _Reader(self._read, span)
            self._readers[reader.ahead] = reader

    async def _take(self, reader: _Reader) -> Page:
        """The page that a reader has; it goes on, or others do in its place."""
        part = reader.take()
        self._pages += 1
        parts = self._parts(reader) if part.more else []
        if not part.more:
            self._longest = max(self._longest, reader.pages)
        if len(parts) == 1:
            reader.go_on()
            self._readers[reader.ahead] = reader
        else:
            await reader.close()
            self._start(parts)
        return part.page

    def _parts(self, reader: _Reader) -> list[Range]:
        """What is to be read in the place of a range that goes on: itself, or all of it anew in parts.

        A range that is twice as long as any that has ended was a bad guess. In parts its pages come again, but what
        is left of it, probably as much, comes many times faster. At most half of all pages may be such repetitions.
        """
        others = len(self._readers)
        long = reader.pages >= max(reader.patience, 2 * self._longest)
        if not long or others > READERS // 2 or self._repeated + reader.pages > self._pages / 2:
            return [reader.span]
        parts = reader.span.split(reader.times, self._life, READERS - others)
        if len(parts) > 1:
            self._repeated += reader.pages
        reader.patience *= 2
        return parts


class _Reader:
    """Reads one range, a page ahead of whoever takes them."""

    def __init__(self, read: Read, span: Range) -> None:
        self.span = span
        self.pages = 0
        #: pages after which it may be worth to read the range in parts
        self.patience = READERS
        self.times: list[datetime] = []
        self._parts = read(span.query)
        self.go_on()

    def go_on(self) -> None:
        """Begin to read the next page."""
        self.ahead = asyncio.create_task(self._next())

    def take(self) -> Part:
        """The page that has come."""
        part = self.ahead.result()
        self.pages += 1
        self.times.extend(_times(part.page))
        if len(self.times) > _SAMPLE:
            self.times = self.times[::2]
        return part

    async def close(self) -> None:
        """Stop reading."""
        self.ahead.cancel()
        await asyncio.gather(self.ahead, return_exceptions=True)
        await self._parts.aclose()

    async def _next(self) -> Part:
        return await anext(self._parts)


def _times(page: Page) -> list[datetime]:
    return [item.created for item in page.items if item.created]


def _text(moment: datetime) -> str:
    return moment.replace(tzinfo=None).isoformat(timespec="seconds")

"""A listing in parts is the whole listing, however the items are spread in time and whatever Drive answers."""

from __future__ import annotations

import asyncio
import random
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from include.drive_backup.drive.errors import UnexpectedAnswerError
from include.drive_backup.drive.ranges import READERS, Life, Part, Range, list_in_ranges
from include.drive_backup.errors import ServiceUnavailableError
from include.drive_backup.model import Item
from include.drive_backup.ports import Page
from include.local_cloud.drive.query import compile_query

START = datetime(2024, 1, 1, tzinfo=UTC)
LIFE = Life(since=START, now=START + timedelta(days=2000))
PAGE = 5


class Listing:
    """A flat listing with the local Drive's reading of queries.

    ``lies`` are ids that queries do not find, ``refuses`` answers every query with 400, ``broken`` with an outage.
    """

    def __init__(self, times, *, lies=(), refuses=False, broken=None, incomplete=()):
        self.items = {f"i{number}": created for number, created in enumerate(times)}
        self.lies, self.refuses, self.broken, self.incomplete = set(lies), refuses, broken, set(incomplete)
        self.calls = []
        self.open = 0
        self.on_page = lambda: None

    async def read(self, query):
        self.open += 1
        try:
            found = self.found(query)
            for start in range(0, len(found) or 1, PAGE):
                await asyncio.sleep(0)
                self.calls.append(query)
                self.on_page()
                if query and self.refuses:
                    raise UnexpectedAnswerError("no", reason="invalid", status=400)
                if query and self.broken == len(self.calls):
                    raise ServiceUnavailableError("down", service="drive")
                items = tuple(self.item(ident) for ident in found[start : start + PAGE] if ident in self.items)
                page = Page(items=items, incomplete=len(self.calls) in self.incomplete)
                yield Part(page, more=start + PAGE < len(found))
        finally:
            self.open -= 1

    def found(self, query):
        if not query:
            return list(self.items)
        test = compile_query(query, None).test
        return [
            ident
            for ident, created in self.items.items()
            if ident not in self.lies
            and test(SimpleNamespace(created=None if created is None else round(created.timestamp() * 1000)))
        ]

    def item(self, ident):
        return Item(id=ident, name=ident, mime_type="text/plain", created=self.items[ident])

    async def exists(self, item):
        return item.id in self.items

    def listed(self):
        return list_in_ranges(self.read, self.exists, LIFE, "the listing")

    async def pages(self):
        return [page async for page in self.listed()]

    async def ids(self):
        return [item.id for page in await self.pages() for item in page.items]


def days(count, seed=1):
    """That many creation times, one a day, in no order."""
    return random.Random(seed).sample([START + timedelta(days=number) for number in range(count)], count)


moments = st.one_of(
    st.none(),
    st.datetimes(timezones=st.just(UTC)),
    st.integers(0, 730 * 86_400).map(lambda number: START + timedelta(seconds=number)),
    st.integers(0, 5).map(lambda number: START + timedelta(milliseconds=number)),
)


@given(st.lists(moments, max_size=300))
@settings(max_examples=50, deadline=None)
def test_every_item_comes_and_nothing_else(times):
    async def check():
        listing = Listing(times)
        assert set(await listing.ids()) == set(listing.items)
        assert listing.open == 0

    asyncio.run(check())


@given(st.lists(moments, min_size=1, max_size=50), st.integers(1, 20))
@settings(max_examples=50, deadline=None)
def test_the_parts_of_a_range_have_each_time_once(times, count):
    known = [time for time in times if time is not None]
    parts = Range().split(known, LIFE, count)
    assert 1 <= len(parts) <= count
    tests = [compile_query(each.query, None).test for part in parts for each in part.split(known, LIFE, 3)]
    for time in times:
        item = SimpleNamespace(created=None if time is None else round(time.timestamp() * 1000))
        assert sum(test(item) for test in tests) == 1


@pytest.mark.parametrize("count", [0, 1, PAGE, 4 * PAGE])
async def test_a_small_drive_is_read_without_a_call_too_many(count):
    listing = Listing(days(count))
    assert await listing.ids() == list(listing.items)
    assert listing.calls == [""] * max(1, -(-count // PAGE))


async def test_items_that_are_spread_evenly_cost_few_calls_more_and_come_once():
    listing = Listing(days(2000))
    found = await listing.ids()
    assert sorted(found) == sorted(listing.items)
    assert len(listing.calls) <= 2000 / PAGE + 4 + READERS
    assert len(set(listing.calls)) == READERS + 1


async def test_items_of_one_moment_are_read_to_the_end_without_ranges():
    listing = Listing([START] * 500)
    assert await listing.ids() == list(listing.items)
    assert listing.calls == [""] * 100


@pytest.mark.parametrize("oldest_first", [False, True])
async def test_first_pages_that_tell_nothing_of_the_rest_cost_some_calls(oldest_first):
    """They know only the last days; nearly all items are from one month years ago."""
    new = [START + timedelta(days=1990, hours=number) for number in range(100)]
    old = [START + timedelta(days=900, minutes=15 * number) for number in range(3000)]
    listing = Listing([*new, *(old if oldest_first else random.Random(1).sample(old, 3000))])
    assert set(await listing.ids()) == set(listing.items)
    longest = max(listing.calls.count(query) for query in set(listing.calls))
    assert longest <= 3000 / PAGE / 4
    assert len(listing.calls) <= 3100 / PAGE * 2


async def test_what_is_created_or_deleted_meanwhile_costs_nothing_else():
    listing = Listing(days(1000))
    rng, before = random.Random(3), list(listing.items)
    deleted = set()

    def change():
        listing.items[f"new{len(listing.calls)}"] = START + timedelta(days=rng.randrange(1000))
        if len(listing.calls) % 7 == 0:
            deleted.add(gone := before[rng.randrange(1000)])
            listing.items.pop(gone, None)

    listing.on_page = change
    found = await listing.ids()
    assert set(before) - deleted <= set(found)


async def test_ranges_that_hide_an_item_are_not_believed(caplog):
    listing = Listing(days(200), lies=["i7"])
    assert set(await listing.ids()) == set(listing.items)
    assert "starts over without them" in caplog.text


async def test_ranges_that_drive_refuses_are_not_insisted_on():
    listing = Listing(days(200), refuses=True)
    assert set(await listing.ids()) == set(listing.items)
    assert listing.open == 0


async def test_an_outage_of_one_range_fails_the_listing_and_leaves_nothing_open():
    listing = Listing(days(200), broken=20)
    with pytest.raises(ServiceUnavailableError):
        await listing.ids()
    assert listing.open == 0


@pytest.mark.parametrize("call", [1, 4, 9, 30])
async def test_an_incomplete_page_anywhere_makes_the_listing_incomplete(call):
    listing = Listing(days(200), incomplete=[call])
    assert any(page.incomplete for page in await listing.pages())


async def test_who_stops_early_leaves_nothing_open():
    listing = Listing(days(500))
    pages = listing.listed()
    async for _ in pages:
        break
    await pages.aclose()
    assert listing.open == 0

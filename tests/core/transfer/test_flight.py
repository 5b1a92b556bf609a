"""Seats adapt to what the services bear."""

import asyncio

import pytest

from include.drive_backup.transfer.flight import START, Flight
from tests.support.fake_clock import FakeClock


class World:
    """Drive and Blob that serve so many files at once, each in a second; further ones wait, or are refused."""

    def __init__(self, most, *, serves, refuses_above=10**9):
        self.clock, self.serves, self.refuses_above = FakeClock(), serves, refuses_above
        self.strain = 0
        self.flight = Flight(self.clock, most, lambda: self.strain)

    async def rounds(self, count):
        for _ in range(count):
            seats = self.flight.seats
            await self.clock.sleep(max(1.0, seats / self.serves))
            self.strain += seats > self.refuses_above
            for _ in range(seats):
                self.flight.landed(1000)
        return self.flight.seats


async def test_it_begins_small_and_grows_while_that_helps():
    world = World(128, serves=1000)
    assert world.flight.seats == START
    assert await world.rounds(8) == 128


async def test_it_does_not_grow_much_beyond_what_is_served():
    world = World(1000, serves=50)
    assert 40 <= await world.rounds(20) <= 130


async def test_it_falls_back_when_a_service_groans_and_comes_again():
    world = World(128, serves=1000)
    await world.rounds(10)
    world.refuses_above = 20
    assert await world.rounds(4) <= 20
    world.refuses_above = 10**9
    assert await world.rounds(30) == 128


async def test_it_gives_way_when_blob_becomes_slow():
    world = World(128, serves=1000)
    await world.rounds(10)
    world.serves = 10
    assert await world.rounds(2) < 128


@pytest.mark.parametrize("most", [1, 3, 16, 200])
async def test_never_more_than_its_seats(most):
    flight, now, peak = Flight(FakeClock(), most, lambda: 0), 0, 0

    async def fly():
        nonlocal now, peak
        async with flight.seat():
            now += 1
            peak = max(peak, now)
            await asyncio.sleep(0)
            now -= 1

    await asyncio.wait_for(asyncio.gather(*(fly() for _ in range(300))), 20)
    assert (now, peak) == (0, min(most, START))


async def test_a_seat_that_is_given_up_while_waiting_is_not_lost():
    flight = Flight(FakeClock(), 1, lambda: 0)
    async with flight.seat():
        waiting = asyncio.create_task(flight.seat().__aenter__())
        await asyncio.sleep(0)
        waiting.cancel()
    async with asyncio.timeout(5), flight.seat():
        pass

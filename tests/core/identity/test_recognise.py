"""Persons are told by their ids: a new address is no new person, and an address that is given on is no old one."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from include.drive_backup.errors import CorruptStoreError
from include.drive_backup.identity.correct import join
from include.drive_backup.identity.names import address_of, stored_source
from include.drive_backup.identity.people import People, Person
from include.drive_backup.identity.recognise import Recogniser
from include.drive_backup.identity.registry import change_people, read_people, write_people
from include.drive_backup.model import Source
from tests.support.fake_clock import FakeClock
from tests.support.memory_blob import MemoryBlobStore

OLD, NEW, ALIAS = "ann@example.com", "anne@example.com", "a.alias@example.com"


class World:
    """Who has which address. ``seen`` asks as a run does: by the Directory, or as somebody named."""

    def __init__(self) -> None:
        self.people = People()
        #: address to Directory id and permission id
        self.accounts: dict[str, tuple[str, str]] = {}
        self.mute: set[str] = set()
        self.asked: list[str] = []
        self.stored: set[str] = set()

    async def ask(self, address):
        self.asked.append(address)
        return None if address in self.mute or address not in self.accounts else self.accounts[address][1]

    async def has_snapshots(self, name):
        return name in self.stored

    async def seen(self, address, *, named=False):
        ids = self.accounts.get(address)
        directory_id = None if named or ids is None else ids[0]
        return (await Recogniser(self.people, self.ask, self.has_snapshots).person(address, directory_id)).name


@pytest.fixture
def world():
    return World()


@pytest.mark.parametrize(("before", "after"), list(product([False, True], repeat=2)))
async def test_a_new_address_is_no_new_person(world, before, after, caplog):
    world.accounts[OLD] = ("d1", "p1")
    assert await world.seen(OLD, named=before) == OLD
    world.accounts = {NEW: ("d1", "p1")}
    assert await world.seen(NEW, named=after) == OLD
    assert "anne@example.com now (before: ann@example.com)" in caplog.text
    assert world.people.named(OLD).former == (OLD,)
    assert await world.seen(NEW, named=before) == OLD


@pytest.mark.parametrize(("before", "after"), list(product([False, True], repeat=2)))
async def test_an_address_that_is_given_to_somebody_else_is_of_somebody_else(world, before, after, caplog):
    world.accounts[OLD] = ("d1", "p1")
    await world.seen(OLD, named=before)
    world.accounts = {OLD: ("d2", "p2")}
    for _ in range(2):
        assert await world.seen(OLD, named=after) == f"{OLD}~2"
    assert "is saved anew as user/ann@example.com~2, and nothing is mixed" in caplog.text
    world.accounts[NEW] = ("d1", "p1")
    assert await world.seen(NEW) == OLD


async def test_two_who_change_places_each_go_on(world):
    world.accounts = {OLD: ("d1", "p1"), NEW: ("d2", "p2")}
    assert [await world.seen(each) for each in (OLD, NEW)] == [OLD, NEW]
    world.accounts = {OLD: ("d2", "p2"), NEW: ("d1", "p1")}
    assert [await world.seen(each) for each in (OLD, NEW)] == [NEW, OLD]


async def test_where_the_two_ids_disagree_nothing_is_mixed(world, caplog):
    world.accounts[OLD] = ("d1", "p1")
    await world.seen(OLD)
    world.accounts = {NEW: ("d9", "p1")}
    assert [await world.seen(NEW) for _ in range(2)] == [NEW, NEW]
    assert "not for certain the person" in caplog.text


async def test_somebody_who_is_named_by_an_address_of_once_is_found_by_it(world):
    world.accounts[OLD] = ("d1", "p1")
    await world.seen(OLD)
    world.accounts = {NEW: ("d1", "p1")}
    await world.seen(NEW)
    assert await world.seen(OLD, named=True) == OLD
    assert world.people.named(OLD).address == NEW


async def test_who_is_known_costs_no_question_and_whom_nobody_can_be_asked_about_is_not_written_down(world):
    world.accounts[OLD] = ("d1", "p1")
    for _ in range(3):
        await world.seen(OLD)
    assert world.asked == [OLD]
    assert await world.seen("nobody@example.com", named=True) == "nobody@example.com"
    assert [person.name for person in world.people] == [OLD]


async def test_who_could_not_be_asked_at_first_stays_the_same(world):
    world.accounts[OLD] = ("d1", "p1")
    world.mute.add(OLD)
    assert await world.seen(OLD) == OLD
    world.mute.clear()
    assert (await world.seen(OLD), await world.seen(OLD, named=True)) == (OLD, OLD)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3), st.booleans(), st.booleans()), max_size=12))
async def test_no_two_persons_ever_share_a_source(moves):
    """Accounts get addresses in any order, are seen by the Directory or by name, and some cannot be asked."""
    world, owner = World(), dict[str, int]()
    for person, place, named, mute in moves:
        address = f"a{place}@example.com"
        world.accounts = {where: ids for where, ids in world.accounts.items() if ids[1] != f"p{person}"}
        world.accounts[address] = (f"d{person}", f"p{person}")
        world.mute = {address} if mute else set()
        name = await world.seen(address, named=named)
        if not mute:  # Only then anything can be stored.
            assert owner.setdefault(name, person) == person
    addresses = [each.address for each in world.people if each.address]
    assert len(set(addresses)) == len(addresses)


async def test_what_is_known_is_written_once_by_one_writer():
    store, clock = MemoryBlobStore(), FakeClock()
    assert [person async for person in _of(store)] == []
    ann, bob = Person(name=OLD, address=OLD, permission_id="p1"), Person(name="bob", address="bob")
    assert await write_people(store, 0, People([ann]), "run-1", clock)
    assert not await write_people(store, 0, People([bob]), "run-2", clock)
    people = await change_people(store, lambda people: people.put(bob), "run-2", clock)
    assert {person.name for person in people} == {OLD, "bob"} == {person.name async for person in _of(store)}
    assert sorted(store.blobs) == ["people/00000001.json", "people/00000002.json"]


async def _of(store):
    _, people = await read_people(store)
    for person in people:
        yield person


async def test_what_cannot_be_read_stops_the_run_and_is_not_guessed():
    store = MemoryBlobStore()
    await store.put("people/00000001.json", b"{")
    with pytest.raises(CorruptStoreError, match=r"people/00000001\.json, which says whose source is whose"):
        await read_people(store)


def test_a_reader_may_write_any_address_of_a_person():
    people = People()
    people.put(Person(name=OLD, address=NEW, former=(OLD,), permission_id="p1"))
    people.put(Person(name=f"{OLD}~2", address=OLD, permission_id="p2"))
    of = {text: stored_source(people, Source.parse(text)) for text in (f"user/{OLD}", f"shared/{NEW}", "folder/x")}
    assert of["folder/x"] == (Source.parse("folder/x"), None)
    source, note = of[f"shared/{NEW}"]
    assert (str(source), "is the address of" in note) == (f"shared/{OLD}", True)
    source, note = of[f"user/{OLD}"]
    assert str(source) == f"user/{OLD}"
    assert NEW in note
    assert f"user/{OLD}~2" in note
    assert address_of(people, Source.parse(f"user/{OLD}")) == NEW
    assert address_of(people, Source.parse("user/new@example.com")) == "new@example.com"
    assert address_of(people, Source.parse("drive/x")) is None


@pytest.mark.parametrize("first", [ALIAS, OLD])
async def test_an_alias_that_is_named_beside_a_pattern_is_no_new_address(world, first, caplog):
    """Drive answers for the same person at both addresses; the Directory lists one."""
    world.accounts = {OLD: ("d1", "p1"), ALIAS: ("d1", "p1")}
    for address in (first, OLD):
        await world.seen(address, named=address == ALIAS)
    before = list(world.people)
    caplog.clear()
    for _ in range(2):
        names = [await world.seen(ALIAS, named=True), await world.seen(OLD)]
        assert names == [before[0].name] * 2
    assert list(world.people) == before
    assert (before[0].address, caplog.text) == (OLD, "")


async def test_somebody_who_is_certainly_new_gets_no_name_that_has_snapshots(world):
    world.stored = {OLD, f"{OLD}~2"}
    world.accounts[OLD] = ("d1", "p1")
    assert await world.seen(OLD) == OLD
    world.accounts[OLD] = ("d2", "p2")
    assert await world.seen(OLD) == f"{OLD}~3"


async def test_ids_stay_until_others_are_found_at_the_address_that_a_person_said(world):
    world.accounts[OLD] = ("d1", "p1")
    await world.seen(OLD)
    said = join(world.people, OLD, NEW)
    assert (said.address, said.directory_id, said.permission_id) == (NEW, "d1", "p1")
    world.accounts = {NEW: ("d9", "p9")}
    assert await world.seen(NEW, named=True) == OLD
    assert world.people.named(OLD).directory_id is None
    assert await world.seen(NEW) == OLD

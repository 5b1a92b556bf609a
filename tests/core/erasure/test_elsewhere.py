"""What else in the container names a person or an item is found, however it is written there, and is said."""

from __future__ import annotations

import json

import pytest

from include.drive_backup.erasure.readable import elsewhere_lines
from include.drive_backup.erasure.run import look_elsewhere
from include.drive_backup.identity.people import People, Person
from include.drive_backup.identity.registry import write_people
from include.drive_backup.model import Source
from tests.core.erasure.world import World
from tests.core.retention.house import ANN
from tests.support.fake_drive import FakeDrive
from tests.support.trees import file, folder

BOB, SHARED = "user/bob@example.com", Source(kind="shared", id="ann@example.com")
NOTHING = "Nothing else that was searched names it."


def a_problem(message):
    """What a failed task leaves for the alert of its run."""
    return json.dumps({"task": "restore[0]", "message": message}, ensure_ascii=False).encode()


async def of_bob(**changes):
    """A world in which one of Bob's files says something of somebody else."""
    world = World(FakeDrive(folder("Docs", file("b.txt", b"bee", id="b1"), id="d")))
    world.drive.items["b1"] |= changes
    world.drive.kept = {("b1", "comments"): [{"content": "please tell carol@example.com", "author": "Bob"}]}
    await world.back_up(source=BOB, save=("comments",))
    return world


def said(found, *, applied=False):
    return "\n".join(elsewhere_lines(found, applied=applied))


@pytest.mark.parametrize(
    "message",
    [
        "1 of 3 items failed, first '/Docs/Ms \"Example\" Bäume.txt': no.",
        "The item secret1 cannot be read.",
        '/docs/ms "example" bäume.txt',
    ],
)
@pytest.mark.parametrize("ascii", [False, True])
async def test_what_failed_tasks_said_of_an_item_is_found(message, ascii):  # noqa: A002 - as json.dumps calls it
    world = World(FakeDrive(folder("Docs", file('Ms "Example" Bäume.txt', b"s", id="secret1"), id="d")))
    await world.back_up()
    plan = await world.plan_erase("secret1")
    problem = json.dumps({"task": "t", "message": message}, ensure_ascii=ascii).encode()
    await world.store.put("work/run/r1/failed/restore/0/1.json", problem)
    await world.store.put("work/run/r2/failed/restore/0/1.json", a_problem("/Docs/b.txt"))
    await world.erase("secret1")
    found = await look_elsewhere(world.store, None, "secret1", list(plan.paths), delete=False)
    assert [each.prefix for each in found.traces] == ["work/run/r1"]
    assert "work/run/r1: 1 blob" in said(found)


async def test_a_path_of_one_name_is_no_part_of_another_name():
    world = World()
    await world.store.put("work/run/r1/failed/x/0/1.json", a_problem("The file 'data.txt' failed."))
    assert (await look_elsewhere(world.store, None, "i1", ["a.txt"], delete=False)).traces == ()
    for number, text in enumerate(("first '/a.txt': no", 'the path "a.txt" is long')):
        await world.store.put(f"work/run/n{number}/failed/x/0/1.json", a_problem(text))
    found = await look_elsewhere(world.store, None, "i1", ["a.txt"], delete=False)
    assert [each.prefix for each in found.traces] == ["work/run/n0", "work/run/n1"]


@pytest.mark.parametrize("address", ["ann@example.com", "anne@example.com", "a.n@example.com"])
@pytest.mark.parametrize("asked", ["user", "shared"])
async def test_all_addresses_of_a_person_are_searched(address, asked):
    world = await of_bob(lastModifyingUser={"emailAddress": address, "displayName": "Anne"})
    ann = Person(name="ann@example.com", address="anne@example.com", former=("a.n@example.com",))
    await write_people(world.store, 0, People([ann]), "run", world.backup.clock)
    found = await look_elsewhere(world.store, Source(kind=asked, id="ann@example.com"), None, [], delete=False)
    assert [(each.source, each.examples) for each in found.mentions] == [(BOB, ("b1",))]
    assert f"ALSO NAMED in 1 snapshot of {BOB}" in said(found)
    assert "a.n@example.com" in said(found)


async def test_who_is_who_need_not_be_readable():
    world = await of_bob(lastModifyingUser={"emailAddress": "ann@example.com"})
    await world.store.put("people/00000001.json", b"ann@example.com {")
    found = await look_elsewhere(world.store, ANN, None, [], delete=False)
    assert [each.source for each in found.mentions] == [BOB]
    assert "only the name of the source was searched" in said(found)


@pytest.mark.parametrize("where", ["name", "comment"])
async def test_an_address_inside_a_longer_text_is_found(where):
    world = await of_bob(name="Warning to dora@example.com.txt")
    address = {"name": "dora@example.com", "comment": "carol@example.com"}[where]
    found = await look_elsewhere(world.store, Source(kind="user", id=address), None, [], delete=False)
    assert [(each.source, each.examples) for each in found.mentions] == [(BOB, ("b1",))]


async def test_a_folder_of_an_address_is_found_in_the_rows_below_it():
    world = World(FakeDrive(folder("For dora@example.com", file("b.txt", b"b", id="b1"), id="d")))
    await world.back_up(source=BOB)
    found = await look_elsewhere(world.store, Source(kind="user", id="dora@example.com"), None, [], delete=False)
    assert [set(each.examples) for each in found.mentions] == [{"b1", "d"}]


async def test_the_other_source_of_the_same_person_is_always_named():
    world = await of_bob()
    await world.back_up(source=str(SHARED))
    world.tomorrow()
    for asked, other in ((ANN, SHARED), (SHARED, ANN)):
        found = await look_elsewhere(world.store, asked, None, [], delete=False)
        assert (f"`drive-backup erase {other}`" in said(found)) == (other == SHARED)
    await world.back_up(source=str(ANN))
    for asked, other in ((ANN, SHARED), (SHARED, ANN)):
        found = await look_elsewhere(world.store, asked, None, [], delete=False)
        assert f"{other} is of the same person, and has 1 snapshot" in said(found)
        assert f"`drive-backup erase {other}`" in said(found)


async def test_content_without_a_snapshot_is_enough_to_name_the_other_source():
    world = await of_bob()
    await world.store.put("content/shared/ann@example.com/x.txt/1", b"x")
    found = await look_elsewhere(world.store, ANN, None, [], delete=False)
    assert f"{SHARED} is of the same person, and has 0 snapshots" in said(found)
    assert (await look_elsewhere(world.store, Source.parse("folder/1x"), None, [], delete=False)).twin is None


async def test_a_run_that_may_wait_for_an_approval_is_named_and_not_deleted():
    world = World()
    await world.store.put("work/run/r1/t/group.jsonl", b'{"source":"user/ann@example.com"}')
    await world.store.put("work/restore/r1/t/plan.jsonl", b'{"source":"user/ann@example.com"}')
    world.tomorrow(29)
    found = await look_elsewhere(world.store, ANN, None, [], delete=True)
    assert [each.over for each in found.traces] == [False, False]
    assert found.deleted.blobs == 0
    assert "STAYS: its run may still wait for an approval" in said(found, applied=True)
    assert "after 30 days" in said(found, applied=True)
    world.tomorrow(2)
    found = await look_elsewhere(world.store, ANN, None, [], delete=True)
    assert found.deleted.blobs == 2
    assert "deleted, as nothing was written there for 30 days" in said(found, applied=True)


async def test_of_what_retention_does_not_delete_nobody_says_that_it_does():
    world = World()
    for name in ("outbox/1.json", "people/00000001.json", "quota/1.json"):
        await world.store.put(name, b'{"persons":[{"name":"ann@example.com"}],"by":"r","at":"20260301T000000Z"}')
    lines = elsewhere_lines(await look_elsewhere(world.store, ANN, None, [], delete=False), applied=False)
    says = {line.partition(":")[0]: "retention deletes it" in line for line in lines}
    assert (says["outbox"], says["people"], says["quota"]) == (False, False, True)


async def test_nothing_is_said_with_what_was_searched_and_what_was_not():
    text = said(await look_elsewhere(World().store, None, "i1", ["Docs/a.txt"], delete=False))
    assert text.startswith(NOTHING)
    assert "Searched for: i1, Docs/a.txt" in text
    assert "work areas of other sources" in text

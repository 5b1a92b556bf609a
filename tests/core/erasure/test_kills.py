"""SIGKILL before or after any request: nothing else is lost, nothing is untrue, and a second erasure finishes it."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from copy import deepcopy
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from include.drive_backup.manifest.repository import SnapshotRepository
from include.drive_backup.model import Series, format_instant
from include.drive_backup.retention.holds import hold
from tests.core.erasure.world import World
from tests.core.retention.house import ANN, Killed
from tests.support.examples import share_of
from tests.support.fake_drive import FakeDrive
from tests.support.trees import file, folder
from tests.support.verified import assert_sound

#: The item, or all of the source.
WISHES = ["x1", "P", None]
#: The ids that go with each.
GO = {"x1": {"x1"}, "P": {"P", "x1", "y1"}}
#: Words that nobody else's names, ids and bytes have.
WORDS = {"x1": ("x1", "dismissal", "secret-of-x"), "P": ("x1", "y1", "dismissal", "Private")}


async def history(*, twice):
    """A private folder whose files change, are copied, moved out, and thrown away; some nights, some in two tries."""
    private = folder("Private", file("dismissal.txt", b"secret-of-x", id="x1"), file("y.txt", b"y", id="y1"), id="P")
    world = World(FakeDrive(private, folder("Docs", file("b.txt", b"b", id="b1"), id="D")))
    await world.back_up()
    world.tomorrow()
    world.drive.add(file("copy.txt", b"y", id="c1"), parent="D")
    if twice:
        world.drive.items["c1"]["capabilities"] = {"canDownload": False}
        await world.back_up()
        del world.drive.items["c1"]["capabilities"]
    await world.back_up()
    world.tomorrow()
    world.drive.write("x1", b"secret-of-x, later", world.backup.clock.now().isoformat())
    await world.back_up()
    world.tomorrow()
    for ident in ("x1", "y1", "P"):
        world.drive.delete(ident)
    await world.back_up()
    world.tomorrow()
    return world


@cache
def histories(twice):
    """The same for all examples, to be copied."""
    return asyncio.run(history(twice=twice))


async def states(world):
    """Of each snapshot: status, and what each item gives back."""
    found = {}
    for manifest in await world.manifests():
        restored = await world.backup.restored({"manifest": manifest.name.manifest})
        rows = await world.backup.rows({"manifest": manifest.name.manifest})
        assert manifest.items == len(rows)
        found[manifest.name.ident] = (manifest.status, set(rows), restored)
    return found


def without(state, go):
    status, rows, restored = state
    return status, rows - go, {ident: data for ident, data in restored.items() if ident not in go}


async def newest(world):
    found = await SnapshotRepository(world.store).latest(Series(source=ANN), format_instant(world.backup.clock.now()))
    return None if found is None else found.name.ident


@pytest.mark.parametrize("phase", ["before", "after"])
@settings(max_examples=share_of(40), deadline=None)
@given(data=st.data())
async def test_killed_anywhere_it_is_finished_by_the_next_one(phase, data):
    wish = data.draw(st.sampled_from(WISHES), label="wish")
    world = deepcopy(await asyncio.to_thread(histories, data.draw(st.booleans(), label="two tries")))
    before, latest = await states(world), await newest(world)
    held = data.draw(st.none() | st.sampled_from(sorted(before)), label="held")
    if held is not None:
        (name,) = [each.name for each in await world.manifests() if each.name.ident == held]
        await hold(world.store, name, "court")
    go = GO.get(wish)
    for kill in data.draw(st.lists(st.integers(0, 130), min_size=1, max_size=2), label="requests until the kill"):
        world.kill_after(kill, phase)
        with suppress(Killed):
            await world.erase(wish)
        world.store.fault = None
        # What a killed one holds, it holds for ten minutes.
        world.tomorrow(0.01)
        await assert_sound(world.store)
        now = await states(world)
        if go is None:
            assert all(state == before[ident] for ident, state in now.items())
        else:
            assert now.keys() == before.keys()
            assert all(state in (before[ident], without(before[ident], go)) for ident, state in now.items())
            assert await newest(world) == latest

    done = await world.erase(wish)
    now = await states(world)
    assert done.whole == (done.kept == ())
    if go is None:
        assert now == ({} if held is None else {held: before[held]})
    else:
        stays = {held: before[held]} if done.kept else {}
        assert now == {ident: without(state, go) for ident, state in before.items()} | stays
    if held is None:
        assert_nothing_names(world, wish, done)
    await assert_sound(world.store)


def assert_nothing_names(world, wish, done):
    if wish is None:
        assert [name for name in world.store.blobs if not name.startswith(("erased/", "locks/"))] == []
        return
    shared = [each.blob for each in done.shared]
    assert world.naming(*WORDS[wish], shared=shared) == []
    assert shared == [name for name in world.backup.contents() if "/y.txt/" in name and wish == "P"]

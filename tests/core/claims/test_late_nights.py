"""Where every night's listing begins late, only what changed meanwhile is in doubt."""

from datetime import timedelta

import pytest

from tests.support.claims import Nights
from tests.support.trees import file, folder


@pytest.fixture
async def nights():
    made = Nights(
        folder("A", *(file(f"{n}.txt", b"%d" % n, id=f"f{n}") for n in range(6)), id="A"), late=timedelta(hours=3)
    )
    first = await made.night()
    assert {row["fidelity"] for row in first.values()} == {"place-later"}
    return made


async def fidelities(nights):
    rows = await nights.night()
    assert (await nights.manifest()).kind == "as-of"
    return {ident: row["fidelity"] for ident, row in rows.items()}


async def test_what_did_not_change_is_exact(nights):
    for _ in range(5):
        assert set((await fidelities(nights)).values()) == {"exact"}


async def test_what_changed_before_the_instant_is_exact_and_what_changed_after_it_is_not(nights):
    nights.people()
    nights.drive.write("f1", b"new", nights.drive.now.isoformat())
    nights.drive.change("f2", name="renamed")
    nights.people(25)
    nights.drive.change("f3", name="renamed, too")
    nights.drive.write("f4", b"later", nights.drive.now.isoformat())
    found = await fidelities(nights)
    assert (found["f0"], found["f1"], found["f2"]) == ("exact", "exact", "exact")
    assert (found["f3"], found["f4"]) == ("place-later", "revision")
    assert set((await fidelities(nights)).values()) == {"exact"}


async def test_what_was_deleted_before_the_instant_is_gone_for_good(nights):
    await nights.night()
    nights.people()
    nights.drive.delete("f1")
    for _ in range(3):
        assert "f1" not in await nights.night()


async def test_what_was_deleted_after_the_instant_is_as_the_night_before_had_it_and_then_gone(nights):
    await nights.night()
    nights.people(25)
    nights.drive.delete("f1")
    row = (await nights.night())["f1"]
    assert (row["fidelity"], row["data"]) == ("earlier", b"1")
    for _ in range(3):
        assert "f1" not in await nights.night()


async def test_a_night_on_time_after_late_ones_is_as_ever(nights):
    await nights.night()
    nights.late = timedelta(minutes=5)
    rows = await nights.night()
    assert (await nights.manifest()).kind != "as-of"
    assert {row["fidelity"] for row in rows.values()} == {"exact"}

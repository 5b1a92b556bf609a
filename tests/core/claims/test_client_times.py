"""Clients of Drive set times as they like: no time hides a newer version, keeps an old one, or leaves a file out."""

from datetime import timedelta

import pytest

from tests.support.claims import FIRST, Nights
from tests.support.trees import file, native

ODD = [
    "0001-01-01T00:00:00.000Z",
    "1970-01-01T00:00:00Z",
    "2099-01-01T00:00:00.000Z",
    "9999-12-31T23:59:59.999Z",
    "soon",
]
FUTURE = "2099-01-01T00:00:00.000Z"


def keep(drive, ident):
    for resource, _ in drive.past[ident]:
        resource["keepForever"] = True


@pytest.mark.parametrize("kind", [file, native])
@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("kept", [False, True])
async def test_the_head_is_saved_whatever_its_time(kind, odd, kept):
    nights = Nights(kind("f", content=b"first", id="f"))
    await nights.night()
    nights.people()
    nights.drive.write("f", b"second", odd)
    if kept:
        keep(nights.drive, "f")
    row = (await nights.night())["f"]
    assert row["data"] == b"second"
    assert row["fidelity"] == "head-later"
    assert "modified time of it" in row["message"]
    # A snapshot of before has it as it is now: that proves what the time does not.
    row = (await nights.night())["f"]
    assert (row["data"], row["fidelity"], row["message"]) == (b"second", "exact", None)


@pytest.mark.parametrize("odd", ODD[2:])
async def test_a_time_in_the_future_is_doubtful_in_a_first_run_alone(odd):
    nights = Nights(file("f", b"f", id="f", modifiedTime=odd))
    first, second = await nights.night(), await nights.night()
    assert (first["f"]["fidelity"], second["f"]["fidelity"]) == ("head-later", "exact")
    assert first["f"]["data"] == second["f"]["data"] == b"f"
    assert not any(call.startswith("revisions") for call in nights.drive.calls)


async def test_shared_or_renamed_it_is_still_known_by_what_was_read():
    nights = Nights(file("f", b"f", id="f", modifiedTime=FUTURE))
    await nights.night()
    nights.people()
    nights.drive.change("f", name="g")
    assert (await nights.night())["f"]["fidelity"] == "exact"


async def test_another_content_of_the_same_time_is_another_version():
    nights = Nights(file("f", b"first", id="f"))
    time = nights.drive.items["f"]["modifiedTime"]
    await nights.night()
    nights.people()
    nights.drive.write("f", b"other", time)
    row = (await nights.night())["f"]
    assert (row["data"], row["fidelity"]) == (b"other", "head-later")
    assert "read another version of it later" in row["message"]
    assert (await nights.night())["f"]["fidelity"] == "exact"


async def test_content_that_returns_with_its_old_time_is_saved_as_what_it_is():
    nights = Nights(file("f", b"first", id="f"))
    time = nights.drive.items["f"]["modifiedTime"]
    await nights.night()
    nights.people()
    nights.drive.write("f", b"second", nights.drive.now.isoformat())
    assert (await nights.night())["f"]["fidelity"] == "exact"
    nights.people()
    nights.drive.write("f", b"first", time)
    row = (await nights.night())["f"]
    assert (row["data"], row["fidelity"]) == (b"first", "head-later")
    row = (await nights.night())["f"]
    assert (row["data"], row["fidelity"]) == (b"first", "exact")
    assert len(nights.backup.contents()) == 2


async def test_a_version_that_was_not_there_yet_is_not_that_of_an_instant():
    """Its client says that it is of February; it came on the 3rd, for on the 2nd another one was read."""
    nights = Nights(file("f", b"first", id="f"))
    await nights.night()
    await nights.night()
    nights.people(18)
    nights.drive.write("f", b"second", "2026-02-20T08:00:00.000Z")
    await nights.night()
    nights.people()
    nights.drive.write("f", b"third", nights.drive.now.isoformat())
    nights.drive.past.clear()
    nights.backup.clock.set(FIRST + timedelta(days=5))
    row = (await nights.rows(await nights.backup.run("2026-03-02T06:00")))["f"]
    assert (row["data"], row["fidelity"]) == (b"third", "head-later")


async def test_a_file_that_was_there_before_is_not_left_out_because_it_says_that_it_was_made_later():
    nights = Nights(file("f", b"f", id="f", createdTime="2026-03-03T00:05:00.000Z"))
    for _ in range(4):
        assert (await nights.night())["f"]["data"] == b"f"


async def test_a_file_that_was_made_between_the_instant_and_the_listing_is_in_the_next_one():
    nights = Nights(file("f", b"f", id="f"))
    await nights.night()
    nights.drive.add(file("g", b"g", id="g", createdTime="2026-03-02T00:05:00.000Z"))
    assert "g" not in await nights.night()
    assert nights.summary["left_out"]["created_later"] == 1
    assert "g" in await nights.night()


@pytest.mark.parametrize(
    "time", ["2026-02-01T08:00:00.000Z", "2026-02-20T08:00:00.000Z", "2026-01-01T08:00:00.000Z", "soon"]
)
async def test_what_changes_while_it_is_read_is_later_whatever_its_time(time):
    nights = Nights(file("f", b"first", id="f"))

    def change(ident):
        nights.drive.before_read = None
        nights.drive.write(ident, b"second", time)

    nights.drive.before_read = change
    row = (await nights.night())["f"]
    assert (row["data"], row["fidelity"]) == (b"second", "head-later")


async def test_a_time_that_was_in_the_future_hides_nothing_when_it_comes():
    """Between the instant and the listing the time is no longer in the future, and looks like a change."""
    nights = Nights(file("f", b"first", id="f"))
    await nights.night()
    nights.people()
    nights.drive.write("f", b"second", "2026-03-04T00:05:00.000Z")
    keep(nights.drive, "f")
    for _ in range(4):
        row = (await nights.night())["f"]
        assert row["data"] == b"second"
    assert row["fidelity"] == "exact"


LONG_AGO = "2026-02-20T08:00:00.000Z"
#: After the first version was read in the first night, and before two more nights had it unchanged.
MEANWHILE = "2026-03-01T06:00:00.000Z"
DISPROVED = "the backup read another version of it later than that"


async def three_nights():
    nights = Nights(file("f", b"first", id="f"))
    for _ in range(3):
        await nights.night()
    return nights


@pytest.mark.parametrize("old", [LONG_AGO, MEANWHILE])
async def test_what_came_between_the_instant_and_the_listing_is_not_exact_whatever_its_time_says(old):
    nights = await three_nights()
    nights.people(24.1)
    nights.drive.write("f", b"second", old)
    row = (await nights.night())["f"]
    assert (row["data"], row["fidelity"]) == (b"second", "head-later")
    assert DISPROVED in row["message"]
    row = (await nights.night())["f"]
    assert (row["data"], row["fidelity"]) == (b"second", "exact")


async def test_what_has_the_bytes_of_another_file_is_not_exact_either():
    nights = Nights(file("f", b"first", id="f"), file("g", b"second", id="g"))
    for _ in range(3):
        await nights.night()
    nights.people(24.1)
    nights.drive.write("f", b"second", MEANWHILE)
    row = (await nights.night())["f"]
    assert (row["data"], row["fidelity"], row["outcome"]) == (b"second", "head-later", "known")


@pytest.mark.parametrize("old", [LONG_AGO, MEANWHILE])
@pytest.mark.parametrize("kept", [False, True], ids=["revisions lost", "revisions kept"])
@pytest.mark.parametrize("now", ["as it was", "gone", "renamed", "changed"])
@pytest.mark.parametrize("nights_after", ["none", "two", "one forgotten"])
async def test_a_backfill_does_not_take_a_version_for_that_of_the_instant_when_a_snapshot_before_had_another(
    old, kept, now, nights_after
):
    nights = await three_nights()
    nights.people(12)
    nights.drive.write("f", b"second", old)
    if nights_after != "none":
        first = (await nights.night(), nights.summary["manifest"])[1]
        await nights.night()
        if nights_after == "one forgotten":
            for name in [name for name in nights.backup.store.blobs if name.startswith(first.rpartition("/")[0])]:
                del nights.backup.store.blobs[name]
    nights.people(15)
    if now == "gone":
        nights.drive.delete("f")
    elif now == "renamed":
        nights.drive.change("f", name="g")
    elif now == "changed":
        nights.drive.write("f", b"third", nights.drive.now.isoformat())
    if kept:
        keep(nights.drive, "f")
    else:
        nights.drive.past.clear()
    nights.backup.clock.set(FIRST + timedelta(days=6))
    row = (await nights.rows(await nights.backup.run("2026-03-03T06:00")))["f"]
    if row["data"] != b"first":
        assert row["fidelity"] == "head-later"
        assert row["message"]

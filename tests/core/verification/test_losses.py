"""Each loss is reported loudly once, and each time while a reader of today would miss what is lost."""

import hashlib
import itertools
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from include.drive_backup.damage import Damaged
from include.drive_backup.manifest.repository import SnapshotRepository
from include.drive_backup.model import Series, Source
from include.drive_backup.verification.group import check_group, keep, tell
from include.drive_backup.verification.run import choose, verify_source
from tests.core.retention.house import House
from tests.support.examples import share_of
from tests.support.fake_clock import FakeClock
from tests.support.fake_drive import FakeDrive, at
from tests.support.flow import Backup
from tests.support.trees import file, native

ANN = Source.parse("user/ann@example.com")
FORMATS = {"document": ["docx"]}


class Container:
    """A Drive of two files and a document, its backups, what happens to them, and what verification has to say."""

    def __init__(self, clock="each write"):
        files = file("a.txt", b"first", id="a"), file("b.txt", b"b", id="b")
        self.backup = Backup(FakeDrive(*files, native("p", content=b"docx", id="p")))
        self.store = self.backup.store
        if clock == "frozen":
            # Everything happens in one second.
            self.store.clock = FakeClock(at("2026-03-01"))
        self.days = itertools.count(1)
        self.tags = itertools.count(1)
        self.kept = {}

    async def back_up(self):
        day = at("2026-03-01") + timedelta(days=next(self.days))
        self.backup.clock.set(day + timedelta(minutes=10))
        return await self.backup.run(f"{day:%Y-%m-%d}", formats=FORMATS)

    async def verify(self, depth="listing", which="all"):
        names = await choose(self.store, ANN, which)
        found = await verify_source(self.store, names, depth, now=at("2026-03-02"))
        return [damage for damage in found.damages if damage.alarming]

    def blob(self, part):
        return min(name for name in self.store.blobs if part in name)

    def lose(self, part):
        name = self.blob(part)
        self.kept[part] = name, self.store.blobs.pop(name)

    def put_back(self, part):
        """As from soft delete: with all its properties."""
        name, blob = self.kept.pop(part)
        self.store.blobs[name] = blob

    def overwrite(self, part, data, *, lying=False, modified="2026-03-02"):
        name = self.blob(part)
        before, info = self.store.blobs[name]
        self.kept.setdefault(part, (name, (before, info)))
        told = {} if lying else {"size": len(data), "md5": hashlib.md5(data).hexdigest()}
        moved = {"modified": at(modified), "etag": f"0x{next(self.tags)}"}
        self.store.blobs[name] = (data, replace(info, **told, **moved))


CLOCKS = pytest.mark.parametrize("clock", ["each write", "frozen"])


async def old_content(clock="each write"):
    """A file's first version, which only the first snapshot has."""
    made = Container(clock)
    await made.back_up()
    made.backup.drive.write("a", b"second", "2026-03-01T12:00:00.000Z")
    await made.back_up()
    return made


@CLOCKS
async def test_the_second_loss_of_a_content_that_a_backup_had_copied_again_is_reported(clock):
    made = Container(clock)
    await made.back_up()
    made.lose("/a.txt/")
    assert len(await made.verify()) == 1
    await made.back_up()
    assert not [name for name in made.store.blobs if "-found." in name]
    # No reader of today misses it, and no verification has seen it again.
    made.backup.drive.write("a", b"second", "2026-03-01T12:00:00.000Z")
    await made.back_up()
    made.lose("/a.txt/")
    [damage] = await made.verify()
    assert (damage.wrong, damage.current) == ("missing", False)
    assert await made.verify() == []


@CLOCKS
@pytest.mark.parametrize("part", ["/a.txt/", "0303T000000.000Z/items-00000"])
async def test_the_second_loss_of_what_a_verification_had_seen_again_is_reported(clock, part):
    made = await old_content(clock)
    await made.back_up()
    if part != "/a.txt/":
        part = next(name for name in made.store.blobs if name.endswith("items-00000.parquet"))
    for _ in range(3):
        made.lose(part)
        assert [damage.wrong for damage in await made.verify()] == ["missing"]
        for _ in range(2):
            assert await made.verify() == []
        made.put_back(part)
        assert await made.verify() == []


@CLOCKS
async def test_a_loss_that_is_known_stays_known_whatever_snapshots_come_that_do_not_have_it(clock):
    made = await old_content(clock)
    made.lose("/a.txt/")
    assert len(await made.verify()) == 1
    for _ in range(3):
        await made.back_up()
        assert await made.verify() == []


async def test_a_loss_that_is_found_when_its_snapshot_was_the_last_thing_written_is_known_when_it_is_old():
    made = Container()
    await made.back_up()
    made.lose("/a.txt/")
    assert len(await made.verify()) == 1
    made.backup.drive.delete("a")
    await made.back_up()
    assert await made.verify() == []


@pytest.mark.parametrize("lying", [False, True])
async def test_a_blob_damaged_and_put_right_and_damaged_in_one_second_is_reported_twice(lying):
    made = await old_content()
    for data in (b"wrong", b"other"):
        made.overwrite("/a.txt/", data, lying=lying)
        assert len(await made.verify("all")) == 1
        assert await made.verify("all") == []
        made.put_back("/a.txt/")
        assert await made.verify("all") == []


@pytest.mark.parametrize("lying", [False, True])
async def test_a_sound_blob_that_was_uploaded_again_is_used_again(lying):
    made = Container()
    await made.back_up()
    made.overwrite("/a.txt/", b"wrong", lying=lying)
    assert len(await made.verify("all")) == 1
    made.overwrite("/a.txt/", b"first", modified="2026-03-03")
    assert await made.verify() == []
    summary = await made.back_up()
    assert (summary["status"], summary["counts"].get("copied", 0)) == ("complete", 0)
    assert len(made.backup.contents()) == 3
    # But not for ever: what it holds is read at each verification, as of each blob that once held something else.
    made.overwrite("/a.txt/", b"WRONG", lying=True, modified="2026-03-04")
    [damage] = await made.verify()
    assert damage.wrong == "bytes"


async def test_what_was_damaged_and_is_deleted_is_copied_again_under_its_own_name():
    made = Container()
    await made.back_up()
    made.overwrite("/a.txt/", b"wrong", lying=True)
    assert len(await made.verify("all")) == 1
    before = made.blob("/a.txt/")
    made.lose("/a.txt/")
    await made.back_up()
    assert made.blob("/a.txt/") == before
    assert await made.verify("all") == []


async def test_an_export_that_was_made_once_more_does_not_bring_back_the_one_before():
    made = Container()
    await made.back_up()
    made.lose("/p/")
    assert len(await made.verify()) == 1
    made.backup.drive.contents["p"] = b"another docx"
    await made.back_up()
    for _ in range(3):
        assert await made.verify() == []
    assert not [name for name in made.store.blobs if "-found." in name]


async def test_a_report_that_is_cleared_says_the_same_of_a_second_loss():
    made = await old_content()
    await made.back_up()
    settled = {"depth": "listing", "period": 28, "now": at("2026-03-02"), "batch_bytes": 10**6, "max_batches": 3}
    made.lose("/a.txt/")
    for run, known in (("1", False), ("2", True)):
        checked = await check_group(made.store, [str(ANN)], run=run, at="all", **settled)
        for _ in range(2):
            damages = await tell(made.store, [checked.found])
            assert [damage.known for damage in damages] == [known]
            await keep(made.store, damages, [checked], whole=True)
    made.put_back("/a.txt/")
    await check_group(made.store, [str(ANN)], run="3", at="all", **settled)
    made.lose("/a.txt/")
    checked = await check_group(made.store, [str(ANN)], run="4", at="all", **settled)
    for _ in range(2):
        damages = await tell(made.store, [checked.found])
        assert [damage.known for damage in damages] == [False]
        await keep(made.store, damages, [checked], whole=True)


STEPS = st.lists(
    st.sampled_from(["lose", "put back", "write and back up", "back up", "verify"]), min_size=10, max_size=25
)


class Ledger:
    """What must be reported, made of what was done alone: which content is lost, and which loss was reported."""

    def __init__(self, made):
        self.made = made
        self.reported = set()

    async def expected(self):
        """Blobs by name that are missing and that some snapshot has; and those that a reader of today misses."""
        repository, old, today = SnapshotRepository(self.made.store), set(), set()
        names = await repository.names(ANN)
        for name in names:
            rows = await self.made.backup.rows({"manifest": name.manifest})
            blobs = {content["blob"] for row in rows.values() for content in row["contents"]}
            old |= blobs
            if name == names[-1]:
                today = blobs
        lost = {blob for blob in old if blob not in self.made.store.blobs}
        return lost, lost & today


@settings(max_examples=share_of(40), deadline=None)
@given(steps=STEPS, clock=st.sampled_from(["each write", "frozen"]))
async def test_after_any_history_each_loss_is_reported_once_and_each_time_while_it_matters(steps, clock):
    made = Container(clock)
    ledger, numbers, kept = Ledger(made), itertools.count(1), {}
    await made.back_up()
    for step in [*steps, "verify", "verify"]:
        mine = [name for name in made.backup.contents() if "/a.txt/" in name]
        if step == "lose" and mine:
            kept[mine[0]] = made.store.blobs.pop(mine[0])
        elif step == "put back":
            for name in list(kept):
                made.store.blobs.setdefault(name, kept.pop(name))
        elif "back up" in step:
            if "write" in step:
                moment = at("2026-02-01") + timedelta(minutes=next(numbers))
                made.backup.drive.write("a", f"{moment}".encode(), moment.isoformat())
            before = set(made.backup.contents())
            summary = await made.back_up()
            assert summary["status"] == "complete"
            # A snapshot proves that what it refers to was there. So does the verification below.
            rows = await made.backup.rows(summary)
            ledger.reported -= {content["blob"] for row in rows.values() for content in row["contents"]}
            assert before <= set(made.backup.contents())
        elif step == "verify":
            lost, today = await ledger.expected()
            ledger.reported &= lost
            alarms = {damage.blob for damage in await made.verify()}
            assert alarms == (lost - ledger.reported) | today
            ledger.reported |= lost


@settings(max_examples=share_of(30), deadline=None)
@given(data=st.data())
async def test_records_of_any_name_are_passed_over(data):
    damaged = Damaged()
    damaged.add(data.draw(st.text() | st.from_regex(r"damaged/user/a/[a-f0-9]*-[a-f0-9]*-(missing|found)[.0-9]*.json")))
    assert damaged.open_loss("content/user/a/b") is None


async def test_a_loss_in_a_narrowed_series_alarms_once_as_no_later_snapshot_of_it_makes_it_good():
    house = House()
    await house.back_up()
    await house.backup.run("2026-03-01T12:00", series=Series.narrowed_name("default", "x"))
    old = set(house.backup.contents())
    house.tomorrow()
    await house.back_up(*range(12))
    house.tomorrow()
    house.store.blobs.pop(min(old))
    alarming = []
    for _ in range(2):
        names = await choose(house.store, ANN)
        verified = await verify_source(house.store, names, "listing", now=house.backup.clock.now())
        assert len(verified.damages) == 1
        alarming.append([damage.alarming for damage in verified.damages])
    assert alarming == [[True], [False]]

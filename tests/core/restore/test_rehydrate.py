"""What is archived comes back: looked for, asked for once, waited for, and never a traceback."""

import asyncio
from datetime import UTC, datetime

import pytest
from msgspec.structs import replace

from include.drive_backup.manifest.repository import SnapshotRepository
from include.drive_backup.model import Source
from include.drive_backup.restore import rehydrate
from include.drive_backup.restore.local import LocalFolder
from include.drive_backup.restore.naming import local_names
from include.drive_backup.restore.rehydrate import (
    archived_among,
    ask,
    bring_online,
    contents_of,
    notice,
    read_names,
    settle,
    write_names,
)
from include.drive_backup.restore.run import restore
from include.drive_backup.restore.selection import Selection, select
from include.drive_backup.verification.drill import drill
from include.drive_backup.verification.run import choose, verify_source
from tests.support.fake_clock import FakeClock
from tests.support.fake_drive import FakeDrive
from tests.support.flow import Backup
from tests.support.memory_blob import MemoryBlobStore
from tests.support.trees import file, folder

ANN = Source.parse("user/ann@example.com")


@pytest.fixture
async def backup():
    made = Backup(FakeDrive(folder("Old", file("a.txt", b"aa", id="a"), id="old"), file("b.txt", b"bbb", id="b")))
    await made.run()
    return made


@pytest.fixture
async def old(backup):
    """The blob of the one file that is archived."""
    [name] = [name for name in backup.contents() if "/Old/" in name]
    await backup.store.set_tier([name], "archive")
    return name


async def wanted_of(store, **selection):
    manifest = await SnapshotRepository(store).find(ANN)
    return manifest, await select(store, manifest, Selection(**selection))


async def bring_back(store, root):
    manifest, wanted = await wanted_of(store)
    results = []
    counts = await restore(
        store, manifest, wanted, LocalFolder(root, local_names(wanted.values()), store), results.append
    )
    return counts, {result.path: result for result in results}


class Hours(FakeClock):
    """A clock by which rehydration takes some looks."""

    def __init__(self, store, looks):
        super().__init__(datetime(2026, 3, 2, tzinfo=UTC))
        self.store, self.looks = store, looks

    async def sleep(self, seconds):
        await super().sleep(seconds)
        self.looks -= 1
        if self.looks == 0:
            self.store.rehydrate()


async def test_only_what_is_selected_is_looked_for(backup, old):
    assert await contents_of(backup.store, *await wanted_of(backup.store)) == set(backup.contents())
    names = await contents_of(backup.store, *await wanted_of(backup.store, paths=("b.txt",)))
    assert old not in names
    assert await archived_among(backup.store, names) == []


@pytest.mark.parametrize("heads", [0, 100])
async def test_a_listing_says_the_same_as_single_looks(backup, old, heads, monkeypatch):
    monkeypatch.setattr(rehydrate, "_HEADS", heads)
    names = [*backup.contents(), f"{old}-missing"]
    assert [info.name for info in await archived_among(backup.store, names)] == [old]
    assert backup.store.calls["head"] == 0 or heads
    assert await archived_among(backup.store, [old]) != []


async def test_an_archived_file_is_a_row_and_the_others_come_back(backup, old, tmp_path):
    for reason in ("BlobArchived", "BlobBeingRehydrated"):
        counts, results = await bring_back(backup.store, tmp_path / reason)
        assert (results["Old/a.txt"].outcome, results["Old/a.txt"].reason) == ("failed", reason)
        assert (tmp_path / reason / "b.txt").read_bytes() == b"bbb"
        assert counts["failed"] == 1
        assert list((tmp_path / reason / "Old").iterdir()) == []
        await ask(backup.store, await archived_among(backup.store, [old]), "standard")


async def test_it_asks_waits_and_then_everything_comes_back(backup, old, tmp_path):
    clock, seen = Hours(backup.store, looks=9), []
    refused = await bring_online(
        backup.store,
        backup.contents(),
        "high",
        clock,
        progress=lambda left: seen.append([info.rehydrating for info in left]),
    )
    assert refused == {}
    assert backup.store.calls["tier"] == 2  # one made it archived, one asked for it back
    assert seen == [[False], *[[True]] * 8]
    assert clock.slept == [1, 2, 4, 8, 16, 32, 60, 60, 60]
    assert backup.store.blobs[old][1].tier == "hot"
    counts, _ = await bring_back(backup.store, tmp_path)
    assert counts["failed"] == 0
    assert (tmp_path / "Old/a.txt").read_bytes() == b"aa"


async def test_the_priority_is_the_one_that_was_asked_for(backup, old):
    await ask(backup.store, await archived_among(backup.store, [old]), "high")
    assert backup.store.pending == {old: ("hot", "high")}
    assert await ask(backup.store, await archived_among(backup.store, [old]), "standard") == {}
    assert backup.store.pending == {old: ("hot", "high")}


async def test_what_is_archived_anew_meanwhile_is_asked_for_again(backup, old):
    clock = Hours(backup.store, looks=2)
    looked = 0

    def progress(_):
        nonlocal looked
        looked += 1
        if looked == 2:
            data, info = backup.store.blobs[old]
            backup.store.pending.clear()
            backup.store.blobs[old] = (data, replace(info, rehydrating=False))
            clock.looks = 3

    await asyncio.wait_for(bring_online(backup.store, [old], "standard", clock, progress=progress), 5)
    assert backup.store.blobs[old][1].tier == "hot"


async def test_what_the_service_will_not_rehydrate_is_not_waited_for(backup, old):
    backup.store.fixed = {old}
    refused = await asyncio.wait_for(bring_online(backup.store, [old], "standard", Hours(backup.store, 1)), 5)
    assert refused[old].reason == "BlobImmutableDueToPolicy"


async def test_nothing_archived_means_no_waiting(backup):
    clock = Hours(backup.store, 1)
    assert await bring_online(backup.store, backup.contents(), "standard", clock) == {}
    await settle(backup.store, [], clock, every=300)
    assert (clock.slept, backup.store.calls["tier"]) == ([], 0)


async def test_settling_ends_when_nothing_is_on_its_way(backup, old):
    await ask(backup.store, await archived_among(backup.store, [old]), "standard")
    clock = Hours(backup.store, 7)
    await settle(backup.store, backup.contents(), clock, every=300)
    assert clock.slept == [10, 20, 40, 80, 160, 300, 300]


async def test_names_are_written_down_and_read_again(monkeypatch):
    store = MemoryBlobStore()
    for number, names in enumerate(([], ["content/ä/1", "content/😀"])):
        parts = await write_names(store, f"work/{number}-", names)
        assert await read_names(store, f"work/{number}-", parts) == names


async def test_the_notice_says_how_much_how_long_and_that_it_costs(backup, old):
    archived = await archived_among(backup.store, [old])
    assert notice(archived, "standard").startswith("In the archive tier: 1 file, 2 B. That has to be rehydrated")
    assert "up to 15 hours. Azure bills it" in notice(archived, "standard")
    await ask(backup.store, archived, "standard")
    assert "1 of them on their way already" in notice(await archived_among(backup.store, [old]), "standard")


@pytest.mark.parametrize("pending", [False, True])
async def test_verification_checks_archived_content_by_its_listing_and_says_what_it_did_not_read(backup, old, pending):
    if pending:
        await ask(backup.store, await archived_among(backup.store, [old]), "standard")
    names = await choose(backup.store, ANN)
    verified = await verify_source(backup.store, names, "all", now=backup.clock.now())
    assert (verified.read.blobs, verified.read.archived, verified.damages) == (1, 1, ())
    del backup.store.blobs[old]
    verified = await verify_source(backup.store, names, "all", now=backup.clock.now())
    assert [damage.wrong for damage in verified.damages] == ["missing"]


async def test_a_drill_leaves_archived_content_out_and_says_how_much(backup, old, tmp_path):
    manifest, _ = await wanted_of(backup.store)
    done = await drill(backup.store, manifest, tmp_path, drive=backup.drive, seed="x", most_bytes=1_000, most_files=10)
    assert (done.counts["archived"], done.problems) == (1, ())
    assert "1 archived" in str(done)


@pytest.mark.parametrize("tier", [None, "cool", "archive"])
async def test_content_is_written_to_its_tier_and_nothing_else(tier, monkeypatch):
    """Small content in one request, large content in blocks; the snapshot stays where it can be read."""
    monkeypatch.setattr("include.drive_backup.transfer.upload.BLOCK_SIZE", 1024**2)
    monkeypatch.setattr("include.drive_backup.transfer.upload.block_size.__defaults__", (1024**2,))
    made = Backup(FakeDrive(file("small", b"x"), file("large", b"y" * (3 * 1024**2 + 5)), file("empty", b"")))
    plan, batches = await made.plan()
    for batch in batches:
        await made.copy(batch, tier=tier)
    summary = await made.commit(plan)
    assert summary["status"] == "complete"
    assert made.store.calls["commit"] == 1
    assert {made.store.blobs[name][1].tier for name in made.contents()} == {tier or "hot"}
    others = [info for name, (_, info) in made.store.blobs.items() if not name.startswith("content/")]
    assert {info.tier for info in others} == {"hot"}
    # A further run meets its own content in whatever tier.
    assert (await made.run("2026-03-02", mode="full"))["status"] == "complete"


async def test_a_further_try_of_a_batch_knows_what_the_first_one_archived():
    made = Backup(FakeDrive(file("a", b"x"), file("b", b"y")))
    plan, [batch] = await made.plan()
    await made.copy(batch, tier="archive")
    again = await made.copy(batch, resume=True, tier="archive")
    assert (again["stored"], again["downloaded"]) == (2, 0)
    assert (await made.commit(plan))["status"] == "complete"

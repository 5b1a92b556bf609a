"""All at once, between real servers: what arrives is right, once, or a row says why not."""

import asyncio
import hashlib
import json
import random
import sys

import pytest

from include.drive_backup.transfer import ranges
from include.drive_backup.transfer.ranges import ranges_of
from include.drive_backup.transfer.upload import MIB
from include.local_cloud.drive.faults import Rule
from tests.support.local_drive import LocalDrive
from tests.support.real_world import real_world

pytestmark = pytest.mark.integration
MEDIA = ["files.get.media"]
LARGE = 5 * MIB + 1000


@pytest.fixture
def small_ranges(monkeypatch):
    """Of a MiB: the same course with fewer bytes."""
    monkeypatch.setattr(ranges, "RANGE", MIB)
    monkeypatch.setattr(ranges, "BLOCK", MIB // 4)
    monkeypatch.setattr(ranges, "FROM", 2 * MIB)


def drive(small=60, large=0, size=LARGE):
    local, contents = LocalDrive(), {}
    for number in range(small):
        content = random.Random(number).randbytes(500 + number)
        contents[local.file(f"{number}.bin", content=content).id] = content
    for number in range(large):
        content = random.Random(-number).randbytes(size + number)
        contents[local.file(f"large {number}.bin", content=content).id] = content
    return local, contents


async def check(world, plan, contents):
    """The snapshot is complete and true, and nothing is there twice."""
    summary = await world.backup.commit(plan)
    assert summary["status"] == "complete"
    assert {ident: md5(data) for ident, data in (await world.backup.restored(summary)).items()} == {
        ident: md5(data) for ident, data in contents.items()
    }
    stored = [info.name async for info in world.backup.store.list("content/")]
    assert len(stored) == len(contents)


def md5(data):
    return hashlib.md5(data).hexdigest()


@pytest.mark.usefixtures("small_ranges")
async def test_everything_goes_wrong_now_and_then(azurite):
    local, contents = drive(80, large=1)
    dice = random.Random(1)
    blob_faults = ["503", "500", "cut", "lost", "lost", "hang"]
    async with real_world(local, azurite) as world:
        plan, (batch,) = await world.backup.plan()
        local.server.service.faults.rules += [
            *(Rule(kind=kind, routes=MEDIA, rate=0.04, at=400, seconds=2) for kind in ("cut", "corrupt", "stall")),
            Rule(kind="error", rate=0.04, routes=MEDIA, status=403, reason="userRateLimitExceeded"),
            Rule(kind="html", rate=0.04, routes=MEDIA, status=502),
            Rule(kind="hang", rate=0.02, routes=MEDIA, seconds=2),
        ]
        world.proxy.pick = lambda request: dice.choice(blob_faults) if dice.random() < 0.12 else None
        await world.until_done(batch, in_flight=16)
        local.server.service.faults.rules.clear()
        world.proxy.pick = lambda request: None
        assert len(world.proxy.struck) >= 4
        await check(world, plan, contents)


@pytest.mark.usefixtures("small_ranges")
@pytest.mark.parametrize("kind", ["cut", "corrupt", "stall"])
async def test_a_range_of_a_large_file_breaks(azurite, kind):
    local, contents = drive(0, large=1)
    async with real_world(local, azurite) as world:
        plan, (batch,) = await world.backup.plan()
        rule = Rule(kind=kind, routes=MEDIA, count=2, at=900_000, seconds=2)
        local.server.service.faults.rules.append(rule)
        assert await world.until_done(batch) == 1
        # A range that came whole with a wrong bit shows only in the checksum of the file.
        reads = 2 * ranges_of(LARGE) if kind == "corrupt" else ranges_of(LARGE) + 2
        assert local.calls("files.get.media") == reads
        await check(world, plan, contents)


@pytest.mark.usefixtures("small_ranges")
@pytest.mark.parametrize("fault", ["503", "500", "cut", "lost", "hang"])
async def test_blocks_and_blobs_meet_every_fault_once(azurite, fault):
    local, contents = drive(5, large=1)
    met = set()

    def once(request):
        what = (request.method, request.path, request.query.get("blockid"))
        return None if request.method != "PUT" or what in met else met.add(what) or fault

    async with real_world(local, azurite) as world:
        plan, (batch,) = await world.backup.plan()
        world.proxy.pick = once
        assert await world.until_done(batch) == 1
        world.proxy.pick = lambda request: None
        assert world.proxy.struck[fault] > 8
        await check(world, plan, contents)


@pytest.mark.parametrize(
    "code", ["BlobImmutableDueToPolicy", "BlobArchived", "LeaseAlreadyPresent", "SnapshotsPresent"]
)
async def test_a_conflict_that_is_no_name_in_use_is_a_row_and_the_others_go_on(azurite, code):
    local, _ = drive(5)
    async with real_world(local, azurite) as world:
        plan, (batch,) = await world.backup.plan()
        world.proxy.pick = lambda request: code if "/3.bin/" in request.path else None
        with pytest.raises(Exception, match="1 of 5 files"):
            await world.backup.copy(batch)
        summary = await world.backup.commit(plan)
        rows = {row["name"]: row for row in (await world.backup.rows(summary)).values()}
        assert summary["status"] == "partial"
        assert (rows["3.bin"]["outcome"], rows["3.bin"]["reason"]) == ("failed", code)
        assert [row["outcome"] for row in rows.values()].count("copied") == 4


async def test_the_token_ends_in_the_middle(azurite):
    local, contents = drive(40)
    async with real_world(local, azurite) as world:
        plan, (batch,) = await world.backup.plan()
        seen = []

        def progress(result):
            seen.append(result)
            if len(seen) % 15 == 0:
                local.server.service.tokens.revoke_all()

        assert await world.until_done(batch, progress=progress) == 1
        assert world.tokens.renewals >= 2
        await check(world, plan, contents)


async def test_small_files_cost_one_request_in_and_one_out(azurite):
    local, contents = drive(60)
    async with real_world(local, azurite) as world:
        plan, (batch,) = await world.backup.plan()
        calls, asked = local.server.service.stats.calls.total(), []
        world.proxy.pick = lambda request: asked.append((request.method, request.path))
        await world.backup.copy(batch, in_flight=16)
        assert local.server.service.stats.calls.total() - calls == 60
        about_files = [each for each in asked if "/content/" in each[1]]
        assert len(about_files) == len(set(about_files)) == 60
        assert {method for method, _ in about_files} == {"PUT"}
        assert len([path for _, path in asked if "/results/" in path]) < 30
        await check(world, plan, contents)


async def test_killed_twenty_times(azurite, tmp_path):
    local, contents = drive(120, large=1, size=ranges.FROM + 1000)
    async with real_world(local, azurite) as world:
        local.server.service.faults.settings.media_latency_ms = 30
        plan, (batch,) = await world.backup.plan()
        token, store = await world.tokens.token(), world.backup.store
        (tmp_path / "batch.json").write_text(json.dumps(batch.to_dict()))
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.support.killed_copies", "--drive", local.server.url),
            *("--token", token, "--blob", azurite, "--container", store.container),
            *("--batch", str(tmp_path / "batch.json"), "--kills", "20"),
        )
        assert await asyncio.wait_for(process.wait(), 200) == 0
        await check(world, plan, contents)

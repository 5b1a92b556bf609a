"""What verification says after each kind of damage, and that the next backup makes up for it."""

import hashlib
import json

import pytest
from msgspec.structs import replace

from include.drive_backup.model import Source
from include.drive_backup.verification.run import choose, verify_source
from tests.support.fake_drive import FakeDrive, at
from tests.support.flow import Backup
from tests.support.trees import file, folder, native

ANN = Source.parse("user/ann@example.com")
FORMATS = {"document": ["docx"]}


@pytest.fixture
async def backup():
    drive = FakeDrive(
        folder("Reports", file("a.txt", b"first", id="a"), file("b.txt", b"other", id="b"), id="reports"),
        native("Plan", content=b"docx bytes", id="plan"),
    )
    made = Backup(drive)
    await made.run("2026-03-01", formats=FORMATS, save=("comments",))
    return made


async def verify(backup, depth="all", now="2026-03-02", at_="all", **settings):
    names = await choose(backup.store, ANN, at_)
    return await verify_source(backup.store, names, depth, now=at(now), **settings)


async def again(backup, instant="2026-03-05"):
    backup.clock.set(at(f"{instant}T00:10"))
    return await backup.run(instant, formats=FORMATS)


def blob_of(backup, name):
    [blob] = [each for each in backup.contents() if f"/{name}/" in each]
    return blob


def overwrite(backup, blob, data, **properties):
    """As somebody with the key of the account can, with any property he likes."""
    _, info = backup.store.blobs[blob]
    told = {"size": len(data), "md5": hashlib.md5(data).hexdigest(), "modified": at("2026-03-02"), **properties}
    backup.store.blobs[blob] = (data, replace(info, **told))


async def test_a_sound_backup_is_said_to_be_sound(backup):
    await again(backup)
    verified = await verify(backup)
    assert verified.damages == ()
    assert (verified.checked.snapshots, verified.checked.references, verified.checked.blobs) == (2, 6, 3)
    assert (verified.read.blobs, verified.read.bytes) == (3, verified.checked.bytes)


async def test_a_deleted_blob_is_named_and_copied_again(backup):
    del backup.store.blobs[blob_of(backup, "a.txt")]
    [damage] = (await verify(backup, "listing")).damages
    assert (damage.wrong, damage.item_id, damage.path) == ("missing", "a", "/Reports/a.txt")
    assert damage.snapshots == ("20260301T000000.000Z",)
    assert damage.alarming
    assert "next backup copies it again" in str(damage)
    assert (await again(backup))["status"] == "complete"
    # The same bytes under the same name: also the older snapshot is whole again.
    assert (await verify(backup)).damages == ()


@pytest.mark.parametrize("keeps_metadata", [True, False])
@pytest.mark.parametrize("data", [b"firs", b"FIRST", b""])
async def test_a_blob_that_is_overwritten_is_named_and_copied_beside(backup, data, keeps_metadata):
    blob = blob_of(backup, "a.txt")
    overwrite(backup, blob, data, **({} if keeps_metadata else {"metadata": {}}))
    [damage] = (await verify(backup, "listing")).damages
    assert (damage.wrong, damage.item_id) == ("md5" if len(data) == 5 else "length", "a")
    assert damage.current
    summary = await again(backup)
    assert (summary["status"], summary["counts"]["copied"]) == ("complete", 1)
    assert (await backup.restored(summary))["a"] == b"first"
    assert backup.store.blobs[blob][0] == data

    [damage] = (await verify(backup)).damages
    assert (damage.known, damage.current, damage.alarming) == (True, False, False)
    assert (damage.replaced, damage.saved) == ("20260305T000000.000Z", True)
    assert "holds the same bytes in another blob" in str(damage)
    assert (await again(backup, "2026-03-06"))["counts"].get("copied", 0) == 0


async def test_what_a_listing_cannot_show_is_found_by_reading(backup):
    blob = blob_of(backup, "a.txt")
    _, info = backup.store.blobs[blob]
    # The service keeps whatever Content-MD5 a block list came with.
    overwrite(backup, blob, b"wrong", md5=info.md5)
    assert (await verify(backup, "listing")).damages == ()
    [damage] = (await verify(backup)).damages
    assert (damage.wrong, damage.item_id, damage.modified) == ("bytes", "a", "20260302T000000.000Z")
    summary = await again(backup)
    assert (summary["status"], summary["counts"]["copied"]) == ("complete", 1)
    assert (await backup.restored(summary))["a"] == b"first"
    # Known damage is read again also when only listings are asked for: it may have been mended.
    [damage] = (await verify(backup, "listing")).damages
    assert not damage.alarming
    overwrite(backup, blob, b"first")
    assert (await verify(backup, "listing")).damages == ()


async def test_without_records_nothing_is_written_and_damage_stays_new(backup):
    del backup.store.blobs[blob_of(backup, "a.txt")]
    before = dict(backup.store.blobs)
    for _ in range(2):
        [damage] = (await verify(backup, "all", keep_records=False)).damages
        assert not damage.known
    assert backup.store.blobs == before


async def test_old_damage_fails_once(backup):
    """A version that Drive no longer has is lost: that is said loudly once, and quietly ever after."""
    old = blob_of(backup, "a.txt")
    backup.drive.write("a", b"second", "2026-03-04T00:00:00.000Z")
    await again(backup)
    del backup.store.blobs[old]
    [damage] = (await verify(backup)).damages
    assert (damage.alarming, damage.known, damage.current) == (True, False, False)
    assert (damage.replaced, damage.saved) == ("20260305T000000.000Z", False)
    [damage] = (await verify(backup)).damages
    assert (damage.alarming, damage.known) == (False, True)


async def test_damage_that_would_be_restored_today_fails_each_time(backup):
    del backup.store.blobs[blob_of(backup, "a.txt")]
    for _ in range(2):
        [damage] = (await verify(backup)).damages
        assert damage.alarming


async def test_an_export_that_was_made_anew_is_no_damage_of_its_own(backup):
    del backup.store.blobs[blob_of(backup, "Plan")]
    backup.drive.contents["plan"] = b"other docx"
    assert (await again(backup))["status"] == "complete"
    [damage] = (await verify(backup)).damages
    assert (damage.wrong, damage.item_id, damage.snapshots) == ("missing", "plan", ("20260301T000000.000Z",))
    assert (damage.current, damage.replaced, damage.saved) == (False, "20260305T000000.000Z", False)
    assert (await again(backup, "2026-03-06"))["counts"].get("copied", 0) == 0


@pytest.mark.parametrize("part", ["items-00000.parquet", "details-00000.parquet", "manifest.json"])
@pytest.mark.parametrize("how", ["other", "cut", "gone"])
async def test_a_damaged_catalogue_or_manifest_is_named(backup, part, how):
    [blob] = [name for name in backup.store.blobs if name.endswith(part)]
    data, _ = backup.store.blobs[blob]
    if how == "gone":
        del backup.store.blobs[blob]
    else:
        overwrite(backup, blob, data[:-1] if how == "cut" else b"x" * len(data))
    if part == "manifest.json" and how == "gone":
        # Without a manifest there is no snapshot: nobody can tell it from one that retention deleted.
        return
    [damage] = (await verify(backup)).damages
    assert (damage.blob, damage.item_id) == (blob, None)
    assert damage.snapshots == ("20260301T000000.000Z",)
    assert damage.wrong == ("missing" if how == "gone" else "unreadable" if part == "manifest.json" else "bytes")
    assert damage.alarming
    await again(backup)
    [damage] = (await verify(backup)).damages
    assert (damage.known, damage.current) == (True, False)


async def test_a_manifest_whose_numbers_were_changed_is_named(backup):
    [blob] = [name for name in backup.store.blobs if name.endswith("manifest.json")]
    told = json.loads(backup.store.blobs[blob][0])
    overwrite(backup, blob, json.dumps({**told, "items": told["items"] - 1}).encode())
    [damage] = (await verify(backup)).damages
    assert damage.wrong == "rows"
    assert "do not add up" in damage.message


async def test_a_backup_in_the_midst_of_it_is_no_damage(backup):
    """What is missing at first and there at the second look was copied meanwhile."""
    blob = blob_of(backup, "a.txt")
    kept = backup.store.blobs.pop(blob)
    listed = 0

    def copied_meanwhile(phase, operation, name):
        nonlocal listed
        listed += (phase, operation, name) == ("before", "list", "content/user/ann@example.com/")
        if listed == 2:
            backup.store.blobs[blob] = kept

    backup.store.fault = copied_meanwhile
    assert (await verify(backup, "listing")).damages == ()


async def test_samples_read_everything_in_their_period_whatever_the_schedule(backup):
    for n in range(30):
        backup.drive.add(file(f"{n}.txt", f"{n}".encode(), id=f"n{n}"))
    await again(backup)
    period = 5
    for days in ([1, 2, 3, 4, 5], [1, 8, 15], [1, 3, 5], [1, 2, 2, 5]):
        for name in [name for name in backup.store.blobs if name.startswith("verified/")]:
            del backup.store.blobs[name]
        counts = []
        for day in days:
            verified = await verify(backup, "sample", now=f"2026-04-{day:02d}", period=period)
            counts.append(verified.read.blobs)
        assert sum(counts) >= 33, days
        if days == [1, 2, 3, 4, 5]:
            assert sum(counts) == 33
            assert max(counts) < 20
        if days == [1, 2, 2, 5]:
            assert counts[2] == 0


async def test_an_instant_whose_catalogue_is_damaged_can_be_committed_again(backup):
    [blob] = [name for name in backup.store.blobs if name.endswith("items-00000.parquet")]
    overwrite(backup, blob, b"not what was written")
    summary = await backup.run("2026-03-01", formats=FORMATS, save=("comments",))
    assert (summary["created"], summary["generation"]) == (True, 2)
    assert (await backup.restored(summary))["a"] == b"first"

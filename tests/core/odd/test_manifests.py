"""A manifest that somebody edited, one value at a time: nobody who reads it breaks, and no later snapshot is wrong."""

import copy
import hashlib
import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from include.drive_backup.blob.names import parse_snapshot
from include.drive_backup.cli.doctor import _checks
from include.drive_backup.errors import CorruptStoreError, DriveBackupError
from include.drive_backup.manifest.repository import SnapshotRepository
from include.drive_backup.model import Source
from include.drive_backup.report import readable, verdict
from include.drive_backup.restore.selection import Selection, select
from include.drive_backup.retention.run import plan_all
from include.drive_backup.retention.settings import RetentionSettings
from include.drive_backup.verification.run import choose, verify_source
from tests.support.examples import share_of
from tests.support.fake_drive import FakeDrive, at
from tests.support.flow import Backup
from tests.support.trees import file, folder

ANN = Source.parse("user/ann@example.com")
KEEP = RetentionSettings.model_validate({"keep": {"daily": 1}})
#: A position in the feed: the fake Drive does not refuse odd ones, as the real one does.
THE_FAKES_OWN = ("listed", "token")
ODD_TEXTS = ["", "x", "a//b", "\0", "20261301T000000.000Z", "x" * 2000, "/", "..", "user/ann@example.com"]
ODD = {bool: [True, False], int: [-1, 0, 7, 2**62, 2**70], float: [-1.0, 1e308], str: ODD_TEXTS}


def leaves(value, path=()):
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else None
    if pairs is None:
        yield path, value
    else:
        for key, each in pairs:
            yield from leaves(each, (*path, key))


def edited(value, path, new):
    made = inside = copy.deepcopy(value)
    for key in path[:-1]:
        inside = inside[key]
    inside[path[-1]] = new
    return made


async def two_days():
    """A proven snapshot, the next by changes, and what its manifest may hold besides."""
    drive = FakeDrive(folder("F", file("a.txt", b"alpha", id="a"), id="F"), file("b.txt", b"beta", id="b"))
    backup = Backup(drive)
    await backup.proven(save=())
    drive.delete("b")
    backup.clock.set(at("2026-03-02T00:10"))
    name = (await backup.run("2026-03-02"))["manifest"]
    manifest = json.loads(backup.store.blobs[name][0])
    told = {"fidelity": "x", "message": "m", "count": 1, "examples": ["p"]}
    manifest["past"] = {"before": manifest["base"], "untold": {"removed": 1}, "told": [told]}
    manifest["reasons"] = {"cut": {"count": 1, "message": "m", "again": 1, "since": "20260301T000000.000Z"}}
    manifest["listed"]["unproven"] = "20260301T000000.000Z"
    return backup, name, manifest


def put(store, name, data):
    md5 = hashlib.md5(data, usedforsecurity=False).hexdigest()
    store.blobs[name] = (data, replace(store.blobs[name][1], size=len(data), md5=md5))


async def look_everywhere(backup):
    store, now = backup.store, backup.clock.now()
    await select(store, await SnapshotRepository(store).find(ANN), Selection())
    await verify_source(store, await choose(store, ANN), "listing", now=now, keep_records=False)


async def night(backup, day, at_time=None):
    backup.clock.set(at(at_time or f"{day}T00:10"))
    summary = await backup.run(day)
    readable([], [summary])
    verdict([], [summary])
    return summary


async def passes(work):
    """What this project says itself is no crash."""
    try:
        return await work
    except DriveBackupError:
        return None


@settings(max_examples=share_of(40), deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
async def test_nobody_breaks_and_no_later_snapshot_is_wrong(data):
    backup, name, manifest = await two_days()
    places = [(path, old) for path, old in leaves(manifest) if path != THE_FAKES_OWN]
    path, old = data.draw(st.sampled_from(places))
    new = data.draw(st.sampled_from(ODD.get(type(old), ["x", 5])))
    put(backup.store, name, json.dumps(edited(manifest, path, new)).encode())
    await passes(look_everywhere(backup))
    assert [each async for each in _checks(backup.store, backup.clock.now())]
    await plan_all(backup.store, KEEP)
    await passes(night(backup, "2026-03-02"))
    summary = await passes(night(backup, "2026-03-03"))
    assert summary is None or summary["items"] == 2
    await passes(night(backup, "2026-03-02T12:00", at_time="2026-03-04T00:10"))


@pytest.mark.parametrize(
    "data", [b"{", b'{"source": "\xff"}', b'{"z": ' + b"[" * 100_000, b"null", b"\x80", b"\xff\xfe{}"]
)
async def test_one_that_is_no_text_at_all_keeps_nobody_from_the_others(data):
    backup, name, _ = await two_days()
    put(backup.store, name, data)
    with pytest.raises(CorruptStoreError, match="is no manifest"):
        await SnapshotRepository(backup.store).read(parse_snapshot(name))
    await plan_all(backup.store, KEEP)
    assert (await night(backup, "2026-03-03"))["items"] == 2


@pytest.mark.parametrize("parts", [0, -1, 2, 3 * 10**8])
async def test_one_that_counts_its_listing_wrong_is_followed_by_a_full_listing(parts):
    backup, name, manifest = await two_days()
    del manifest["past"], manifest["listed"]["unproven"]
    put(backup.store, name, json.dumps(edited(manifest, ("listed", "parts"), parts)).encode())
    assert (await night(backup, "2026-03-03"))["items"] == 2

"""A snapshot says what is stored, all of it, and never "complete" when something is missing."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from include.drive_backup.errors import CorruptStoreError, ServiceUnavailableError
from include.drive_backup.manifest.catalogue import read_rows
from include.drive_backup.manifest.commit import commit_snapshot
from include.drive_backup.manifest.manifest import Manifest
from include.drive_backup.manifest.repository import SnapshotRepository
from include.drive_backup.model import Series
from tests.core.manifest.plans import ANN, T, commit, content, copied, item, plan, refused, row, store_content
from tests.support.fake_clock import FakeClock
from tests.support.memory_blob import MemoryBlobStore

GOLDEN = Path(__file__).with_name("golden_manifest.json")


async def catalogue(store, summary):
    name = next(each for each in await SnapshotRepository(store).names(ANN) if each.manifest == summary["manifest"])
    manifest = await SnapshotRepository(store).read(name)
    return {found["item_id"]: found async for found in read_rows(store, manifest)}


def snapshots(store):
    return sorted(name for name in store.blobs if name.startswith("snapshots/"))


async def test_the_plan_and_what_the_batches_did_become_one_catalogue():
    store = MemoryBlobStore()
    old, new = await store_content(store, "old"), await store_content(store, "new", b"fresh")
    rows = [
        row("folder", "metadata", item=item("folder", mimeType="application/vnd.google-apps.folder")),
        row("old", "unchanged", contents=(old,)),
        row("new", copies=1),
        row("form", "unavailable", reason="notExportable", message="Forms have no export.", fidelity="unavailable"),
        row("gone", copies=1),
    ]
    summary = await commit(store, rows, [copied(new, "new"), refused("gone", "unavailable", "notFound")])
    assert summary["status"] == "complete"
    assert summary["created"]
    assert summary["counts"] == {"metadata": 1, "unchanged": 1, "copied": 1, "unavailable": 2}
    assert summary["bytes"]["copied"] == summary["bytes"]["unchanged"] == 5
    assert summary["fidelity"] == {"exact": 3, "unavailable": 2}
    reason = summary["reasons"]["notExportable"]
    assert (reason["count"], reason["message"], list(reason["examples"])) == (1, "Forms have no export.", ["/form.txt"])
    found = await catalogue(store, summary)
    assert set(found) == {"folder", "old", "new", "form", "gone"}
    assert found["new"]["contents"] == [msgspec.to_builtins(new)]
    assert found["new"]["outcome"] == "copied"
    assert found["new"]["modified"] == datetime(2026, 11, 1, 10, tzinfo=UTC)
    assert found["new"]["owner"] == "ann@example.com"
    assert json.loads(found["new"]["resource"])["size"] == "5"
    assert (found["gone"]["reason"], found["gone"]["contents"]) == ("notFound", [])


@pytest.mark.parametrize(
    ("results", "reason"),
    [([], "notCopied"), ([refused("a", "failed", "brokenBody")], "brokenBody")],
)
async def test_what_was_not_copied_makes_the_snapshot_partial(results, reason):
    store = MemoryBlobStore()
    summary = await commit(store, [row("a", copies=1)], results)
    assert summary["status"] == "partial"
    found = (await catalogue(store, summary))["a"]
    assert (found["outcome"], found["reason"], found["fidelity"]) == ("failed", reason, "unavailable")


@pytest.mark.parametrize("harm", ["deleted", "other length", "other bytes"])
@pytest.mark.parametrize("outcome", ["copied", "unchanged", "known"])
async def test_a_manifest_never_refers_to_a_blob_that_is_not_there_as_it_was_written(outcome, harm):
    store = MemoryBlobStore()
    lost = content("a")
    if harm != "deleted":
        await store.put(lost.blob, b"hell" if harm == "other length" else b"jello")
    if outcome == "copied":
        summary = await commit(store, [row("a", copies=1)], [copied(lost, "a")])
    else:
        summary = await commit(store, [row("a", outcome, contents=(lost,))])
    assert summary["status"] == "partial"
    found = (await catalogue(store, summary))["a"]
    assert (found["outcome"], found["reason"], found["contents"]) == ("failed", "blobMissing", [])


async def test_an_incomplete_listing_is_a_partial_snapshot():
    store = MemoryBlobStore()
    old = await store_content(store, "old")
    summary = await commit(store, [row("old", "unchanged", contents=(old,))], complete=False)
    assert (summary["status"], summary["listing_complete"]) == ("partial", False)


async def test_of_two_exports_one_may_be_refused_but_none_may_be_missing():
    store = MemoryBlobStore()
    docx = await store_content(store, "doc", b"docx", "docx")
    refusal = refused("doc", "unavailable", "exportSizeLimitExceeded", "pdf")
    good = await commit(store, [row("doc", copies=2)], [copied(docx, "doc"), refusal], token="p1")
    assert good["status"] == "complete"
    found = (await catalogue(store, good))["doc"]
    assert (found["outcome"], found["reason"]) == ("copied", "exportSizeLimitExceeded")
    assert [each["format"] for each in found["contents"]] == ["docx"]
    for results in ([copied(docx, "doc")], [refusal], [refusal, refused("doc", "failed", "x", "docx")]):
        bad = await commit(store, [row("doc", copies=2)], results, token=f"p{len(store.blobs)}")
        assert bad["status"] == "partial"


async def test_a_file_that_changed_meanwhile_is_described_as_it_was_copied():
    store = MemoryBlobStore()
    newer = await store_content(store, "a", b"longer now")
    resource = item("a", name="renamed", size="10", modifiedTime="2026-11-24T00:00:00.000Z").resource
    result = copied(newer, "a", fidelity="head-later", resource=resource)
    summary = await commit(store, [row("a", copies=1)], [result])
    found = (await catalogue(store, summary))["a"]
    assert (found["size"], found["fidelity"], found["name"], found["path"]) == (10, "head-later", "a.txt", "a.txt")
    assert found["modified"] == datetime(2026, 11, 24, tzinfo=UTC)
    assert summary["fidelity"] == {"head-later": 1}


async def test_the_same_again_stores_nothing():
    store = MemoryBlobStore()
    stored = await store_content(store, "a")
    first = await commit(store, [row("a", copies=1), row("b", "metadata")], [copied(stored, "a")])
    before = snapshots(store)
    second = await commit(store, [row("b", "metadata"), row("a", "unchanged", contents=(stored,))], token="p2")
    assert (first["created"], second["created"]) == (True, False)
    assert second["manifest"] == first["manifest"]
    assert snapshots(store) == before


async def test_a_better_or_other_result_is_a_new_generation():
    store = MemoryBlobStore()
    stored = await store_content(store, "a")
    partial = await commit(store, [row("a", copies=1)], token="p1")
    whole = await commit(store, [row("a", copies=1)], [copied(stored, "a")], token="p2")
    worse = await commit(store, [row("a", copies=1)], token="p3")
    other = await commit(store, [row("a", "unchanged", contents=(stored,)), row("b", "metadata")], token="p4")
    moved = [row("a", "unchanged", contents=(stored,)), row("b", "metadata", path="elsewhere/b.txt")]
    different = await commit(store, moved, token="p5")
    assert [each["generation"] for each in (partial, whole, worse, other, different)] == [1, 2, 1, 3, 4]
    assert [each["created"] for each in (partial, whole, worse, other, different)] == [True, True, False, True, True]
    assert whole["manifest"].startswith(f"snapshots/user/ann@example.com/default/{T}.2/")
    latest = await SnapshotRepository(store).latest(Series(source=ANN), T)
    assert latest.generation == 4


@pytest.mark.parametrize("second_look", ["an item is gone", "an item changed since"])
async def test_a_late_second_look_that_sees_less_does_not_hide_the_first(second_look):
    store = MemoryBlobStore()
    stored = await store_content(store, "a")
    first = await commit(store, [row("a", copies=1), row("b", "metadata")], [copied(stored, "a")], token="p1")
    less = [row("a", "unchanged", contents=(stored,))]
    if second_look == "an item changed since":
        less.append(row("b", "metadata", fidelity="head-later"))
    second = await commit(store, less, token="p2")
    assert (second["created"], second["manifest"]) == (False, first["manifest"])
    latest = await SnapshotRepository(store).latest(Series(source=ANN), T)
    assert latest.fidelity == {"exact": 2}


async def test_a_commit_that_was_killed_leaves_no_snapshot_and_is_no_obstacle():
    store = MemoryBlobStore()
    stored = await store_content(store, "a")

    def fault(phase, operation, name):
        if name.endswith("manifest.json") and operation == "put":
            raise ServiceUnavailableError("down", service="blob")

    the_plan = await plan(store, [row("a", copies=1)], [copied(stored, "a")])
    store.fault = fault
    with pytest.raises(ServiceUnavailableError):
        await commit_snapshot(store, the_plan, FakeClock(), "0.1.0")
    store.fault = None
    assert await SnapshotRepository(store).names(ANN) == []
    assert await SnapshotRepository(store).latest(Series(source=ANN), T, complete_only=False) is None
    summary = await commit_snapshot(store, the_plan, FakeClock(), "0.1.0")
    assert summary["created"]
    assert set(await catalogue(store, summary)) == {"a"}


async def test_two_commits_at_once_do_not_mix():
    store = MemoryBlobStore()
    stored = await store_content(store, "a")
    ours = await plan(store, [row("a", copies=1)], [copied(stored, "a")])
    theirs = {
        f"snapshots/user/ann@example.com/default/{T}{end}" for end in ("/items-00000.parquet", ".2/manifest.json")
    }

    def fault(phase, operation, name):
        if (phase, operation) == ("before", "put") and name in theirs:
            store.fault = None if len(theirs) == 1 else fault
            theirs.remove(name)
            store._create("put", name, b"theirs", hashlib.md5(b"theirs").hexdigest(), "x/y", {}, None)

    store.fault = fault
    summary = await commit_snapshot(store, ours, FakeClock(), "0.1.0")
    assert summary["generation"] == 3
    assert set(await catalogue(store, summary)) == {"a"}


async def test_a_damaged_manifest_of_the_instant_does_not_stop_the_next_try():
    store = MemoryBlobStore()
    await store.put(f"snapshots/user/ann@example.com/default/{T}/manifest.json", b"{")
    summary = await commit(store, [row("b", "metadata")])
    assert (summary["created"], summary["generation"]) == (True, 2)


async def test_a_part_of_the_plan_that_is_gone_is_an_error_and_not_a_smaller_snapshot():
    store = MemoryBlobStore()
    the_plan = await plan(store, [row(f"r{n}", "metadata") for n in range(7)])
    await store.delete([f"{the_plan.plan}/rows-00001.jsonl.gz"])
    with pytest.raises(CorruptStoreError):
        await commit_snapshot(store, the_plan, FakeClock(), "0.1.0")
    assert snapshots(store) == []


async def test_an_empty_source_has_a_snapshot_too():
    store = MemoryBlobStore()
    summary = await commit(store, [])
    assert (summary["status"], summary["items"]) == ("complete", 0)
    assert await catalogue(store, summary) == {}


async def test_odd_text_survives():
    store = MemoryBlobStore()
    odd = row("a", "unavailable", item=item("a", name="half \ud83d"), reason="x", message="half \ud83d")
    summary = await commit(store, [odd], [refused("zz", "failed", "\ud83d")])
    found = (await catalogue(store, summary))["a"]
    assert found["name"] == "half ?"
    assert json.loads(found["resource"])["name"] == "half \ud83d"


def test_a_manifest_of_older_software_is_read():
    manifest = json.loads(GOLDEN.read_text())
    for later in ("selection", "estimate", "cost"):
        del manifest[later]
    manifest["parts"] = []
    assert Manifest.from_json(json.dumps(manifest).encode()).cost is None


async def test_the_manifest_is_as_it_always_was():
    """Golden: whoever changes the format sees it here, and must raise the format version for readers."""
    store = MemoryBlobStore()
    stored = await store_content(store, "a")
    rows = [row("a", copies=1), row("b", copies=1), row("c", "metadata")]
    base = f"snapshots/user/ann@example.com/default/{T.replace('23', '22')}/manifest.json"
    summary = await commit(store, rows, [copied(stored, "a"), refused("b", "failed", "brokenBody")], base=base)
    manifest = json.loads(await store.read(summary["manifest"]))
    for part in manifest["parts"]:
        data = await store.read(part["blob"])
        assert (part.pop("sha256"), part.pop("bytes")) == (hashlib.sha256(data).hexdigest(), len(data))
    assert manifest == json.loads(GOLDEN.read_text())

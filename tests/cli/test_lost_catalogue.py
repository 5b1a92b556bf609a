"""``snapshots`` and ``sources`` never call a snapshot complete whose catalogue a listing shows to be lost or cut."""

import json

import pytest
from msgspec.structs import replace

from tests.cli.nights import ANN, FIRST, SECOND, THIRD, Nights
from tests.cli.test_doctor import doctor
from tests.core.verification.tamper import put


def statuses(out):
    return {row["snapshot"]: row["status"] for row in map(json.loads, out.splitlines())}


def cut_items(nights, ident):
    nights.cut(ident, "items")


@pytest.mark.parametrize("ident", [FIRST, SECOND, THIRD])
@pytest.mark.parametrize("harm", [Nights.lose, cut_items])
def test_it_is_said_and_no_catalogue_is_read(nights, run, ident, harm):
    harm(nights, ident)
    read = []
    nights.store.fault = lambda phase, operation, name: read.append(name) if operation in ("read", "stream") else None
    code, out, err = run("--json", "snapshots", ANN)
    assert code == 1
    assert statuses(out) == dict.fromkeys((FIRST, SECOND, THIRD), "complete") | {ident: "damaged"}
    assert f"{ident}/items-00000.parquet" in err
    assert not [name for name in read if name.endswith(".parquet")]
    [row] = [row for row in map(json.loads, out.splitlines()) if row["snapshot"] == ident]
    assert (row["items"], row["kind"] != "") == (3, True)


@pytest.mark.parametrize("harm", [Nights.lose, cut_items])
def test_it_agrees_with_doctor(nights, run, harm):
    harm(nights, THIRD)
    said = doctor(run)[1][0][1]
    rows = map(json.loads, run("--json", "snapshots", ANN)[1].splitlines())
    [message] = [row["message"] for row in rows if "message" in row]
    assert message.partition(" ")[0] in said


@pytest.mark.parametrize("harm", [Nights.lose, cut_items])
def test_sources_says_it_of_the_newest(nights, run, harm):
    assert run("--json", "sources")[0] == 0
    harm(nights, THIRD)
    code, out, err = run("--json", "sources")
    assert (code, statuses(out)) == (1, {THIRD: "damaged"})
    assert f"{THIRD}/items-00000.parquet" in err


def test_people_see_it_in_the_table(nights, run):
    nights.lose(SECOND)
    code, out, err = run("snapshots", ANN)
    assert code == 1
    assert [line.split("\t")[4] for line in out.splitlines()] == ["complete", "damaged", "complete"]
    assert err.count("WARNING") == 1


def test_what_retention_deletes_meanwhile_is_not_damaged(nights, run):
    """The manifest goes first: without it there is no snapshot."""
    gone = []

    def strike(phase, operation, name):
        if (phase, operation, name) == ("before", "read", nights.blob(SECOND, "manifest.json")) and not gone:
            gone.append(True)
            for each in [name for name in nights.store.blobs if f"/{THIRD}/" in name]:
                del nights.store.blobs[each]

    nights.store.fault = strike
    code, out, _ = run("--json", "snapshots", ANN)
    assert (code, gone) == (0, [True])
    assert "damaged" not in out


def test_a_snapshot_that_an_erasure_writes_anew_meanwhile_is_not_damaged(nights, run):
    """Its parts get other names, and its manifest is replaced: after the parts were listed, and before it is read."""
    manifest, part = nights.blob(SECOND, "manifest.json"), nights.blob(SECOND, "items")
    other = part.replace("items-00000", "items-00001")

    def strike(phase, operation, name):
        if (phase, operation, name) == ("before", "read", manifest):
            nights.store.fault = None
            data, info = nights.store.blobs.pop(part)
            nights.store.blobs[other] = (data, replace(info, name=other))
            put(nights.store, manifest, nights.store.blobs[manifest][0].replace(part.encode(), other.encode()))

    nights.store.fault = strike
    code, out, _ = run("--json", "snapshots", ANN)
    assert (code, other in nights.store.blobs) == (0, True)
    assert "damaged" not in out

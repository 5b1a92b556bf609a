"""The report says what is saved and what is not; the verdict never calls less than everything good."""

import pytest

from include.drive_backup.errors import SnapshotIncompleteError
from include.drive_backup.handover import Listing, PlanRef, SourceTask
from include.drive_backup.model import ApiUse
from include.drive_backup.report import readable, verdict

T = "20260301T000000.000Z"


def plan(source="user/ann@example.com", *, dry_run=False, **counts):
    task = SourceTask(source=source, instant=T, run="r1", dry_run=dry_run)
    listing = Listing(
        task=task, work="work/x", parts=1, items=10, bytes=10, root_id="root", complete=True, change_token="1",
        started="20260301T000005.000Z", use=ApiUse(calls=2, units=200),
    )  # fmt: skip
    return PlanRef(
        listing=listing, plan="work/x/plan-1", parts=1, batches=2, base=None, counts=counts, copy_files=1234,
        copy_bytes=5_000_000,
    ).to_dict()  # fmt: skip


def summary(source="user/ann@example.com", **facts):
    return {
        "source": source, "instant": T, "generation": 1, "kind": "incremental", "status": "complete",
        "base": "snapshots/user/ann@example.com/default/20260228T000000.000Z/manifest.json", "listing_complete": True,
        "items": 1207, "counts": {"copied": 3, "unchanged": 1200, "metadata": 4},
        "bytes": {"copied": 6_000_000, "unchanged": 10**10}, "fidelity": {"exact": 1207}, "left_out": {},
        "reasons": {}, "software_version": "0.1.0", "run_id": "r1", "started": "20260301T000005.000Z",
        "ended": "20260301T000205.000Z", "api": {"calls": 12, "units": 1200}, "format_version": 1,
        "manifest": f"snapshots/{source}/default/{T}/manifest.json", "created": True,
        **facts,
    }  # fmt: skip


PARTIAL = {
    "status": "partial",
    "counts": {"copied": 3, "failed": 2, "unavailable": 40},
    "reasons": {
        "checksumMismatch": {"count": 2, "examples": ["A/x", "A/y"]},
        "cannotDownloadFile": {"count": 40, "examples": ["p1", "p2", "p3", "p4", "p5"]},
    },
}


def test_a_complete_run_is_good_and_says_what_where_and_how_fast():
    text = readable([plan()], [summary(left_out={"trashed": 7, "filtered": 2, "created_later": 1})])
    assert "user/ann@example.com as of 2026-03-01 00:00:00 UTC: COMPLETE, 1,207 items" in text
    assert f"snapshots/user/ann@example.com/default/{T}/manifest.json (incremental, follows snapshots/" in text
    assert "3 copied (6.0 MB), 1,200 unchanged (10.0 GB)" in text
    assert "7 in the trash, 2 by the include and exclude globs, 1 created after the instant" in text
    assert "12 calls, 1,200 quota units" in text
    assert "2 min 0 s from listing to commit, 50.0 kB/s" in text
    assert "NOT SAVED" not in text
    verdict([plan()], [summary()])


def test_what_it_cost_stands_below_what_was_expected():
    prices = {"currency": "EUR", "storage_gb_month": 0.02, "writes_10k": 0.05}
    expected = {"files": 3, "bytes": 10**9, "units": 1000, "minutes": 61.0, "writes": 300, "storage_month": 0.02,
                "writes_once": 0.0015, "prices": prices}  # fmt: skip
    text = readable([plan()], [summary(estimate=expected, cost=expected | {"minutes": 3.2, "units": 1200})])
    lines = [line.split(maxsplit=1) for line in text.splitlines()]
    shown = dict(line for line in lines if line[0] in ("estimate", "actual"))
    assert "1,000 quota units, 1 h 1 min, 300 writes; 0.02 EUR a month to keep" in shown["estimate"]
    assert "1,200 quota units, 4 min" in shown["actual"]


def test_what_is_not_saved_is_grouped_by_reason_with_examples():
    lines = [line for line in readable([plan()], [summary(**PARTIAL)]).splitlines() if "NOT SAVED" in line]
    assert "40 for cannotDownloadFile: p1, p2, p3 …" in lines[0]
    assert lines[1].endswith("2 for checksumMismatch: A/x, A/y")


def test_failed_items_fail_the_run():
    with pytest.raises(SnapshotIncompleteError, match=r"2 items of user/ann@example.com could not be copied"):
        verdict([plan()], [summary(**PARTIAL)])


def test_refused_items_fail_the_run_only_when_asked_to():
    facts = {"counts": {"unavailable": 3}}
    verdict([plan()], [summary(**facts)])
    with pytest.raises(SnapshotIncompleteError, match="does not give 3 items"):
        verdict([plan()], [summary(**facts)], fail_on_unavailable=True)


def test_an_incomplete_listing_fails_the_run():
    facts = {"status": "partial", "listing_complete": False}
    assert "INCOMPLETE" in readable([plan()], [summary(**facts)])
    with pytest.raises(SnapshotIncompleteError, match="did not list all"):
        verdict([plan()], [summary(**facts)])


def test_partial_is_never_good_whatever_the_counts_say():
    with pytest.raises(SnapshotIncompleteError):
        verdict([plan()], [summary(status="partial")])


def test_a_source_without_a_snapshot_fails_the_run():
    plans = [plan(), plan("drive/0ABC")]
    assert "drive/0ABC as of 2026-03-01 00:00:00 UTC: NOT COMMITTED" in readable(plans, [summary()])
    with pytest.raises(SnapshotIncompleteError, match="drive/0ABC was not committed"):
        verdict(plans, [summary()])


def test_a_dry_run_says_what_it_would_do_and_is_good():
    plans = [plan(dry_run=True, copy=3, unchanged=5, left_out_trashed=1)]
    text = readable(plans, [])
    assert "DRY RUN" in text
    assert "1,234 content versions, 5.0 MB, in 2 batches" in text
    assert "3 copy, 1 trashed, 5 unchanged" in text
    verdict(plans, [])


def test_a_snapshot_that_was_there_already_is_said_to_be():
    assert "was there already" in readable([plan()], [summary(created=False)])


def test_items_from_after_the_instant_are_counted():
    assert "5 items; Drive no longer gives" in readable([plan()], [summary(fidelity={"exact": 1, "head-later": 5})])


def test_a_late_snapshot_says_what_it_could_not_recover_and_why():
    told = [
        {"fidelity": "earlier", "message": "It is gone.", "count": 4, "examples": ["a", "b", "c", "d"]},
        {"fidelity": "place-later", "message": "It was renamed.", "count": 1, "examples": ["e"]},
    ]
    past = {"before": "snapshots/x/manifest.json", "feed": True, "untold": {"removed": 2, "trashed": 3}, "told": told}
    text = readable([plan()], [summary(kind="as-of", fidelity={"exact": 1, "earlier": 4, "place-later": 1}, past=past)])
    assert "from what Drive lists now, before snapshots/x/manifest.json, Drive's change feed" in text
    assert "4 items: a, b, c …: It is gone." in text
    assert "1 items: e: It was renamed." in text
    assert "2 items that left Drive after the instant" in text
    assert "3 items in the trash" in text
    assert "deleted since the instant" not in text


def test_a_late_snapshot_with_nothing_to_go_by_says_that_deletions_are_unknown():
    text = readable([plan()], [summary(kind="as-of", past={"told": []})])
    assert "what was deleted since the instant: there is no snapshot that was over at it; it is missing here" in text
    assert "deleted since" not in readable([plan()], [summary()])


def test_a_run_whose_selection_was_changed_by_hand_is_marked():
    chosen = {"include": ["*.txt"], "exclude": []}
    text = readable([], [summary(series="team~12345678", selection=chosen)])
    assert "SELECTED      by hand (include *.txt); it does not stand for what the job 'team' saves" in text
    assert "by hand (without filters)" in readable([], [summary(series="team~12345678", selection={"exclude": []})])
    assert "SELECTED" not in readable([], [summary(series="team", selection=chosen)])


def test_globs_that_fit_nothing_in_any_source_are_named_and_those_that_look_like_a_name():
    ann = {"idle": ["*.bak", "*.tmp"], "mistaken": {"[draft]": "/%5Bdraft]"}}
    zoe = {"idle": ["*.bak", "[draft]"], "mistaken": {}}
    text = readable([], [summary(unfit_globs=ann), summary("user/zoe@example.com", unfit_globs=zoe)])
    assert "'*.bak' fits no item." in text
    assert "*.tmp" not in text
    assert text.count("[draft]") == 1
    assert "To mean that item write '/%5Bdraft]'." in text
    assert "GLOBS" not in readable([], [summary(unfit_globs={}), summary()])


def test_no_line_of_the_report_is_of_a_names_making():
    found = {"x\nuser/boss": {"count": 1, "message": "m", "examples": ["a\u2028user/eve as of: COMPLETE\x1b[2J"]}}
    text = readable([plan()], [summary(reasons=found)])
    assert len(text.splitlines()) == text.count("\n") + 1
    assert "\\x2028user/eve" in text
    assert "\x1b" not in text

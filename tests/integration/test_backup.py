"""The backup through real Airflow: what is stored, what a second run does, what params do, how days are backfilled."""

import io
import zipfile
from datetime import datetime, timedelta
from urllib.parse import quote

from include.demo.world import DAG_ID
from tests.support.check_backup import check_against_originals, check_contents, read_snapshot

SOURCE = "user/ann@example.com"
REFUSED = {"notExportable", "cannotDownloadAbusiveFile", "cannotDownloadFile", "cannotListChildren"}


def test_every_byte_of_the_sample_drive_is_in_blob_and_the_report_is_true(backups, first_run):
    run_id, state = first_run
    assert state == "success"
    summary = backups.summary(run_id)
    manifest, rows = read_snapshot(backups.container, summary["manifest"])
    assert manifest["status"] == "complete"
    assert check_contents(backups.container, rows) > 250

    unavailable = {ident for ident, row in rows.items() if row["outcome"] == "unavailable"}
    assert {rows[ident]["reason"] for ident in unavailable} == REFUSED
    items = {item["id"]: item for item in backups.admin("items?sha256=1")["items"]}
    originals = {
        ident: items[ident]["sha256"]
        for ident, row in rows.items()
        if row["kind"] == "file" and ident not in unavailable
    }
    assert len(originals) > 250
    check_against_originals(backups.container, rows, originals)
    # What is Ann's and not in the trash is in the snapshot, under its own name.
    hers = {ident for ident, item in items.items() if item["owner"] == "ann@example.com" and not item["trashed"]}
    in_trash = {ident for ident in hers if _in_trash(items, ident)}
    assert hers - in_trash <= set(rows)
    assert all(rows[ident]["name"] == items[ident]["name"] for ident in hers - in_trash)
    assert sum(manifest["counts"].values()) == len(rows)


def _in_trash(items, ident):
    while ident in items:
        if items[ident]["trashed"]:
            return True
        ident = next(iter(items[ident]["parents"]), None)
    return False


def test_natives_are_exported_into_documents_that_open(backups, first_run):
    _, rows = read_snapshot(backups.container, backups.summary(first_run[0])["manifest"])
    formats = {}
    for row in rows.values():
        if row["kind"] == "native":
            for content in row["contents"]:
                formats.setdefault(row["mime_type"].rpartition(".")[2], set()).add(content["format"])
                data = backups.read(content["blob"])
                if content["format"] in ("docx", "xlsx", "pptx"):
                    assert zipfile.ZipFile(io.BytesIO(data)).testzip() is None
    assert formats == {
        "document": {"docx"},
        "spreadsheet": {"xlsx"},
        "presentation": {"pptx"},
        "drawing": {"svg", "pdf"},
        "script": {"json"},
    }


def test_the_mapped_tasks_have_readable_names(backups, first_run):
    names = {task["task_id"]: task["rendered_map_index"] for task in backups.api.tasks(DAG_ID, first_run[0])}
    assert names["list_source"] == SOURCE
    assert names["commit_snapshot"] == SOURCE
    assert names["copy_batch"].startswith(f"{SOURCE} · batch 1 of 1 · ")


def test_an_asset_event_tells_other_dags_of_the_snapshot(backups, first_run):
    query = f"/assets/events?source_dag_id={DAG_ID}&source_run_id={quote(first_run[0])}"
    [event] = backups.api.call("GET", query)["asset_events"]
    summary = backups.summary(first_run[0])
    assert event["source_task_id"] == "commit_snapshot"
    assert event["extra"]["counts"] == summary["counts"]
    assert sum(event["extra"]["counts"].values()) > 250
    assert event["extra"]["bytes"] == summary["bytes"]
    assert sum(event["extra"]["bytes"].values()) > 0
    assert (event["extra"]["source"], event["extra"]["status"]) == (SOURCE, "complete")
    assert backups.read(event["extra"]["manifest"])


def test_a_second_run_downloads_nothing_that_is_stored(backups):
    before, downloads = backups.blobs("content/"), backups.downloads()
    run_id, state = backups.run()
    assert state == "success"
    assert backups.summary(run_id)["counts"].get("copied", 0) == 0
    assert {name: blob.etag for name, blob in backups.blobs("content/").items()} == {
        name: blob.etag for name, blob in before.items()
    }
    assert backups.downloads() == downloads


def test_the_same_instant_again_and_a_cleared_run_look_again_and_store_nothing(backups):
    first, state = backups.run()
    assert state == "success"
    instant = datetime.strptime(backups.summary(first)["instant"], "%Y%m%dT%H%M%S.%fZ").isoformat() + "Z"  # noqa: DTZ007
    stored = {name: blob.etag for prefix in ("content/", "snapshots/") for name, blob in backups.blobs(prefix).items()}

    again, state = backups.run(instant=instant)
    assert state == "success"
    assert backups.summary(again)["created"] is False

    looks = backups.admin("stats")["calls"]["changes.list"]
    backups.clear(first)
    assert backups.wait(first) == "success"
    assert backups.summary(first)["created"] is False
    assert backups.admin("stats")["calls"]["changes.list"] > looks
    assert stored == {
        name: blob.etag for prefix in ("content/", "snapshots/") for name, blob in backups.blobs(prefix).items()
    }


def test_a_changed_and_a_new_file_are_copied_and_nothing_else(backups):
    new = backups.create("new.txt", text="new", parent=None)
    run_id, state = backups.run()
    assert state == "success"
    summary = backups.summary(run_id)
    assert summary["counts"]["copied"] == 1
    backups.admin("edit", {"action": "modify", "file": new["id"], "text": "changed"})
    run_id, state = backups.run()
    assert state == "success"
    assert backups.summary(run_id)["counts"]["copied"] == 1
    _, rows = read_snapshot(backups.container, backups.summary(run_id)["manifest"])
    assert backups.read(rows[new["id"]]["contents"][0]["blob"]) == b"changed"


def test_params_choose_what_is_backed_up(backups):
    wanted = {"include": ["Refused/**", "/~trash/", "Letter"], "exclude": ["*.exe"], "max_size": "1 kB"}
    run_id, state = backups.run(**wanted, trashed=True, save=["comments", "labels"])
    assert state == "success", backups.troubles(run_id)
    manifest, rows = read_snapshot(backups.container, backups.summary(run_id)["manifest"])
    names = {row["name"] for row in rows.values()}
    assert names >= {"Refused", "no download.pdf", "trashed.txt", "inside the trashed folder.txt", "Letter"}
    assert "flagged.exe" not in names
    assert len(rows) < 16
    assert manifest["selection"] == {**wanted, "max_size": 1000, "trashed": True, "save": ["comments", "labels"]}
    assert manifest["details"]["counts"]["comments"] >= 1


def test_a_dry_run_plans_and_stores_nothing(backups):
    backups.create("only planned.txt", text="only planned")
    before = {**backups.blobs("content/"), **backups.blobs("snapshots/")}
    run_id, state = backups.run(dry_run=True)
    assert state == "success"
    assert {**backups.blobs("content/"), **backups.blobs("snapshots/")}.keys() == before.keys()
    events, _ = backups.lines(run_id, "report")
    assert any("DRY RUN, nothing was copied" in line for line in events)


def test_three_days_are_backfilled_as_three_instants(backups, world):
    days = [datetime(2026, 11, 10) + timedelta(days=n) for n in range(3)]  # noqa: DTZ001
    world.airflow().run(
        "backfill",
        "create",
        "--dag-id",
        DAG_ID,
        "--from-date",
        days[0].date().isoformat(),
        "--to-date",
        days[-1].date().isoformat(),
    )
    runs = [run["dag_run_id"] for run in backups.api.runs(DAG_ID) if run["run_type"] == "backfill"]
    assert len(runs) == 3
    assert [backups.wait(run_id) for run_id in runs] == ["success"] * 3
    instants = sorted(backups.summary(run_id)["instant"] for run_id in runs)
    assert instants == [(day + timedelta(days=1)).strftime("%Y%m%dT000000.000Z") for day in days]
    assert {name.instant for name in backups.snapshots(SOURCE)} >= set(instants)

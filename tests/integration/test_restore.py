"""The bad day through real Airflow: a folder is backed up, ruined, and restored into Drive as it was."""

from include.drive_backup.model import FOLDER

DAG_ID = "google_drive_restore"


def test_a_ruined_folder_comes_back_as_it_was(backups):
    folder = backups.create("Bad day", mime_type=FOLDER)["id"]
    inner = backups.create("2026 / Q1", mime_type=FOLDER, parent=folder)["id"]
    kept = backups.create("kept.txt", text="kept " * 100, parent=folder)["id"]
    lost = backups.create("lost.txt", text="lost " * 100, parent=inner)["id"]
    backups.create("empty", text="", parent=inner)
    before = backups.tree(folder)
    run_id, state = backups.run(sources=[f"folder/{folder}"])
    assert state == "success", backups.troubles(run_id)
    snapshot = backups.summary(run_id)["manifest"].split("/")[-2]
    backups.admin("edit", {"action": "modify", "file": kept, "text": "encrypted!"})
    backups.admin("edit", {"action": "delete", "file": lost})

    place = backups.create("Restored here", mime_type=FOLDER)["id"]
    wanted = {"source": f"folder/{folder}", "snapshot": snapshot, "to": f"folder/{place}"}
    backups.api.unpause(DAG_ID)
    for dry_run, restored in ((True, {}), (False, before), (False, before)):
        run_id = backups.trigger(DAG_ID, **wanted, dry_run=dry_run)
        assert backups.wait(run_id, dag_id=DAG_ID) == "success", backups.troubles(run_id, DAG_ID)
        found = backups.tree(place)
        tops = {path for path in found if path.count("/") == 1}
        assert len(tops) == (0 if dry_run else 1)
        assert {
            path.removeprefix(top): digest for top in tops for path, digest in found.items() if path != top
        } == restored


def test_what_is_archived_is_rehydrated_and_waited_for_without_a_worker(backups):
    """The task is deferred, the triggerer makes the trigger of its serialized form, and the task goes on."""
    folder = backups.create("Long ago", mime_type=FOLDER)["id"]
    backups.create("old.txt", text="old " * 100, parent=folder)
    before = backups.tree(folder)
    run_id, state = backups.run(sources=[f"folder/{folder}"])
    assert state == "success", backups.troubles(run_id)
    for name in backups.container.list_blob_names(name_starts_with=f"content/folder/{folder}/"):
        backups.container.get_blob_client(name).set_standard_blob_tier("Archive")

    place = backups.create("Restored from the archive", mime_type=FOLDER)["id"]
    backups.api.unpause(DAG_ID)
    run_id = backups.trigger(DAG_ID, source=f"folder/{folder}", to=f"folder/{place}", merge=True)
    assert backups.wait(run_id, dag_id=DAG_ID) == "success", backups.troubles(run_id, DAG_ID)
    lines, _ = backups.lines(run_id, "rehydrate", dag_id=DAG_ID)
    said = "\n".join(lines)
    assert "In the archive tier: 1 file" in said
    assert "Nothing that is to be restored is archived." in said
    assert backups.tree(place) == before


def test_a_restore_of_what_is_not_there_says_so(backups):
    backups.api.unpause(DAG_ID)
    run_id = backups.trigger(DAG_ID, source="user/nobody@example.com")
    assert backups.wait(run_id, dag_id=DAG_ID) == "failed"
    lines, tracebacks = backups.lines(run_id, "plan_restore", dag_id=DAG_ID)
    assert any("There is no snapshot of user/nobody@example.com" in line for line in lines)
    assert not [line for line in tracebacks if "Task failed" in line["event"]]

"""Run after run, as a user sees it: list, plan, copy, commit."""

from include.drive_backup.blob.names import parse_content
from include.drive_backup.report import readable, verdict
from tests.support.fake_drive import FakeDrive
from tests.support.flow import Backup
from tests.support.trees import file, folder, native, shortcut

ENTRIES = (
    folder(
        "Reports",
        file("q1.pdf", b"first quarter", id="q1"),
        native("Plan", content=b"plan v1", id="plan"),
        id="reports",
    ),
    file("a/b:c.txt", b"odd name", id="odd"),
    file("empty", b"", id="empty"),
    shortcut("to q1", "q1", id="short"),
    file("trash.txt", b"old", id="trash", trashed=True),
)


async def first_run():
    backup = Backup(FakeDrive(*ENTRIES))
    return backup, await backup.run()


async def test_the_first_run_saves_everything():
    backup, summary = await first_run()
    assert (summary["status"], summary["created"]) == ("complete", True)
    assert summary["counts"] == {"copied": 4, "metadata": 2}
    assert summary["left_out"] == {"trashed": 1}
    assert await backup.restored(summary) == {
        "q1": b"first quarter",
        "plan": b"plan v1",
        "odd": b"odd name",
        "empty": b"",
    }
    rows = await backup.rows(summary)
    assert {ident: row["path"] for ident, row in rows.items()} == {
        "reports": "Reports",
        "q1": "Reports/q1.pdf",
        "plan": "Reports/Plan",
        "odd": "a%2Fb:c.txt",
        "empty": "empty",
        "short": "to q1",
    }
    assert {row["fidelity"] for row in rows.values()} == {"exact"}


async def test_the_second_run_copies_nothing():
    backup, _ = await first_run()
    before = backup.contents()
    backup.drive.reads.clear()
    summary = await backup.run("2026-03-02")
    assert summary["counts"] == {"unchanged": 4, "metadata": 2}
    assert not backup.drive.reads
    assert backup.contents() == before
    assert len(await backup.restored(summary)) == 4


async def test_a_changed_file_is_copied_and_the_old_version_stays():
    backup, first = await first_run()
    backup.drive.write("q1", b"corrected", "2026-03-01T12:00:00.000Z")
    backup.drive.write("plan", b"plan v2", "2026-03-01T12:00:00.000Z")
    backup.drive.reads.clear()
    second = await backup.run("2026-03-02")
    assert set(backup.drive.reads) == {"q1", "plan"}
    assert (await backup.restored(second))["q1"] == b"corrected"
    assert (await backup.restored(second))["plan"] == b"plan v2"
    assert (await backup.restored(first))["q1"] == b"first quarter"
    versions = [parse_content(name) for name in backup.contents()]
    assert len([version for version in versions if version.segment == "q1.pdf"]) == 2


async def test_a_renamed_and_moved_file_is_not_downloaded_again():
    backup, first = await first_run()
    backup.drive.change("q1", name="renamed.pdf", parents=["root-id"])
    backup.drive.reads.clear()
    second = await backup.run("2026-03-02")
    assert not backup.drive.reads
    assert (await backup.rows(second))["q1"]["path"] == "renamed.pdf"
    assert (await backup.rows(second))["q1"]["contents"] == (await backup.rows(first))["q1"]["contents"]


async def test_a_copy_of_a_stored_file_is_not_downloaded():
    backup, _ = await first_run()
    backup.drive.add(file("copy.pdf", b"first quarter", id="copy"))
    backup.drive.reads.clear()
    summary = await backup.run("2026-03-02")
    assert not backup.drive.reads
    assert summary["counts"]["known"] == 1
    assert (await backup.restored(summary))["copy"] == b"first quarter"


async def test_a_deleted_file_is_no_longer_in_the_snapshot_but_still_in_the_old_one():
    backup, first = await first_run()
    backup.drive.delete("q1")
    second = await backup.run("2026-03-02")
    assert "q1" not in await backup.rows(second)
    assert (await backup.restored(first))["q1"] == b"first quarter"


async def test_the_same_instant_again_stores_nothing():
    backup, first = await first_run()
    before = {name for name in backup.store.blobs if not name.startswith("work/")}
    second = await backup.run()
    assert not second["created"]
    assert second["manifest"] == first["manifest"]
    assert {name for name in backup.store.blobs if not name.startswith("work/")} == before


async def test_the_same_instant_again_stores_nothing_although_a_file_changed_since():
    backup, first = await first_run()
    backup.written("2026-03-01T01:00")
    backup.drive.write("q1", b"changed after the instant", "2026-03-05T00:00:00.000Z")
    before = backup.contents()
    again = await backup.run()
    assert (again["created"], again["manifest"]) == (False, first["manifest"])
    assert backup.contents() == before


async def test_a_late_run_says_which_files_it_only_has_as_they_are_now():
    backup, _ = await first_run()
    backup.written("2026-03-01T01:00")
    backup.drive.write("q1", b"changed before the next instant, and", "2026-03-01T12:00:00.000Z")
    backup.drive.write("q1", b"changed after it", "2026-03-05T00:00:00.000Z")
    summary = await backup.run("2026-03-02")
    rows = await backup.rows(summary)
    assert {ident: row["fidelity"] for ident, row in rows.items() if row["fidelity"] != "exact"} == {"q1": "head-later"}
    assert (await backup.restored(summary))["q1"] == b"changed after it"


async def test_a_partial_snapshot_is_completed_by_the_next_run_of_its_instant():
    backup = Backup(FakeDrive(*ENTRIES))
    plan, _ = await backup.plan()
    partial = await backup.commit(plan)
    assert partial["status"] == "partial"
    complete = await backup.run()
    assert (complete["status"], complete["generation"]) == ("complete", 2)
    assert len(await backup.restored(complete)) == 4


async def test_a_folder_source_is_its_subtree():
    backup = Backup(FakeDrive(*ENTRIES))
    summary = await backup.run(source="folder/reports")
    rows = await backup.rows(summary)
    assert {row["path"] for row in rows.values()} == {"q1.pdf", "Plan"}
    assert all(name.startswith("content/folder/reports/") for name in backup.contents())


async def test_the_report_and_the_verdict_of_a_good_run():
    backup, summary = await first_run()
    plan, _ = await backup.plan()
    text = readable([plan.to_dict()], [summary])
    assert "COMPLETE, 6 items" in text
    assert "4 copied" in text
    assert "1 in the trash" in text
    verdict([plan.to_dict()], [summary])


async def test_a_document_is_stored_in_each_format_that_is_asked_for():
    backup = Backup(FakeDrive(native("Plan", content=b"plan v1", id="plan")))
    summary = await backup.run(formats={"document": ("docx", "pdf")})
    row = (await backup.rows(summary))["plan"]
    assert sorted(content["format"] for content in row["contents"]) == ["docx", "pdf"]
    assert sorted(name.rpartition(".")[2] for name in backup.contents()) == ["docx", "pdf"]


async def test_a_format_that_is_asked_for_later_is_all_that_is_copied():
    backup = Backup(FakeDrive(native("Plan", content=b"plan v1", id="plan")))
    await backup.run(formats={"document": ("docx",)})
    summary = await backup.run("2026-03-02", formats={"document": ("docx", "pdf")})
    assert backup.drive.reads["plan"] == 2
    assert len((await backup.rows(summary))["plan"]["contents"]) == 2

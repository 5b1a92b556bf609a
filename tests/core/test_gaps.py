"""What could not be saved is said: a row with Drive's reason, counted in the manifest, grouped in the report."""

import pytest

from include.drive_backup.errors import TransientError
from include.drive_backup.report import readable
from include.local_cloud.drive import ANN, BOB, edits
from include.local_cloud.drive.faults import Rule
from tests.support.local_drive import LocalDrive, backup_of

REFUSED = [
    ("insufficientFilePermissions", "The user does not have sufficient permissions for this file."),
    ("cannotDownloadFile", "This file cannot be downloaded by the user."),
    ("appNotAuthorizedToFile", "The user has not granted the app access to the file."),
]


async def backed_up(local, *rules, source=f"user/{ANN}", formats=None, **settings):
    """The summary, the rows by name, and what the report says."""
    async with backup_of(local, **settings) as backup:
        local.server.service.faults.rules += rules
        plan, batches = await backup.plan(source=source, formats=formats)
        for batch in batches:
            await backup.copy(batch)
        summary = await backup.commit(plan)
        rows = await backup.rows(summary)
    return summary, {row["name"]: row for row in rows.values()}, readable([plan.to_dict()], [summary])


def assert_said(found, name, reason):
    """The gap is in the row, in the manifest and in the report, and the rest is complete."""
    summary, rows, report = found
    assert (rows[name]["outcome"], rows[name]["reason"]) == ("unavailable", reason)
    assert rows[name]["message"]
    assert rows[name]["fidelity"] == "unavailable"
    assert (summary["status"], summary["counts"]["unavailable"]) == ("complete", 1)
    assert summary["reasons"][reason]["count"] == 1
    assert f"1 for {reason}: /{rows[name]['path']}" in report


@pytest.mark.parametrize(("reason", "message"), REFUSED)
async def test_a_file_that_drive_refuses_for_good(reason, message):
    local = LocalDrive()
    local.file("good.txt")
    refused = local.file("refused.txt")
    rule = Rule(
        kind="error", routes=["files.get.media"], files=[refused.id], status=403, reason=reason, message=message
    )
    assert_said(await backed_up(local, rule), "refused.txt", reason)


async def test_a_file_without_the_right_to_download():
    local = LocalDrive()
    local.file("closed.pdf").downloadable = False
    found = await backed_up(local)
    assert_said(found, "closed.pdf", "cannotDownloadFile")
    assert local.calls("files.get.media") == 0


async def test_a_file_that_is_flagged_as_malware():
    local = LocalDrive()
    local.file("flagged.exe").abusive = True
    assert_said(await backed_up(local), "flagged.exe", "cannotDownloadAbusiveFile")


async def test_a_flagged_file_of_ones_own_is_saved_when_the_job_says_so():
    local = LocalDrive()
    local.file("flagged.exe", content=b"MZ").abusive = True
    summary, rows, _ = await backed_up(local, acknowledge_abuse=True)
    assert rows["flagged.exe"]["outcome"] == "copied"
    assert summary["reasons"] == {}


async def test_a_folder_of_limited_access_is_a_gap_and_no_empty_folder():
    local = LocalDrive()
    together = local.folder("Together")
    local.share(together, BOB, "writer")
    limited = local.folder("Limited", together.id, by=BOB)
    limited.limited = True
    local.file("hidden.txt", limited.id, by=BOB)
    found = await backed_up(local)
    assert_said(found, "Limited", "cannotListChildren")
    assert "hidden.txt" not in found[1]


async def test_a_listing_that_says_it_is_incomplete_makes_the_snapshot_partial():
    local = LocalDrive()
    local.file("a.txt")
    local.server.service.faults.settings.incomplete_search = True
    summary, _, report = await backed_up(local)
    assert (summary["status"], summary["listing_complete"]) == ("partial", False)
    assert "INCOMPLETE by Drive's own word" in report


@pytest.mark.parametrize("kind", ["form", "site", "map", "fusiontable", "mail-layout", "brand-new"])
async def test_a_type_that_drive_does_not_export(kind):
    local = LocalDrive()
    local.native("It", kind)
    assert_said(await backed_up(local), "It", "notExportable")


async def test_an_export_that_no_route_gives():
    local = LocalDrive()
    refused = Rule(kind="error", routes=["files.export", "files.download", "export-link"], status=403)
    refused.reason, refused.message = "exportSizeLimitExceeded", "This file is too large to be exported."
    local.native("Huge", "document")
    found = await backed_up(local, refused)
    assert_said(found, "Huge", "exportSizeLimitExceeded")
    assert local.calls("files.download") == 1


async def test_one_format_that_drive_refuses_is_counted_although_others_are_stored():
    local = LocalDrive()
    local.native("Letter", "document")
    formats = {"document": ("docx", "epub")}
    async with backup_of(local) as backup:
        plan, [batch] = await backup.plan(formats=formats)
        refused = Rule(kind="error", routes=["files.export", "files.download", "export-link"], status=403, count=1)
        refused.reason, refused.message = "cannotExportFile", "This file cannot be exported."
        local.server.service.faults.rules.append(refused)
        await backup.copy(batch, in_flight=1)
        summary = await backup.commit(plan)
        [row] = (await backup.rows(summary)).values()
    assert (row["outcome"], row["reason"], len(row["contents"])) == ("copied", "cannotExportFile", 1)
    assert summary["reasons"]["cannotExportFile"]["count"] == 1


async def test_a_file_that_is_deleted_before_it_is_copied():
    local = LocalDrive()
    local.file("kept.txt")
    gone = local.file("gone.txt")
    async with backup_of(local) as backup:
        plan, [batch] = await backup.plan()
        local.state.remove(gone)
        await backup.copy(batch)
        summary = await backup.commit(plan)
        rows = await backup.rows(summary)
    assert (rows[gone.id]["outcome"], rows[gone.id]["reason"]) == ("unavailable", "notFound")
    assert summary["reasons"]["notFound"]["count"] == 1


async def test_what_is_left_in_the_trash_is_counted():
    local = LocalDrive()
    edits.trash(local.state, local.file("old.txt"), by=ANN)
    _, _, report = await backed_up(local)
    assert "1 in the trash" in report


@pytest.mark.parametrize("reason", ["downloadQuotaExceeded", "UrlLeaseLimitExceeded"])
async def test_a_file_that_drive_gives_to_nobody_today_is_failed_and_the_next_run_saves_it(reason):
    local = LocalDrive()
    wanted = local.file("wanted.bin")
    local.file("other.bin", content=b"other")
    rule = Rule(kind="error", routes=["files.get.media"], files=[wanted.id], status=403, reason=reason, message="No.")
    async with backup_of(local) as backup:
        local.server.service.faults.rules.append(rule)
        plan, (batch,) = await backup.plan()
        if reason == "downloadQuotaExceeded":
            # It lasts a day: a further try within the hour is of no use.
            assert (await backup.copy(batch))["failed"] == 1
        else:
            with pytest.raises(TransientError, match="A later run saves it"):
                await backup.copy(batch)
        asked = local.calls("files.get.media")
        summary = await backup.commit(plan)
        rows = {row["name"]: row for row in (await backup.rows(summary)).values()}
        assert (summary["status"], rows["other.bin"]["outcome"]) == ("partial", "copied")
        assert (rows["wanted.bin"]["outcome"], rows["wanted.bin"]["reason"]) == ("failed", reason)
        assert asked == 2
        local.server.service.faults.rules.clear()
        assert (await backup.run("2026-03-02"))["status"] == "complete"

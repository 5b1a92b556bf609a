"""What Drive gives is what its row says: damaged exports are never stored as good, and a row says what was checked."""

from contextlib import suppress

from include.drive_backup.errors import TransientError
from include.local_cloud.drive.faults import Rule
from tests.support.local_drive import LocalDrive, backup_of

FORMATS = {"document": ("docx",), "drawing": ("pdf",), "spreadsheet": ("csv",)}


async def committed(backup, plan, batches):
    """Commit whatever the batches did."""
    for batch in batches:
        with suppress(TransientError):
            await backup.copy(batch)
    summary = await backup.commit(plan)
    return summary, {row["name"]: row for row in (await backup.rows(summary)).values()}


async def test_a_document_whose_export_is_damaged_is_failed_with_a_reason_and_comes_with_the_next_run():
    local = LocalDrive()
    local.native("Letter", "document")
    local.file("good.txt")
    async with backup_of(local) as backup:
        rules = local.server.service.faults.rules
        rules.append(Rule(kind="corrupt", routes=["*export*", "*download*"], at=70))
        plan, batches = await backup.plan(formats=FORMATS)
        summary, rows = await committed(backup, plan, batches)
        assert summary["status"] == "partial"
        assert (rows["Letter"]["outcome"], rows["Letter"]["reason"]) == ("failed", "damagedExport")
        assert "Letter" in rows["Letter"]["message"]
        assert "CRC" in rows["Letter"]["message"]
        assert rows["Letter"]["contents"] == []
        assert rows["good.txt"]["outcome"] == "copied"

        rules.clear()
        plan, batches = await backup.plan(formats=FORMATS, instant="2026-03-02")
        summary, rows = await committed(backup, plan, batches)
        assert summary["status"] == "complete"
        assert rows["Letter"]["contents"][0]["checked"] == "crc"


async def test_each_content_says_what_it_was_held_against():
    local = LocalDrive()
    for name, kind in (("Letter", "document"), ("Plan", "drawing"), ("Numbers", "spreadsheet")):
        local.native(name, kind)
    local.file("a.txt")
    async with backup_of(local) as backup:
        summary = await backup.run(formats=FORMATS)
        rows = {row["name"]: row for row in (await backup.rows(summary)).values()}
        checked = {name: [content["checked"] for content in row["contents"]] for name, row in rows.items()}
        expected = {"Letter": ["crc"], "Plan": ["whole"], "Numbers": ["nothing"], "a.txt": ["checksum"]}
        assert {name: checked[name] for name in expected} == expected


async def test_the_next_snapshot_says_the_same_of_what_did_not_change():
    local = LocalDrive()
    local.native("Numbers", "spreadsheet")
    async with backup_of(local) as backup:
        await backup.run(formats=FORMATS)
        exports = local.calls("files.export")
        summary = await backup.run(formats=FORMATS, instant="2026-03-02")
        row = next(row for row in (await backup.rows(summary)).values() if row["name"] == "Numbers")
        assert (row["outcome"], row["contents"][0]["checked"]) == ("unchanged", "nothing")
        assert local.calls("files.export") == exports

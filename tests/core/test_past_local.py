"""Earlier versions as Drive's stand-in gives them: a document's by its links, a file's only when it is kept forever."""

from __future__ import annotations

import io
import zipfile

from include.local_cloud.drive import ANN, edits
from include.local_cloud.drive.admin_edits import Edit, apply
from include.local_cloud.drive.content import BytesContent, NativeContent
from tests.support.fake_drive import at
from tests.support.local_drive import LocalDrive, backup_of


def edit(local, item, content, day):
    edits.write(local.state, item, content, by=ANN, at=int(at(f"2026-02-{day:02d}T08:00").timestamp() * 1000))


async def test_a_document_and_a_kept_file_as_they_were():
    local = LocalDrive()
    letter = local.native("Letter", "document", text="first words")
    kept, lost = local.file("kept.txt", content=b"kept 1"), local.file("lost.txt", content=b"lost 1")
    kept.revisions[0].keep = True
    local.state.clock.freeze(int(at("2026-02-05T08:00").timestamp() * 1000))
    edit(local, letter, NativeContent("second words", 0), 5)
    edit(local, kept, BytesContent(b"kept 2"), 5)
    edit(local, lost, BytesContent(b"lost 2"), 5)
    async with backup_of(local) as backup:
        summary = await backup.run("2026-02-03", "user/ann@example.com")
        rows, data = await backup.rows(summary), await backup.restored(summary)
    assert {rows[each.id]["fidelity"] for each in (letter, kept)} == {"revision"}
    assert (rows[lost.id]["fidelity"], data[lost.id]) == ("head-later", b"lost 2")
    assert data[kept.id] == b"kept 1"
    with zipfile.ZipFile(io.BytesIO(data[letter.id])) as document:
        assert b"first words" in document.read("word/document.xml")


async def test_a_day_that_is_over_after_people_renamed_moved_threw_away_and_deleted():
    local = LocalDrive()
    local.state.clock.freeze(ms("2026-02-28"))
    kept = local.folder("Kept")
    thrown = local.folder("Thrown")
    names = ("renamed", "moved", "deleted", "early")
    files = {name: local.file(f"{name}.txt", kept.id, content=name.encode()) for name in names}
    local.file("inside.txt", thrown.id, content=b"inside")
    local.state.clock.freeze(ms("2026-03-09"))
    async with backup_of(local) as backup:
        summary = await backup.run("2026-03-01")
        everything = await shown(backup, summary)
        for edit in (
            Edit("rename", file=files["early"].id, name="early 2.txt", at="2026-03-02T12:00:00Z"),
            Edit("rename", file=files["renamed"].id, name="other.txt", at="2026-03-05T12:00:00Z"),
            Edit("move", file=files["moved"].id, parent=local.root, at="2026-03-05T12:00:00Z"),
            Edit("delete", file=files["deleted"].id, at="2026-03-05T12:00:00Z"),
            Edit("trash", file=thrown.id, at="2026-03-05T12:00:00Z"),
        ):
            apply(local.state, edit)
        backup.clock.set(at("2026-03-09T00:10"))
        found = await shown(backup, await backup.run("2026-03-04"))
        downloads = backup.drive.use.bytes
        late = await shown(backup, await backup.run("2026-03-07"))
        assert backup.drive.use.bytes == downloads
    assert everything["inside.txt"] == ("Thrown/inside.txt", b"inside", "exact")
    assert found == {
        "Kept": ("Kept", None, "exact"),
        "early 2.txt": ("Kept/early 2.txt", b"early", "exact"),
        "other.txt": ("Kept/other.txt", b"renamed", "revision"),
        "moved.txt": ("moved.txt", b"moved", "place-later"),
        "deleted.txt": ("Kept/deleted.txt", b"deleted", "earlier"),
        "Thrown": ("Thrown", None, "earlier"),
        "inside.txt": ("Thrown/inside.txt", b"inside", "place-later"),
    }
    assert late.keys() == {"Kept", "early 2.txt", "other.txt", "moved.txt"}
    assert {fidelity for _, _, fidelity in late.values()} == {"exact"}


def ms(day):
    return int(at(day).timestamp() * 1000)


async def shown(backup, summary):
    data = await backup.restored(summary)
    return {
        row["name"]: (row["path"], data.get(ident), row["fidelity"])
        for ident, row in (await backup.rows(summary)).items()
    }

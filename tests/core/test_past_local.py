"""Earlier versions as Drive's stand-in gives them: a document's by its links, a file's only when it is kept forever."""

from __future__ import annotations

import io
import zipfile

from include.local_cloud.drive import ANN, edits
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

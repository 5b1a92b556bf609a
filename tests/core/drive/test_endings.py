"""A cut export is noticed even where nothing but the connection's end marks the body's end."""

from __future__ import annotations

import io
import zipfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from include.drive_backup.drive.endings import Ending
from include.drive_backup.drive.source import GoogleDrive
from include.drive_backup.errors import BrokenBodyError
from include.drive_backup.model import Item
from tests.support.scripted_drive import ScriptedServer, raw


def document(comment: bytes = b"", paragraphs: int = 500) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("word/document.xml", "<w:p/>" * paragraphs)
        archive.comment = comment
    return buffer.getvalue()


WHOLE = [
    document(),
    document(b"c" * 65_535),
    document(paragraphs=100_000),
    b"%PDF-1.7\n" + b"x" * 5_000 + b"\n%%EOF\n",
    b"\x89PNG\r\n\x1a\n" + b"x" * 500 + b"\0\0\0\0IEND\xaeB`\x82",
    b"\xff\xd8\xff\xe0" + b"x" * 500 + b"\xff\xd9",
    b'<svg xmlns="http://www.w3.org/2000/svg">' + b"<g/>" * 300 + b"</svg>\n",
    b"{\\rtf1 " + b"x" * 500 + b"}",
]


def missing(pieces: list[bytes]) -> bool:
    ending = Ending()
    for piece in pieces:
        ending.see(piece)
    return ending.is_missing()


# Indices, because Hypothesis prints what it draws.
@settings(deadline=None)
@given(which=st.integers(0, len(WHOLE) - 1), size=st.integers(7, 70_000))
def test_a_whole_body_is_whole_however_it_is_cut_into_pieces(which: int, size: int) -> None:
    body = WHOLE[which]
    assert not missing([body[start : start + size] for start in range(0, len(body), size)])


@given(which=st.integers(0, len(WHOLE) - 1), share=st.floats(0.05, 0.95))
def test_a_body_that_lost_its_end_is_noticed(which: int, share: float) -> None:
    body = WHOLE[which]
    end = body.rfind(b"PK\x05\x06") if body.startswith(b"PK") else len(body) - 8
    assert missing([body[: max(10, int(end * share))]])


@pytest.mark.parametrize("body", [b"", b"text", b"a,b\n1,2", b'{"files": []}', b"made up, not a zip"])
def test_of_other_formats_nothing_is_claimed(body: bytes) -> None:
    assert not missing([body])


async def test_an_export_that_http_calls_whole_but_is_cut_is_broken(drive: GoogleDrive, server: ScriptedServer) -> None:
    async def read() -> bytes:
        async with drive.open_content(item, "application/zip") as body:
            return b"".join([piece async for piece in body])

    item = Item.from_resource({"id": "f1", "name": "Doc", "mimeType": "application/vnd.google-apps.document"})
    server.on("/drive/v3/files/f1/export", raw(document()[:3_000], "application/zip"))
    with pytest.raises(BrokenBodyError, match="has no end"):
        await read()

    server.on("/drive/v3/files/f1/export", raw(document(), "application/zip"))
    assert await read() == document()

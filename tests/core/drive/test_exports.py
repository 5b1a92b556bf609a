"""An export is what was asked for and whole, or it is not taken. It has no checksum: format and type have to tell."""

from __future__ import annotations

import pytest
from aiohttp import web

from include.drive_backup.drive.source import GoogleDrive
from include.drive_backup.errors import BrokenBodyError, DriveBackupError, TransientError
from include.drive_backup.exports import MIME_TYPES
from include.drive_backup.model import Item
from tests.support import bodies
from tests.support.scripted_drive import Answer, ScriptedServer, raw, refusal

ERROR = b'{"error": {"code": 500, "message": "Internal Error", "errors": [{"reason": "internalError"}]}}'
TEXT = b"Sorry, unable to open the file at this time. Please check the address and try again."
PAGE = b'<?xml version="1.0"?>\n<html xmlns="http://www.w3.org/1999/xhtml"><body>Sign in</body></html>'
WRONG = {
    "error": raw(ERROR, "application/json"),
    "error, no type": raw(ERROR),
    "text": raw(TEXT, "text/plain"),
    "xhtml": raw(PAGE, "application/xhtml+xml"),
    "xml": raw(PAGE, "text/xml"),
    "html, no type": raw(b"<!DOCTYPE html><html><body>Sign in</body></html>"),
    "empty": raw(b""),
}


def native(kind: str = "document") -> Item:
    return Item.from_resource({"id": "f1", "name": "Doc", "mimeType": f"application/vnd.google-apps.{kind}"})


async def export(drive: GoogleDrive, server: ScriptedServer, extension: str, answer: Answer) -> bytes:
    server.on("/drive/v3/files/f1/export", answer)
    async with drive.open_content(native(), MIME_TYPES[extension][0]) as body:
        return b"".join([piece async for piece in body])


@pytest.mark.parametrize("wrong", WRONG)
@pytest.mark.parametrize("extension", bodies.WHOLE)
async def test_an_answer_of_another_format_is_no_export(
    drive: GoogleDrive, server: ScriptedServer, extension: str, wrong: str
) -> None:
    with pytest.raises(TransientError):
        await export(drive, server, extension, WRONG[wrong])


@pytest.mark.parametrize("wrong", WRONG)
@pytest.mark.parametrize("extension", bodies.WHOLE)
async def test_no_error_under_the_name_of_the_format_is_an_export(
    drive: GoogleDrive, server: ScriptedServer, extension: str, wrong: str
) -> None:
    body = {"text": TEXT, "xhtml": PAGE, "xml": PAGE, "empty": b""}.get(wrong, ERROR)
    with pytest.raises(TransientError):
        await export(drive, server, extension, raw(body, MIME_TYPES[extension][0]))


@pytest.mark.parametrize("wrong", ["error", "xhtml", "xml"])
@pytest.mark.parametrize("extension", bodies.TEXTS)
async def test_a_text_export_goes_by_the_type_of_the_answer(
    drive: GoogleDrive, server: ScriptedServer, extension: str, wrong: str
) -> None:
    with pytest.raises(TransientError):
        await export(drive, server, extension, WRONG[wrong])


@pytest.mark.parametrize("named", ["text/plain", "text/csv", "text/x-markdown", "text/comma-separated-values"])
@pytest.mark.parametrize("extension", ["csv", "tsv", "md", "txt"])
async def test_a_text_may_have_another_name_for_its_kind_of_text(
    drive: GoogleDrive, server: ScriptedServer, extension: str, named: str
) -> None:
    assert await export(drive, server, extension, raw(TEXT, named)) == TEXT


@pytest.mark.parametrize(
    "begin",
    [b"%PDF-1.7 is how a PDF begins", b"<svg> is a tag", b"{\\rtf1 too", b"<html>", b"PK\x03\x04", b'{"error":'],
)
@pytest.mark.parametrize("extension", bodies.TEXTS)
async def test_a_text_may_begin_like_anything(
    drive: GoogleDrive, server: ScriptedServer, extension: str, begin: bytes
) -> None:
    answer = raw(begin, MIME_TYPES[extension][0])
    assert await export(drive, server, extension, answer) == begin


@pytest.mark.parametrize("extension", bodies.WHOLE)
async def test_what_lost_its_end_is_no_export(drive: GoogleDrive, server: ScriptedServer, extension: str) -> None:
    whole, mime_type = bodies.WHOLE[extension], MIME_TYPES[extension][0]
    assert await export(drive, server, extension, raw(whole, mime_type)) == whole
    for left in (len(whole) // 2, len(whole) * 9 // 10):
        with pytest.raises(TransientError):
            await export(drive, server, extension, raw(whole[:left], mime_type))


async def test_a_changed_byte_in_a_document_is_seen(drive: GoogleDrive, server: ScriptedServer) -> None:
    whole = bodies.office("docx", "text " * 50, stored=True)
    at = whole.index(b"text text")
    spoilt = whole[:at] + b"T" + whole[at + 1 :]
    with pytest.raises(TransientError, match="Doc"):
        await export(drive, server, "docx", raw(spoilt, MIME_TYPES["docx"][0]))


@pytest.mark.parametrize("page", [raw(PAGE, "application/xhtml+xml"), raw(PAGE, "text/html")])
async def test_a_file_without_checksums_is_no_web_page(
    drive: GoogleDrive, server: ScriptedServer, page: Answer
) -> None:
    item = Item.from_resource({"id": "f1", "name": "a.bin", "mimeType": "application/x", "size": str(len(PAGE))})
    server.on("/drive/v3/files/f1", page)
    with pytest.raises(DriveBackupError, match="web page"):
        async with drive.open_content(item, None) as body:
            assert [piece async for piece in body]


@pytest.mark.parametrize("more", [{"mimeType": "text/html"}, {"mimeType": "application/x", "name": "a.HTM"}])
async def test_a_web_page_that_is_a_file_is_its_content(
    drive: GoogleDrive, server: ScriptedServer, more: dict[str, str]
) -> None:
    item = Item.from_resource({"id": "f1", "name": "a", **more})
    server.on("/drive/v3/files/f1", raw(PAGE, "text/html"))
    async with drive.open_content(item, None) as body:
        assert b"".join([piece async for piece in body]) == PAGE


async def test_an_export_that_http_calls_whole_but_is_cut_is_broken(drive: GoogleDrive, server: ScriptedServer) -> None:
    whole = bodies.zipped({"word/document.xml": b"<w:p/>" * 500})
    with pytest.raises(BrokenBodyError, match="has no end"):
        await export(drive, server, "zip", raw(whole[:-30], "application/zip"))
    assert await export(drive, server, "zip", raw(whole, "application/zip")) == whole


@pytest.mark.parametrize("extension", [*bodies.WHOLE, *bodies.TEXTS])
async def test_the_check_of_an_export_says_what_it_was_worth(
    drive: GoogleDrive, server: ScriptedServer, extension: str
) -> None:
    whole, expected = bodies.WHOLE.get(extension, b"a,b"), "whole"
    if extension in bodies.TEXTS:
        expected = "length"
    elif whole.startswith((b"PK", b"\x89PNG")):
        expected = "crc"
    server.on("/drive/v3/files/f1/export", raw(whole, MIME_TYPES[extension][0]))
    async with drive.open_content(native(), MIME_TYPES[extension][0]) as body:
        assert [piece async for piece in body]
    assert body.checked == expected


async def test_of_a_text_whose_length_nobody_told_nothing_is_claimed(
    drive: GoogleDrive, server: ScriptedServer
) -> None:
    async def chunked(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/plain; charset=UTF-8"})
        response.enable_chunked_encoding()
        await response.prepare(request)
        await response.write(b"text")
        return response

    server.on("/drive/v3/files/f1/export", chunked)
    async with drive.open_content(native(), "text/plain") as body:
        assert [piece async for piece in body] == [b"text"]
    assert body.checked == "nothing"


async def test_an_error_on_every_route_is_worth_another_read(drive: GoogleDrive, server: ScriptedServer) -> None:
    server.on("/drive/v3/files/f1/download", refusal(404, "notFound"), method="POST")
    with pytest.raises(BrokenBodyError) as caught:
        await export(drive, server, "docx", WRONG["error"])
    assert caught.value.reason == "wrongType"


async def test_an_error_in_the_place_of_an_export_means_the_next_route(
    drive: GoogleDrive, server: ScriptedServer
) -> None:
    links = {MIME_TYPES["docx"][0]: f"{server.url}/link"}
    item = Item.from_resource({"id": "f1", "mimeType": "application/vnd.google-apps.document", "exportLinks": links})
    server.on("/drive/v3/files/f1/export", WRONG["error"])
    server.on("/link", raw(bodies.WHOLE["docx"], MIME_TYPES["docx"][0]))
    async with drive.open_content(item, MIME_TYPES["docx"][0]) as body:
        assert b"".join([piece async for piece in body]) == bodies.WHOLE["docx"]


@pytest.mark.parametrize("checked", [{"md5Checksum": "0" * 32}, {"sha256Checksum": "0" * 64}])
async def test_of_a_file_with_a_checksum_that_tells_all_the_type_tells_nothing(
    drive: GoogleDrive, server: ScriptedServer, checked: dict[str, str]
) -> None:
    item = Item.from_resource({"id": "f1", "name": "a.bin", "mimeType": "application/x", **checked})
    server.on("/drive/v3/files/f1", raw(PAGE, "text/html"))
    async with drive.open_content(item, None) as body:
        assert b"".join([piece async for piece in body]) == PAGE

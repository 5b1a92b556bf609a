"""The bytes of an item: whole, or an error that says why not."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from include.drive_backup.drive.client import DriveSettings
from include.drive_backup.drive.content import may_acknowledge_abuse, offered
from include.drive_backup.drive.source import GoogleDrive
from include.drive_backup.errors import (
    BrokenBodyError,
    CredentialsError,
    DriveBackupError,
    ItemUnavailableError,
    RateLimitError,
    ServiceUnavailableError,
)
from include.drive_backup.model import Item
from include.drive_backup.pacing import QuotaLimiter
from tests.support import bodies
from tests.support.scripted_drive import (
    FakeClock,
    FakeTokens,
    ScriptedServer,
    cut,
    ok,
    raw,
    redirect,
    refusal,
)

FILE = "/drive/v3/files/f1"
DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
DOC = "application/vnd.google-apps.document"
TOO_LARGE = refusal(403, "exportSizeLimitExceeded", "This file is too large to be exported.")
DOCUMENT = bodies.WHOLE["docx"]
LOGIN = raw(b"<html>Sign in</html>", "text/html")


def blob(**more: object) -> Item:
    return Item.from_resource({"id": "f1", "name": "a.bin", "mimeType": "application/x", **more})


def native(server: ScriptedServer, link: str | None = "/export?format=docx", mime: str = DOCX) -> Item:
    links = {"exportLinks": {mime: server.url + link}} if link else {}
    return Item.from_resource({"id": "f1", "name": "Doc", "mimeType": DOC, **links})


async def read(drive: GoogleDrive, item: Item, export: str | None = None) -> bytes:
    async with drive.open_content(item, export) as body:
        return b"".join([piece async for piece in body])


async def test_a_files_bytes_come_whole_and_are_counted(drive: GoogleDrive, server: ScriptedServer) -> None:
    data = bytes(range(256)) * 20_000
    server.on(FILE, raw(data))

    assert await read(drive, blob(resourceKey="k")) == data
    request = server.requests[0]
    assert request.query["alt"] == "media"
    assert "Range" not in request.headers
    assert request.headers["Accept-Encoding"] == "identity"
    assert request.headers["X-Goog-Drive-Resource-Keys"] == "f1/k"
    assert (drive.use.calls, drive.use.units, drive.use.bytes) == (1, 200, len(data))


@pytest.mark.parametrize("answer", [raw(b""), raw(b"", status=416, Content_Range="bytes */0")])
async def test_an_empty_file_is_empty(drive: GoogleDrive, server: ScriptedServer, answer: object) -> None:
    server.on(FILE, answer)

    assert await read(drive, blob(size="0")) == b""


async def test_416_for_a_file_with_content_is_an_error(drive: GoogleDrive, server: ScriptedServer) -> None:
    server.on(FILE, raw(b"", status=416))

    with pytest.raises(ServiceUnavailableError):
        await read(drive, blob(size="5"))


async def test_a_part_is_never_taken_for_the_whole(drive: GoogleDrive, server: ScriptedServer) -> None:
    server.on(FILE, raw(b"half", status=206))

    with pytest.raises(ServiceUnavailableError):
        await read(drive, blob(size="8"))


@pytest.mark.parametrize("length", [100_000, None], ids=["length", "chunked"])
async def test_a_body_that_ends_early_is_broken(drive: GoogleDrive, server: ScriptedServer, length: int | None) -> None:
    server.on(FILE, cut(b"x" * 50_000, length))

    with pytest.raises(BrokenBodyError, match="broke off"):
        await read(drive, blob())
    assert len(server.requests) == 1


async def test_a_body_that_stalls_is_broken(server: ScriptedServer, clock: FakeClock, tokens: FakeTokens) -> None:
    import asyncio

    from aiohttp import web

    async def stall(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"begin")
        await asyncio.sleep(30)
        return response

    server.on(FILE, stall)
    async with GoogleDrive(
        tokens,
        limiter=QuotaLimiter(clock),
        clock=clock,
        api_endpoint=server.url,
        settings=DriveSettings(read_timeout=0.1),
    ) as drive:
        with pytest.raises(BrokenBodyError):
            await read(drive, blob())


async def test_a_caller_that_stops_early_leaves_the_client_in_order(drive: GoogleDrive, server: ScriptedServer) -> None:
    server.on(FILE, raw(b"x" * 5_000_000))
    async with drive.open_content(blob(), None) as body:
        first = await anext(aiter(body))
    assert 0 < len(first) < 5_000_000

    server.on(FILE, raw(b"after"))
    assert await read(drive, blob()) == b"after"


async def test_an_outage_before_the_first_byte_is_retried(drive: GoogleDrive, server: ScriptedServer) -> None:
    server.on(FILE, refusal(503, "backendError"), raw(b"bytes"))

    assert await read(drive, blob()) == b"bytes"


async def test_no_download_right_is_the_items_own_fact(drive: GoogleDrive, server: ScriptedServer) -> None:
    server.on(FILE, refusal(403, "cannotDownloadFile"))

    with pytest.raises(ItemUnavailableError) as caught:
        await read(drive, blob())
    assert caught.value.reason == "cannotDownloadFile"


# --- flagged files -------------------------------------------------------------------------------------------------

FLAGGED = refusal(403, "cannotDownloadAbusiveFile")


@pytest.fixture
async def bold(server: ScriptedServer, clock: FakeClock, tokens: FakeTokens) -> AsyncIterator[GoogleDrive]:
    settings = DriveSettings(acknowledge_abuse=True)
    async with GoogleDrive(
        tokens, limiter=QuotaLimiter(clock), clock=clock, api_endpoint=server.url, settings=settings
    ) as drive:
        yield drive


async def test_a_flagged_file_is_left_alone_by_default(drive: GoogleDrive, server: ScriptedServer) -> None:
    server.on(FILE, FLAGGED)

    with pytest.raises(ItemUnavailableError, match="acknowledge_abuse"):
        await read(drive, blob(ownedByMe=True))
    assert len(server.requests) == 1


async def test_a_flagged_file_of_ours_is_acknowledged_once(bold: GoogleDrive, server: ScriptedServer) -> None:
    server.on(FILE, FLAGGED, raw(b"evil"))
    assert await read(bold, blob(ownedByMe=True)) == b"evil"
    assert [query.get("acknowledgeAbuse") for query in server.queries(FILE)] == [None, "true"]

    server.on(FILE, FLAGGED)
    with pytest.raises(ItemUnavailableError):
        await read(bold, blob(ownedByMe=True))
    assert len(server.requests) == 4


async def test_a_flagged_file_of_others_is_not_acknowledged(bold: GoogleDrive, server: ScriptedServer) -> None:
    server.on(FILE, FLAGGED)

    with pytest.raises(ItemUnavailableError):
        await read(bold, blob(ownedByMe=False))
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("more", "may"),
    [
        ({"ownedByMe": True}, True),
        ({"ownedByMe": False}, False),
        ({}, False),
        ({"driveId": "d", "capabilities": {"canDelete": True}}, True),
        ({"driveId": "d", "capabilities": {"canDelete": False}}, False),
        ({"driveId": "d"}, False),
    ],
)
def test_owners_and_organizers_may_acknowledge(more: dict[str, object], may: bool) -> None:
    assert may_acknowledge_abuse(blob(**more)) is may


# --- exports -------------------------------------------------------------------------------------------------------


async def test_an_export_comes_by_files_export(drive: GoogleDrive, server: ScriptedServer) -> None:
    server.on(f"{FILE}/export", raw(DOCUMENT, DOCX))

    assert await read(drive, native(server), DOCX) == DOCUMENT
    assert server.queries(f"{FILE}/export") == [{"mimeType": DOCX}]


async def test_a_large_export_comes_by_its_link_with_the_token(drive: GoogleDrive, server: ScriptedServer) -> None:
    server.on(f"{FILE}/export", TOO_LARGE)
    server.on("/export", redirect("/content"))
    server.on("/content", raw(DOCUMENT, DOCX))

    assert await read(drive, native(server), DOCX) == DOCUMENT
    assert server.requests[1].raw_path == "/export?format=docx"
    assert server.requests[1].headers["Authorization"] == "Bearer t0"


async def test_a_lasting_500_of_an_export_goes_to_the_link(drive: GoogleDrive, server: ScriptedServer) -> None:
    server.on(f"{FILE}/export", refusal(500, "internalError"))
    server.on("/export", raw(bodies.WHOLE["pdf"], "application/pdf"))

    assert await read(drive, native(server, mime="application/pdf"), "application/pdf") == bodies.WHOLE["pdf"]
    assert len(server.queries(f"{FILE}/export")) == 3


async def test_without_a_link_a_large_export_comes_by_a_long_running_operation(
    drive: GoogleDrive, server: ScriptedServer, clock: FakeClock
) -> None:
    server.on(f"{FILE}/export", TOO_LARGE)
    server.on(f"{FILE}/download", ok({"name": "operations/op1", "done": False}), method="POST")
    done = {"name": "op1", "done": True, "response": {"downloadUri": server.url + "/ready?x=1"}}
    server.on("/drive/v3/operations/op1", ok({"name": "op1"}), ok({"name": "op1"}), ok(done))
    server.on("/ready", raw(DOCUMENT, DOCX))

    assert await read(drive, native(server, link=None), DOCX) == DOCUMENT
    assert server.queries(f"{FILE}/download") == [{"mimeType": DOCX}]
    assert clock.sleeps == [1, 2, 4]


async def test_a_type_without_export_is_asked_for_by_operation(drive: GoogleDrive, server: ScriptedServer) -> None:
    server.on(f"{FILE}/export", refusal(403, "fileNotExportable"))
    done = {"name": "op1", "done": True, "response": {"downloadUri": server.url + "/ready"}}
    server.on(f"{FILE}/download", ok(done), method="POST")
    server.on("/ready", raw(bodies.WHOLE["mp4"], "video/mp4"))

    assert await read(drive, native(server, link=None), "video/mp4") == bodies.WHOLE["mp4"]


DENIED = ok({"name": "o", "done": True, "error": {"code": 3, "message": "no"}})
BUSY = ok({"name": "o", "done": True, "error": {"code": 14, "message": "later"}})
ABSENT = raw(b"<html>404</html>", "text/html", 404)


@pytest.mark.parametrize(
    ("export", "link", "operation", "kind", "reason"),
    [
        (TOO_LARGE, None, ABSENT, ItemUnavailableError, "exportSizeLimitExceeded"),
        (TOO_LARGE, None, DENIED, ItemUnavailableError, "exportSizeLimitExceeded"),
        (TOO_LARGE, None, BUSY, ServiceUnavailableError, "operationFailed"),
        (TOO_LARGE, LOGIN, ABSENT, ServiceUnavailableError, "loginPage"),
        (TOO_LARGE, refusal(401, "authError"), ABSENT, ServiceUnavailableError, "exportLink"),
        (TOO_LARGE, ABSENT, DENIED, ServiceUnavailableError, "exportLink"),
        (LOGIN, LOGIN, LOGIN, ServiceUnavailableError, "loginPage"),
        (refusal(403, "cannotExportFile"), LOGIN, ABSENT, ItemUnavailableError, "cannotExportFile"),
        (refusal(404, "notFound"), LOGIN, ABSENT, ItemUnavailableError, "notFound"),
        (refusal(403, "rateLimitExceeded"), LOGIN, ABSENT, RateLimitError, "rateLimitExceeded"),
        (refusal(401, "authError"), LOGIN, ABSENT, CredentialsError, "authError"),
    ],
)
async def test_when_no_route_leads_there_what_may_work_later_is_no_fact(
    drive: GoogleDrive,
    server: ScriptedServer,
    export: object,
    link: object,
    operation: object,
    kind: type[DriveBackupError],
    reason: str,
) -> None:
    server.on(f"{FILE}/export", export)
    server.on("/export", link)
    server.on(f"{FILE}/download", operation, method="POST")

    with pytest.raises(kind) as caught:
        await read(drive, native(server, "/export" if link else None), DOCX)
    assert caught.value.reason == reason


async def test_an_operation_that_never_ends_is_given_up(
    drive: GoogleDrive, server: ScriptedServer, clock: FakeClock
) -> None:
    server.on(f"{FILE}/export", TOO_LARGE)
    server.on(f"{FILE}/download", ok({"name": "op1"}), method="POST")
    server.on("/drive/v3/operations/op1", ok({"name": "op1"}))

    with pytest.raises(ServiceUnavailableError):
        await read(drive, native(server, link=None), DOCX)
    assert 500 < clock.time - 1000 < 800


async def test_html_that_was_asked_for_is_no_login_page(drive: GoogleDrive, server: ScriptedServer) -> None:
    server.on(f"{FILE}/export", raw(b"<html>text", "text/html"))

    assert await read(drive, native(server, link=None), "text/html") == b"<html>text"


async def test_an_empty_export_is_broken_unless_it_is_text(drive: GoogleDrive, server: ScriptedServer) -> None:
    server.on(f"{FILE}/export", raw(b"", DOCX))
    with pytest.raises(BrokenBodyError):
        await read(drive, native(server), DOCX)

    server.on(f"{FILE}/export", raw(b"", "text/plain"))
    assert await read(drive, native(server), "text/plain") == b""


@pytest.mark.parametrize(
    ("wanted", "links", "name"),
    [
        (DOCX, [DOCX], DOCX),
        ("text/markdown", ["text/x-markdown"], "text/x-markdown"),
        ("text/markdown", ["text/x-markdown", "text/markdown"], "text/markdown"),
        (
            "application/vnd.oasis.opendocument.spreadsheet",
            ["application/x-vnd.oasis.opendocument.spreadsheet"],
            "application/x-vnd.oasis.opendocument.spreadsheet",
        ),
        ("application/pdf", [DOCX], "application/pdf"),
        ("application/pdf", [], "application/pdf"),
    ],
)
def test_a_format_goes_by_the_name_that_the_item_offers(wanted: str, links: list[str], name: str) -> None:
    item = Item.from_resource({"id": "x", "mimeType": DOC, "exportLinks": dict.fromkeys(links, "u")})
    assert offered(item, wanted) == name

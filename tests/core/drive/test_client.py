"""Single calls: what is sent, what is tried again, where the token may go."""

from __future__ import annotations

import asyncio
import logging

import pytest
from yarl import URL

from include.drive_backup.drive.client import DriveSettings
from include.drive_backup.drive.errors import UnexpectedAnswerError
from include.drive_backup.drive.hosts import may_have_token
from include.drive_backup.drive.source import GoogleDrive
from include.drive_backup.errors import (
    CredentialsError,
    DailyQuotaError,
    ItemUnavailableError,
    RateLimitError,
    ServiceUnavailableError,
)
from include.drive_backup.model import ApiUse, Item
from include.drive_backup.pacing import QuotaLimiter
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
ITEM = {"id": "f1", "name": "a.txt", "mimeType": "text/plain"}


async def content(drive: GoogleDrive, item: Item) -> bytes:
    async with drive.open_content(item, None) as body:
        return b"".join([piece async for piece in body])


async def test_a_call_carries_token_gzip_rule_mask_and_all_drives(drive: GoogleDrive, server: ScriptedServer) -> None:
    server.on(FILE, ok(ITEM))

    assert (await drive.get_item("f1", "key1")).name == "a.txt"
    request = server.requests[0]
    assert request.headers["Authorization"] == "Bearer t0"
    assert request.headers["Accept-Encoding"] == "gzip"
    assert "gzip" in request.headers["User-Agent"]
    assert request.headers["X-Goog-Drive-Resource-Keys"] == "f1/key1"
    assert request.query["supportsAllDrives"] == "true"
    assert "exportLinks" in request.query["fields"]


@pytest.mark.parametrize(
    "failure",
    [
        refusal(403, "userRateLimitExceeded"),
        refusal(429, "rateLimitExceeded"),
        refusal(500, "internalError"),
        refusal(503, "backendError"),
        raw(b"<html>502</html>", "text/html", 502),
        raw(b"<html>unusual traffic</html>", "text/html", 403),
        raw(b'{"id": "f1", "na', "application/json"),
        raw(b"[]", "application/json"),
        cut(b'{"id"', 100, "application/json"),
        cut(b'{"id"', None, "application/json"),
    ],
)
async def test_a_passing_failure_is_tried_again(
    drive: GoogleDrive, server: ScriptedServer, clock: FakeClock, failure: object
) -> None:
    server.on(FILE, failure, failure, ok(ITEM))

    assert (await drive.get_item("f1")).id == "f1"
    assert clock.sleeps[:2] == pytest.approx([0.75, 1.5], rel=0.01)
    assert drive.use == ApiUse(calls=3, units=15)


async def test_attempts_end(drive: GoogleDrive, server: ScriptedServer, clock: FakeClock) -> None:
    server.on(FILE, refusal(503, "backendError"))

    with pytest.raises(ServiceUnavailableError) as caught:
        await drive.get_item("f1")
    assert caught.value.service == "drive"
    assert len(server.requests) == 6


async def test_retry_after_is_honoured(drive: GoogleDrive, server: ScriptedServer, clock: FakeClock) -> None:
    server.on(FILE, refusal(429, "rateLimitExceeded", Retry_After="20"), ok(ITEM))
    await drive.get_item("f1")

    assert clock.time >= 1020


async def test_a_rate_error_slows_the_next_calls_quietly(
    drive: GoogleDrive, server: ScriptedServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    server.on(FILE, *[refusal(403, "userRateLimitExceeded")] * 3, ok(ITEM))
    await drive.get_item("f1")

    assert len(caplog.records) == 1


@pytest.mark.parametrize(
    ("failure", "expected"),
    [
        (refusal(403, "dailyLimitExceeded"), DailyQuotaError),
        (refusal(403, "accessNotConfigured"), CredentialsError),
        (refusal(404, "notFound"), ItemUnavailableError),
        (refusal(400, "invalidParameter"), UnexpectedAnswerError),
        (raw(b"<html>gone</html>", "text/html", 404), UnexpectedAnswerError),
        (raw(b"", "application/json", 204), UnexpectedAnswerError),
        (refusal(403, "rateLimitExceeded", Retry_After="86400"), RateLimitError),
    ],
)
async def test_what_repeating_cannot_help_is_asked_once(
    drive: GoogleDrive, server: ScriptedServer, failure: object, expected: type[Exception]
) -> None:
    server.on(FILE, failure)

    with pytest.raises(expected):
        await drive.get_item("f1")
    assert len(server.requests) == 1


async def test_an_expired_token_is_renewed_and_the_call_goes_on(
    drive: GoogleDrive, server: ScriptedServer, clock: FakeClock
) -> None:
    server.on(FILE, refusal(401, "authError"), ok(ITEM))
    await drive.get_item("f1")

    assert [request.headers["Authorization"] for request in server.requests] == ["Bearer t0", "Bearer t1"]
    assert clock.sleeps == []


async def test_a_token_that_stays_rejected_ends_the_run(drive: GoogleDrive, server: ScriptedServer) -> None:
    server.on(FILE, refusal(401, "authError", "Invalid Credentials"))

    with pytest.raises(CredentialsError, match="Check the key"):
        await drive.get_item("f1")
    assert len(server.requests) == 4


async def test_an_unreachable_drive_is_a_service_that_is_down(clock: FakeClock, tokens: FakeTokens) -> None:
    async with GoogleDrive(
        tokens, limiter=QuotaLimiter(clock), clock=clock, api_endpoint="http://127.0.0.1:9/drive/v3/"
    ) as drive:
        with pytest.raises(ServiceUnavailableError, match="Check the network") as caught:
            await drive.get_item("f1")
    assert caught.value.reason == "unreachable"


async def test_a_server_that_hangs_is_given_up(server: ScriptedServer, clock: FakeClock, tokens: FakeTokens) -> None:
    async def hang(request: object) -> None:
        await asyncio.sleep(30)

    server.on(FILE, hang)  # type: ignore[arg-type]
    settings = DriveSettings(attempts=2, read_timeout=0.1)
    async with GoogleDrive(
        tokens, limiter=QuotaLimiter(clock), clock=clock, api_endpoint=server.url, settings=settings
    ) as drive:
        with pytest.raises(ServiceUnavailableError):
            await drive.get_item("f1")
    assert len(server.requests) == 2


async def test_ids_cannot_leave_their_place_in_the_url(drive: GoogleDrive, server: ScriptedServer) -> None:
    with pytest.raises(ItemUnavailableError):
        await drive.get_item("../about?fields=*#")

    assert server.requests[0].raw_path.startswith("/drive/v3/files/..%2Fabout%3Ffields%3D%2A%23?")


async def test_a_name_that_is_no_unicode_does_not_break_the_answer(drive: GoogleDrive, server: ScriptedServer) -> None:
    body = rb'{"id": "f1", "name": "caf\udce9 \ud83d\ude00", "mimeType": "text/plain"}'
    server.on(FILE, raw(body, "application/json"))

    assert (await drive.get_item("f1")).name == "caf\ufffd \U0001f600"


async def test_the_token_does_not_follow_a_redirect_to_a_foreign_host(
    drive: GoogleDrive, server: ScriptedServer
) -> None:
    # 127.0.0.1 is the host of api_endpoint; localhost is the same server under a foreign name.
    foreign = server.url.replace("127.0.0.1", "localhost") + "/signed/a%2fb?sig=x%2By%3D&k=%7Ev"
    server.on(FILE, redirect(foreign))
    server.on("/signed/a/b", raw(b"bytes"))

    assert await content(drive, Item.from_resource(ITEM)) == b"bytes"
    assert "Authorization" in server.requests[0].headers
    assert "Authorization" not in server.requests[1].headers
    assert server.requests[1].raw_path == "/signed/a%2fb?sig=x%2By%3D&k=%7Ev"


async def test_a_relative_redirect_keeps_the_token(drive: GoogleDrive, server: ScriptedServer) -> None:
    server.on(FILE, redirect("/elsewhere"))
    server.on("/elsewhere", raw(b"bytes"))

    assert await content(drive, Item.from_resource(ITEM)) == b"bytes"
    assert server.requests[1].headers["Authorization"] == "Bearer t0"


async def test_a_redirect_gives_its_connection_back(
    server: ScriptedServer, clock: FakeClock, tokens: FakeTokens
) -> None:
    server.on(FILE, raw(b"moved " * 1_000_000, status=302, Location="/elsewhere"))
    server.on("/elsewhere", raw(b"bytes"))
    settings = DriveSettings(connections=1)
    async with GoogleDrive(
        tokens, limiter=QuotaLimiter(clock), clock=clock, api_endpoint=server.url, settings=settings
    ) as drive:
        async with asyncio.timeout(5):
            assert await content(drive, Item.from_resource(ITEM)) == b"bytes"


async def test_redirects_in_a_circle_end(drive: GoogleDrive, server: ScriptedServer) -> None:
    server.on(FILE, redirect(FILE))

    with pytest.raises(ServiceUnavailableError):
        await content(drive, Item.from_resource(ITEM))


async def test_a_proxy_of_the_environment_is_used(
    monkeypatch: pytest.MonkeyPatch, server: ScriptedServer, clock: FakeClock, tokens: FakeTokens
) -> None:
    monkeypatch.setenv("http_proxy", server.url)
    monkeypatch.setenv("no_proxy", "direct.example.com")
    server.on(FILE, ok(ITEM))
    async with GoogleDrive(
        tokens, limiter=QuotaLimiter(clock), clock=clock, api_endpoint="http://drive.example.com"
    ) as drive:
        assert (await drive.get_item("f1")).id == "f1"
    assert server.requests[0].host == "drive.example.com"

    async with GoogleDrive(
        tokens,
        limiter=QuotaLimiter(clock),
        clock=clock,
        api_endpoint="http://direct.example.com:9",
        settings=DriveSettings(attempts=1),
    ) as drive:
        with pytest.raises(ServiceUnavailableError):
            await drive.get_item("f1")
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("url", "allowed"),
    [
        ("https://www.googleapis.com/x", True),
        ("https://docs.google.com/x", True),
        ("https://doc-0s-1c-docs.googleusercontent.com/x", True),
        ("https://doc-04-docstext.googleusercontent.com/x", True),
        ("https://docs.google.com:8443/x", False),
        ("https://google.com/x", False),
        ("https://script.google.com/x", False),
        ("https://sites.google.com/x", False),
        ("https://storage.googleapis.com/anybodys-bucket/x", False),
        ("https://8.8.8.8.bc.googleusercontent.com/x", False),
        ("https://doc-1.bc.googleusercontent.com/x", False),
        ("https://script.googleusercontent.com/x", False),
        ("http://docs.google.com/x", False),
        ("https://docs.google.com.example.com/x", False),
        ("https://notgoogle.com/x", False),
        ("http://drive.example.com:8080/x", True),
        ("https://drive.example.com/x", True),
        ("https://cdn.example.com/x", False),
        ("http://drive.example.com:9090/x", False),
    ],
)
def test_who_may_have_the_token(url: str, allowed: bool) -> None:
    assert may_have_token(URL(url), URL("http://drive.example.com:8080")) is allowed


def test_over_https_the_token_never_goes_out_in_clear() -> None:
    assert not may_have_token(URL("http://www.googleapis.com/x"), URL("https://www.googleapis.com"))


async def test_a_slow_download_of_any_length_is_not_cut_by_a_total_time_limit(
    server: ScriptedServer, clock: FakeClock, tokens: FakeTokens
) -> None:
    from aiohttp import web

    async def drip(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for _ in range(8):
            await response.write(b"x")
            await asyncio.sleep(0.05)
        return response

    server.on(FILE, drip)
    settings = DriveSettings(read_timeout=0.2, connect_timeout=0.2)
    async with GoogleDrive(
        tokens, limiter=QuotaLimiter(clock), clock=clock, api_endpoint=server.url, settings=settings
    ) as drive:
        assert await content(drive, Item.from_resource(ITEM)) == b"x" * 8

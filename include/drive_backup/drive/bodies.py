"""The bytes of an answer as they come: counted, and an export checked as deep as its format allows."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager

import aiohttp

from include.drive_backup.drive.client import DriveClient
from include.drive_backup.errors import BrokenBodyError, ServiceUnavailableError
from include.drive_backup.formats.check import Check, NoCheck, check_of, is_checked
from include.drive_backup.formats.machine import FlawError
from include.drive_backup.formats.types import PAGES, may_be_export, may_be_file
from include.drive_backup.model import Item
from include.drive_backup.ports import Body

#: Bytes from which on checking them on another thread is worth its while: they may be many more when unpacked.
_MUCH = 64 * 1024
_AGAIN = (
    "The next try reads it again. If this stays, try to download the document in this format in Drive by hand: what "
    "fails there as well cannot be exported."
)


def check_type(response: aiohttp.ClientResponse, item: Item, mime_type: str | None) -> aiohttp.ClientResponse:
    """The answer, when its type may be that of what was asked for. Google answers a token that it does not like with a
    sign-in page, and some failures with an error, both with status 200.

    :param mime_type: of the export; None: a file's own bytes, of which Drive's checksum tells all if there is one.
    :raises ServiceUnavailableError: reason ``loginPage`` or ``wrongType``: an export may come by another route.
    :raises BrokenBodyError: the same of a file, which has no other route.
    """
    answered = response.content_type
    if mime_type is not None:
        fits, what = may_be_export(mime_type, answered), f"the export of '{item.name}'"
    else:
        sure = item.md5 is not None or item.sha256 is not None
        fits, what = sure or may_be_file(item.mime_type, item.name, answered), f"'{item.name}'"
    if fits:
        return response
    response.release()
    page = answered in PAGES
    came = "a web page" if page else f"something of the type {answered}"
    reason = "loginPage" if page else "wrongType"
    said = (
        f"Google sent {came} instead of {what}; it is asked again later. If this stays, sign in again or check the "
        "scope of the credential."
    )
    if mime_type is None:
        raise BrokenBodyError(said, reason=reason)
    raise ServiceUnavailableError(said, service="drive", reason=reason)


@asynccontextmanager
async def body_of(
    response: aiohttp.ClientResponse | None, client: DriveClient, item: Item, mime_type: str | None
) -> AsyncIterator[Body]:
    """The body of an answer, which is released afterwards; no answer is an empty body."""
    if response is None:
        yield Body(_nothing())
        return
    reading = _Reading(response, client, item, mime_type)
    try:
        async with aclosing(reading.pieces()) as pieces:
            reading.body = Body(pieces)
            yield reading.body
    finally:
        response.release()


class _Reading:
    """One body on its way."""

    body: Body

    def __init__(
        self, response: aiohttp.ClientResponse, client: DriveClient, item: Item, mime_type: str | None
    ) -> None:
        self._response = response
        self._client = client
        self._name = item.name
        self._mime_type = mime_type
        self._check: Check = NoCheck() if mime_type is None else check_of(mime_type)

    async def pieces(self) -> AsyncGenerator[bytes, None]:
        """All of it.

        :raises BrokenBodyError: it ends before its end, or is not what was asked for.
        """
        count = 0
        try:
            async for piece in self._response.content.iter_any():
                count += len(piece)
                await self._see(piece)
                yield piece
        except (aiohttp.ClientError, TimeoutError, OSError) as broken:
            raise BrokenBodyError(
                f"The content of '{self._name}' broke off after {count} bytes ({type(broken).__name__}).",
                reason="cutBody",
            ) from broken
        finally:
            self._client.received(count)
        self._end(count)

    async def _see(self, piece: bytes) -> None:
        try:
            if len(piece) < _MUCH:
                self._check.see(piece)
            else:
                await asyncio.to_thread(self._check.see, piece)
        except FlawError as flaw:
            raise self._broken(flaw) from None

    def _end(self, count: int) -> None:
        if count == 0 and self._mime_type is not None and is_checked(self._mime_type):
            raise BrokenBodyError(f"The export of '{self._name}' came empty.", reason="emptyExport")
        try:
            self.body.checked = self._check.end()
        except FlawError as flaw:
            raise self._broken(flaw) from None
        # The HTTP client compares the length that was announced with what came.
        sized = self._response.content_length is not None and "Content-Encoding" not in self._response.headers
        if self.body.checked == "nothing" and sized:
            self.body.checked = "length"

    def _broken(self, flaw: FlawError) -> BrokenBodyError:
        what = {"cutBody": "has no end: it was cut on its way", "wrongFormat": "is not what was asked for"}
        wrong = what.get(flaw.reason, "came damaged")
        return BrokenBodyError(f"The export of '{self._name}' {wrong} ({flaw}). {_AGAIN}", reason=flaw.reason)


async def _nothing() -> AsyncGenerator[bytes, None]:
    """The content of an empty file."""
    for piece in tuple[bytes]():
        yield piece

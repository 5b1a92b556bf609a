"""The bytes of one item: a file's own, or an export of a Google editor file by whichever route gives it.

Routes of an export, in turn: ``files.export`` (up to 10 MB), the item's own ``exportLinks`` (no such limit), and the
long-running ``files.download``. Drive's guide "Download and export files" has the first and the last, rclone uses the
second for everything.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import quote

import aiohttp

from include.drive_backup.drive.bodies import body_of, check_type
from include.drive_backup.drive.client import DriveClient
from include.drive_backup.drive.errors import UnexpectedAnswerError, operation_error
from include.drive_backup.errors import (
    BrokenBodyError,
    CredentialsError,
    DriveBackupError,
    ItemChangedError,
    ItemUnavailableError,
    ServiceUnavailableError,
)
from include.drive_backup.model import Item
from include.drive_backup.pacing import GET_UNITS
from include.drive_backup.ports import Body
from include.drive_backup.values import read_object, read_text

#: Names that Drive uses for one and the same format; it exports by those that the item's exportLinks have.
_SAME = (
    ("application/vnd.oasis.opendocument.text", "application/x-vnd.oasis.opendocument.text"),
    ("application/vnd.oasis.opendocument.spreadsheet", "application/x-vnd.oasis.opendocument.spreadsheet"),
    ("application/vnd.oasis.opendocument.presentation", "application/x-vnd.oasis.opendocument.presentation"),
    ("text/markdown", "text/x-markdown"),
)
_TOO_LARGE_OR_NOT_HERE = frozenset({"exportSizeLimitExceeded", "fileNotExportable"})
#: Attempts of a route that has another one behind it: a PDF beyond the limit has been seen as a lasting 500.
_FEWER = 3
_HEADER = re.compile(r"[!-~]{1,1000}")
_POLLS = (1, 2, 4, 8, *(10,) * 60)


@asynccontextmanager
async def open_content(
    client: DriveClient, item: Item, export_mime_type: str | None, span: tuple[int, int] | None = None
) -> AsyncIterator[Body]:
    """See :meth:`include.drive_backup.ports.Drive.open_content`."""
    mime_type = None if export_mime_type is None else offered(item, export_mime_type)
    response: aiohttp.ClientResponse | None
    if mime_type is not None:
        response = await _Export(client, item, mime_type).open()
    elif span is not None:
        response = await _open_span(client, item, span)
    else:
        response = await _open_whole(client, item)
        response = response and check_type(response, item, None)
    async with body_of(response, client, item, mime_type) as body:
        yield body


async def open_route(
    client: DriveClient, target: str, params: dict[str, str] | None, item: Item, mime_type: str | None
) -> aiohttp.ClientResponse:
    """The answer of one address: an export as ``mime_type``, or a file's own bytes for None."""
    return check_type(await _open(client, target, params, item), item, mime_type)


def offered(item: Item, wanted: str) -> str:
    """The name under which the item's own ``exportLinks`` have the wanted format; the wanted name if they do not."""
    names = next((pair for pair in _SAME if wanted in pair), (wanted,))
    return next((name for name in (wanted, *names) if name in item.export_links), wanted)


def may_acknowledge_abuse(item: Item) -> bool:
    """Whether Drive lets this account fetch the item when it is flagged: the owner, or a shared drive's organizer.

    ``capabilities.canDelete`` of an item in a shared drive belongs to organizers alone.
    """
    if item.drive_id is None:
        return item.resource.get("ownedByMe") is True
    return item.may("canDelete") is True


async def _open_whole(client: DriveClient, item: Item) -> aiohttp.ClientResponse | None:
    """All of a file; None when there is nothing in it, and Drive has no better way to say so than 416."""
    try:
        return await _open_file(client, item)
    except UnexpectedAnswerError as error:
        if error.status == 416 and item.size == 0:
            return None
        raise


async def _open_span(client: DriveClient, item: Item, span: tuple[int, int]) -> aiohttp.ClientResponse:
    try:
        response = await _open_file(client, item, span)
    except UnexpectedAnswerError as error:
        if error.status == 200:
            raise BrokenBodyError(
                f"All of '{item.name}' came where a part of it was asked for.", reason="rangeIgnored"
            ) from error
        if error.status == 416:
            raise _resized(item) from error
        raise
    start, end = span
    if response.headers.get("Content-Range") != f"bytes {start}-{end - 1}/{item.size}":
        response.release()
        raise _resized(item)
    return response


def _resized(item: Item) -> ItemChangedError:
    return ItemChangedError(f"'{item.name}' no longer has {item.size} bytes: it changes while it is read.")


async def _open_file(client: DriveClient, item: Item, span: tuple[int, int] | None = None) -> aiohttp.ClientResponse:
    # Of a whole file never a Range: an empty one would answer it with 416.
    params = {"alt": "media", "supportsAllDrives": "true"}
    try:
        return await _open(client, f"files/{quote(item.id, safe='')}", params, item, span=span)
    except ItemUnavailableError as error:
        flagged = error.reason == "cannotDownloadAbusiveFile"
        if not (flagged and client.settings.acknowledge_abuse and may_acknowledge_abuse(item)):
            raise
    params["acknowledgeAbuse"] = "true"
    return await _open(client, f"files/{quote(item.id, safe='')}", params, item, span=span)


async def _open(
    client: DriveClient,
    target: str,
    params: dict[str, str] | None,
    item: Item,
    attempts: int | None = None,
    span: tuple[int, int] | None = None,
) -> aiohttp.ClientResponse:
    keys = resource_keys(item)
    return await client.open_stream(
        target, params, what=f"'{item.name}'", resource_keys=keys, attempts=attempts, span=span
    )


def resource_keys(item: Item) -> str | None:
    """Value of ``X-Goog-Drive-Resource-Keys`` for calls that touch the item."""
    keys = f"{item.id}/{item.resource_key}" if item.resource_key else ""
    # Nothing else can be in a header.
    return keys if _HEADER.fullmatch(keys) else None


class _Export:
    """One export: the routes in turn, and what it means when none of them leads there."""

    def __init__(self, client: DriveClient, item: Item, mime_type: str) -> None:
        self._client = client
        self._item = item
        self._mime_type = mime_type
        self._path = f"files/{quote(item.id, safe='')}"

    async def open(self) -> aiohttp.ClientResponse:
        """Try the routes.

        :raises ServiceUnavailableError: when one of them may work later, else Drive's first refusal.
        :raises BrokenBodyError: reason ``wrongType``: what came is something else.
        """
        errors: list[DriveBackupError] = []
        for route in (self._by_export, self._by_link, self._by_operation):
            try:
                response = await route()
            except (ItemUnavailableError, ServiceUnavailableError) as error:
                errors.append(error)
                if not _other_route_may_help(error):
                    break
            else:
                if response is not None:
                    return response
        final = next((error for error in errors if isinstance(error, ServiceUnavailableError)), errors[0])
        if final.reason == "wrongType":
            # Drive is not down: it answers, and what it answers may be right the next time.
            raise BrokenBodyError(str(final), reason=final.reason)
        raise final

    async def _by_export(self) -> aiohttp.ClientResponse:
        link = self._item.export_links.get(self._mime_type)
        attempts = min(_FEWER, self._client.settings.attempts) if link else None
        params = {"mimeType": self._mime_type}
        response = await _open(self._client, f"{self._path}/export", params, self._item, attempts)
        return check_type(response, self._item, self._mime_type)

    async def _by_link(self) -> aiohttp.ClientResponse | None:
        link = self._item.export_links.get(self._mime_type)
        if link is None:
            return None
        try:
            return check_type(await _open(self._client, link, None, self._item), self._item, self._mime_type)
        except (CredentialsError, UnexpectedAnswerError) as error:
            # docs.google.com is not the API: what it refuses says nothing about the credential or the item.
            raise ServiceUnavailableError(
                f"The export link of '{self._item.name}' did not work; it is tried again later. {error}",
                service="drive",
                reason="exportLink",
            ) from error

    async def _by_operation(self) -> aiohttp.ClientResponse:
        what = f"the export of '{self._item.name}'"
        try:
            operation = await self._call(f"{self._path}/download", what, {"mimeType": self._mime_type}, method="POST")
            uri = await self._finished(operation, what)
        except UnexpectedAnswerError as error:
            raise ItemUnavailableError(str(error), reason="fileNotExportable") from error
        return check_type(await _open(self._client, uri, None, self._item), self._item, self._mime_type)

    async def _finished(self, operation: dict[str, Any], what: str) -> str:
        """Poll until the export is ready; its URI. Drive's guide advises waits of about 10 s."""
        for wait in _POLLS:
            if operation.get("done"):
                break
            await self._client.clock.sleep(wait)
            name = str(operation.get("name", "")).removeprefix("operations/")
            operation = await self._call(f"operations/{quote(name, safe='')}", what)
        if operation.get("error"):
            raise operation_error(read_object(operation["error"]), what)
        uri = read_text(read_object(operation.get("response")).get("downloadUri"))
        if not uri:
            raise ServiceUnavailableError(
                f"Drive did not finish {what} in ten minutes; it is asked again later.",
                service="drive",
                reason="operationTimeout",
            )
        return uri

    async def _call(
        self, path: str, what: str, params: dict[str, str] | None = None, method: str = "GET"
    ) -> dict[str, Any]:
        return await self._client.get_json(
            path, params, units=GET_UNITS, what=what, resource_keys=resource_keys(self._item), method=method
        )


def _other_route_may_help(error: DriveBackupError) -> bool:
    if isinstance(error, ItemUnavailableError):
        return error.reason in _TOO_LARGE_OR_NOT_HERE
    return error.reason != "unreachable"

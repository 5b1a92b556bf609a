"""One resumable upload: chunk by chunk, with the memory of one chunk, resumed where a connection broke.

Guide "Upload file data": chunks are multiples of 256 KiB; 308 with ``Range`` says how much Drive has; a PUT without
a body asks for that.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from typing import Any

from include.drive_backup.drive.client import Answer, DriveClient
from include.drive_backup.drive.errors import UnexpectedAnswerError
from include.drive_backup.errors import BrokenBodyError, ItemUnavailableError, ServiceUnavailableError
from include.drive_backup.pacing import GET_UNITS

CHUNK = 8 * 1024**2
_ANSWERS = (200, 201, 308)
_RANGE = re.compile(r"bytes=0-(\d+)")
#: How often one chunk is sent again.
_RESUMES = 6


async def upload_chunks(
    client: DriveClient, session: str, pieces: AsyncIterator[bytes], total: int, what: str
) -> dict[str, Any]:
    """Send a content to a session's address; what Drive made of it.

    :param pieces: the content, which ends with an error when its bytes are not the right ones.
    :param total: bytes of the whole.
    :raises BrokenBodyError: the session is lost, or the content has another length; begin anew.
    """
    offset, answer = 0, None
    async for chunk in _chunks(pieces):
        if answer is not None or offset + len(chunk) > total:
            raise BrokenBodyError(f"There are more bytes for {what} than the {total} that were announced.")
        answer = await _Chunk(client, session, offset, chunk, total, what).send()
        offset += len(chunk)
    if answer is None:
        raise BrokenBodyError(f"Drive did not finish the upload of {what} after {offset} of {total} bytes.")
    return answer.json(what)


async def _chunks(pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Chunks of one size, the last one shorter; it is given out only when the content has ended without an error."""
    buffer = bytearray()
    async for piece in pieces:
        buffer += piece
        while len(buffer) > CHUNK:
            yield bytes(buffer[:CHUNK])
            del buffer[:CHUNK]
    yield bytes(buffer)


class _Chunk:
    """One chunk on its way."""

    def __init__(self, client: DriveClient, session: str, offset: int, data: bytes, total: int, what: str) -> None:
        self._client = client
        self._session = session
        self._offset = offset
        self._data = data
        self._total = total
        self._what = what

    async def send(self) -> Answer | None:
        """Send all of it; Drive's last answer when the file is made, None when more is to come."""
        sent = 0
        for failures in range(_RESUMES + 1):
            answer = await self._try(self._data[sent:], self._offset + sent, failures)
            if answer.status != 308:
                return answer
            sent = self._received(answer) - self._offset
            if not 0 <= sent <= len(self._data):
                raise BrokenBodyError(f"Drive has lost a part of {self._what}; it is sent again.")
            if sent == len(self._data) and self._offset + sent < self._total:
                return None
        raise ServiceUnavailableError(
            f"Drive took no further bytes of {self._what}; it is sent again later.", service="drive", reason="upload"
        )

    async def _try(self, data: bytes, start: int, failures: int) -> Answer:
        if not data:
            return await self._put(b"", f"bytes */{self._total}", repeat=True)
        try:
            return await self._put(data, f"bytes {start}-{start + len(data) - 1}/{self._total}", repeat=False)
        except ServiceUnavailableError as error:
            self._give_up_if_lost(error)
        await self._client.clock.sleep(2.0**failures)
        try:
            return await self._put(b"", f"bytes */{self._total}", repeat=True)
        except UnexpectedAnswerError as error:
            self._give_up_if_lost(error)
            raise

    async def _put(self, data: bytes, content_range: str, *, repeat: bool) -> Answer:
        headers = {"Content-Range": content_range, "Content-Type": "application/octet-stream"}
        try:
            return await self._client.send(
                "PUT",
                self._session,
                data=data,
                headers=headers,
                units=GET_UNITS,
                what=self._what,
                wanted=_ANSWERS,
                repeat=repeat,
            )
        except ItemUnavailableError as error:
            if error.reason != "notFound":
                raise
            raise self._lost() from error

    def _give_up_if_lost(self, error: ServiceUnavailableError) -> None:
        if isinstance(error, UnexpectedAnswerError) and error.status in (404, 410):
            raise self._lost() from error

    def _lost(self) -> BrokenBodyError:
        return BrokenBodyError(f"Drive no longer knows the upload of {self._what}; it is begun anew.", reason="session")

    def _received(self, answer: Answer) -> int:
        match = _RANGE.fullmatch(answer.headers.get("Range", ""))
        return int(match[1]) + 1 if match else 0

"""The calls that write to Drive. Only a restore makes them; they need the scope ``drive``."""

from __future__ import annotations

import json
import secrets
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any, Literal
from urllib.parse import quote

from include.drive_backup.drive.client import DriveClient
from include.drive_backup.drive.errors import UnexpectedAnswerError
from include.drive_backup.drive.pages import entries_of, next_token, senseless
from include.drive_backup.drive.resumable import upload_chunks
from include.drive_backup.errors import BrokenBodyError, ItemUnavailableError
from include.drive_backup.pacing import LIST_UNITS, WRITE_UNITS
from include.drive_backup.values import read_id, read_object, read_texts

#: Larger contents go by resumable upload. Drive takes 5 MB in one request.
SMALL = 4 * 1024**2
FIELDS = (
    "id,name,mimeType,size,md5Checksum,sha256Checksum,parents,trashed,appProperties,driveId,headRevisionId,modifiedTime"
)
_UPLOAD = "/upload/drive/v3/files"
_JSON = "application/json; charset=UTF-8"

Metadata = Mapping[str, Any]
#: Opens a content; called again when it has to be sent again.
Content = Callable[[], AsyncIterator[bytes]]


class IdInUseError(ItemUnavailableError):
    """There is an item of this id already: an earlier attempt made it."""

    default_reason = "fileIdInUse"


class DriveWriter:
    """Writes with one credential.

    Methods raise what :class:`~include.drive_backup.ports.Drive` raises, and ``UnexpectedAnswerError`` for what Drive
    refuses in another way. After a ``ServiceUnavailableError`` an item without an ``id`` of its own may have been made.
    """

    def __init__(self, client: DriveClient) -> None:
        self._client = client

    async def generate_ids(self, count: int, kind: Literal["files", "shortcuts"] = "files") -> list[str]:
        """Ids for items to come; not for Google editor files.

        :param count: 1 to 1,000.
        """
        params = {"count": str(count), "type": kind, "space": "drive"}
        answer = await self._client.get_json(
            "files/generateIds", params, units=WRITE_UNITS, what="ids for new files", writing=True
        )
        ids = read_texts(answer.get("ids"))
        if not ids:
            raise senseless("ids for new files")
        return list(ids)

    async def create(self, metadata: Metadata, file_id: str | None = None) -> dict[str, Any]:
        """Make an item without content: a folder, a shortcut.

        :param file_id: from :meth:`generate_ids`, for this item alone.
        """
        try:
            return await self._call("POST", "files", {**metadata, **_with(file_id)}, repeat=file_id is not None)
        except IdInUseError:
            # The answer to our own first attempt was lost.
            found = None if file_id is None else await self.get(file_id)
            if found is None:
                raise
            return found

    async def update(self, file_id: str, metadata: Metadata) -> dict[str, Any]:
        """Change an item's metadata."""
        return await self._call("PATCH", f"files/{quote(file_id, safe='')}", metadata, repeat=True)

    async def upload(
        self,
        metadata: Metadata,
        mime_type: str,
        size: int,
        content: Content,
        *,
        file_id: str | None = None,
        over: str | None = None,
    ) -> dict[str, Any]:
        """Make a file with its content, or give one another content; it appears when all of it is there.

        :param mime_type: of the bytes. ``metadata`` may name another one, which Drive converts to.
        :param size: bytes.
        :param content: its bytes; raises at the end when they are not the right ones.
        :param file_id: from :meth:`generate_ids`.
        :param over: id of the file whose content is replaced.
        :raises IdInUseError: ``file_id`` is taken.
        :raises BrokenBodyError: the upload was lost on its way; begin anew.
        """
        body = {**metadata, **_with(file_id)}
        repeat = file_id is not None or over is not None
        method, path = ("POST", _UPLOAD) if over is None else ("PATCH", f"{_UPLOAD}/{quote(over, safe='')}")
        if size <= SMALL:
            data = b"".join([piece async for piece in content()])
            headers, packed = _multipart(body, mime_type, data)
            return await self._send(method, path, "multipart", headers, packed, _what(metadata), repeat=repeat)
        session = await self._start(method, path, body, mime_type, size)
        return await upload_chunks(self._client, session, content(), size, _what(metadata))

    async def get(self, file_id: str) -> dict[str, Any] | None:
        """An item as it is now, None when it is gone."""
        params = {"fields": FIELDS, "supportsAllDrives": "true"}
        try:
            return await self._client.get_json(f"files/{quote(file_id, safe='')}", params, what=f"the item {file_id}")
        except ItemUnavailableError as error:
            if error.reason == "notFound":
                return None
            raise

    async def revisions(self, file_id: str) -> list[dict[str, Any]]:
        """The versions that Drive still has of a file's content."""
        what = f"the versions of {file_id}"
        params = {"pageSize": "1000", "fields": "nextPageToken,revisions(id,md5Checksum,size,modifiedTime)"}
        found: list[dict[str, Any]] = []
        while True:
            path = f"files/{quote(file_id, safe='')}/revisions"
            answer = await self._client.get_json(path, params, units=LIST_UNITS, what=what)
            found += [each for each in entries_of(answer, "revisions", what) if read_id(read_object(each).get("id"))]
            if not (token := next_token(answer, what)):
                return found
            params["pageToken"] = token

    async def keep(self, file_id: str, revision_id: str) -> None:
        """Have Drive keep a version of a file's bytes for ever; else it is purged some time after it is replaced."""
        await self._client.send(
            "PATCH",
            f"files/{quote(file_id, safe='')}/revisions/{quote(revision_id, safe='')}",
            {"fields": "id"},
            data=json.dumps({"keepForever": True}).encode(),
            headers={"Content-Type": _JSON},
            units=WRITE_UNITS,
            what=f"to keep the version {revision_id} of {file_id}",
        )

    async def find(self, query: str, drive_id: str | None, what: str) -> AsyncIterator[dict[str, Any]]:
        """The items that a query of Drive's grammar finds.

        :param drive_id: look into this shared drive instead of what the user sees.
        """
        where = {"corpora": "user"} if drive_id is None else {"corpora": "drive", "driveId": drive_id}
        params = {
            **where,
            "q": query,
            "spaces": "drive",
            "pageSize": "1000",
            "supportsAllDrives": "true",
            "includeItemsFromAllDrives": "true",
            "fields": f"nextPageToken,files({FIELDS})",
        }
        while True:
            answer = await self._client.get_json("files", params, units=LIST_UNITS, what=what)
            for found in entries_of(answer, "files", what):
                if read_id(read_object(found).get("id")):
                    yield found
            token = next_token(answer, what)
            if not token:
                return
            params["pageToken"] = token

    async def share(self, file_id: str, permission: Metadata) -> None:
        """Give somebody access, without a mail. Giving it again changes nothing."""
        params = {"supportsAllDrives": "true", "fields": "id"}
        if permission.get("type") in ("user", "group"):
            params["sendNotificationEmail"] = "false"
        await self._client.send(
            "POST",
            f"files/{quote(file_id, safe='')}/permissions",
            params,
            data=json.dumps(dict(permission)).encode(),
            headers={"Content-Type": _JSON},
            units=WRITE_UNITS,
            what=f"to share {file_id}",
        )

    async def _call(self, method: str, path: str, metadata: Metadata, *, repeat: bool) -> dict[str, Any]:
        headers = {"Content-Type": _JSON}
        data = json.dumps(dict(metadata)).encode()
        return await self._send(method, path, None, headers, data, _what(metadata), repeat=repeat)

    async def _send(
        self, method: str, path: str, kind: str | None, headers: Metadata, data: bytes, what: str, *, repeat: bool
    ) -> dict[str, Any]:
        try:
            answer = await self._client.send(
                method,
                path,
                _params(method, kind),
                data=data,
                headers=headers,
                units=WRITE_UNITS,
                what=what,
                repeat=repeat,
            )
        except UnexpectedAnswerError as error:
            raise _clearer(error) from error
        return answer.json(what)

    async def _start(self, method: str, path: str, metadata: Metadata, mime_type: str, size: int) -> str:
        """Begin a resumable upload. Nothing is made yet, so it may be begun again."""
        headers = {"Content-Type": _JSON, "X-Upload-Content-Type": mime_type, "X-Upload-Content-Length": str(size)}
        data, what = json.dumps(dict(metadata)).encode(), _what(metadata)
        try:
            answer = await self._client.send(
                method, path, _params(method, "resumable"), data=data, headers=headers, units=WRITE_UNITS, what=what
            )
        except UnexpectedAnswerError as error:
            raise _clearer(error) from error
        location = answer.headers.get("Location")
        if not location:
            raise BrokenBodyError(f"Drive gave no address to upload {what} to.", reason="session")
        return location


def _with(file_id: str | None) -> dict[str, str]:
    return {} if file_id is None else {"id": file_id}


def _params(method: str, upload: str | None) -> dict[str, str]:
    params = {"supportsAllDrives": "true", "fields": FIELDS}
    if method == "POST":
        # A new item must not become visible to the whole domain because a user's default says so.
        params["ignoreDefaultVisibility"] = "true"
    return params if upload is None else {**params, "uploadType": upload}


def _what(metadata: Metadata) -> str:
    return f"to write '{metadata.get('name', 'an item')}'"


def _clearer(error: UnexpectedAnswerError) -> Exception:
    return IdInUseError(str(error)) if error.status == 409 else error


def _multipart(metadata: Metadata, mime_type: str, data: bytes) -> tuple[dict[str, str], bytes]:
    boundary = secrets.token_hex(24)
    head = f"--{boundary}\r\nContent-Type: {_JSON}\r\n\r\n{json.dumps(dict(metadata))}\r\n"
    head += f"--{boundary}\r\nContent-Type: {mime_type}\r\n\r\n"
    body = head.encode() + data + f"\r\n--{boundary}--\r\n".encode()
    return {"Content-Type": f"multipart/related; boundary={boundary}"}, body

"""Azurite with what it lacks: soft delete, and versions. As the REST reference says under "List Blobs", "Undelete
Blob" and "Get Blob": what is deleted is listed on demand, and cannot be read before it is undeleted.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from urllib.parse import unquote
from xml.sax.saxutils import escape

from aiohttp import web
from azure.core.exceptions import ResourceNotFoundError
from azure.storage.blob import BlobClient, ContentSettings

from tests.support.blob_proxy import BlobProxy, serving


@dataclass
class Kept:
    """A state of a blob that has ended."""

    name: str
    data: bytes
    headers: dict[str, str]
    when: str
    kind: str  # "version", "snapshot" or "blob"
    deleted: bool


@dataclass
class KeepingProxy(BlobProxy):
    """Forwards to Azurite, and keeps what is deleted and written over.

    :param connection: to Azurite, for the proxy's own writes.
    :param versions: the account has versions; else soft delete alone.
    :param may_write: what the credential may do; otherwise writes are answered with 403.
    """

    origin: str
    connection: str
    versions: bool = False
    may_write: bool = True
    kept: list[Kept] = field(default_factory=list)
    undeleted: int = 0

    def __post_init__(self) -> None:
        super().__init__(self.origin)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        comp, which = request.query.get("comp"), request.query.get("versionid") or request.query.get("snapshot")
        if request.method in ("PUT", "DELETE") and not self.may_write:
            return _error(403, "AuthorizationPermissionMismatch")
        if comp == "undelete":
            return self._undelete(request)
        if which and request.method in ("GET", "HEAD"):
            return self._read(request, which)
        if request.method == "DELETE":
            refused = self._discard(request, which)
            if refused is not None:
                return refused
        if request.method == "DELETE" or (request.method == "PUT" and comp in (None, "blocklist")):
            before = self._state(request)
            answer = await self._forward(request, await request.read())
            if before is not None and answer.status in (201, 202):
                self._keep(before, written_over=request.method == "PUT")
            return answer
        answer = await self._forward(request, await request.read())
        return self._listed(request, answer) if comp == "list" else answer

    def _names(self, request: web.Request) -> tuple[str, str]:
        """Container and blob."""
        _, _, container, blob = unquote(request.raw_path.partition("?")[0]).split("/", 3)
        return container, blob

    def _client(self, request: web.Request) -> BlobClient:
        return BlobClient.from_connection_string(self.connection, *self._names(request))

    def _state(self, request: web.Request) -> tuple[str, bytes, dict[str, str]] | None:
        if unquote(request.raw_path.partition("?")[0]).count("/") < 3:
            return None
        with self._client(request) as client:
            try:
                found = client.download_blob()
            except ResourceNotFoundError:
                return None
            facts = found.properties
            meta = {f"x-ms-meta-{key}": value for key, value in facts.metadata.items()}
            kind = {"Content-Type": facts.content_settings.content_type or ""}
            return facts.name, found.readall(), {**kind, **meta}

    def _keep(self, state: tuple[str, bytes, dict[str, str]], *, written_over: bool) -> None:
        when = f"2026-01-01T00:00:{len(self.kept):02}.0000000Z"
        kind = "version" if self.versions else ("snapshot" if written_over else "blob")
        self.kept.append(Kept(*state, when=when, kind=kind, deleted=not self.versions))

    def _discard(self, request: web.Request, which: str | None) -> web.Response | None:
        """Delete a snapshot, or refuse to delete a blob that has some."""
        name = self._names(request)[1]
        there = [each for each in self.kept if (each.name, each.kind, each.deleted) == (name, "snapshot", False)]
        if which is None:
            return _error(409, "SnapshotsPresent") if there else None
        for each in there:
            each.deleted = each.deleted or each.when == which
        return web.Response(status=202)

    def _undelete(self, request: web.Request) -> web.Response:
        name = self._names(request)[1]
        back = [each for each in self.kept if each.name == name and each.deleted]
        if not back and self._state(request) is None:
            return _error(404, "BlobNotFound")
        self.undeleted += 1
        for each in back:
            each.deleted = False
            if each.kind == "blob":
                self.kept.remove(each)
                with self._client(request) as client:
                    meta = {
                        key.removeprefix("x-ms-meta-"): value for key, value in each.headers.items() if "meta" in key
                    }
                    kind = ContentSettings(content_type=each.headers["Content-Type"])
                    client.upload_blob(each.data, metadata=meta, content_settings=kind)
        return web.Response(status=200)

    def _read(self, request: web.Request, which: str) -> web.Response:
        name = self._names(request)[1]
        found = next((each for each in self.kept if (each.name, each.when) == (name, which)), None)
        if found is None or found.deleted:
            return _error(404, "BlobNotFound")
        first, _, last = request.headers["x-ms-range"].removeprefix("bytes=").partition("-")
        end = min(int(last) + 1, len(found.data))
        part = found.data[int(first) : end]
        headers = {
            **found.headers,
            "ETag": f'"{which}"',
            "Last-Modified": "Thu, 01 Jan 2026 00:00:00 GMT",
            "x-ms-blob-type": "BlockBlob",
            "x-ms-blob-content-md5": _md5(found.data),
            "Content-MD5": _md5(part),
            "Content-Range": f"bytes {first}-{end - 1}/{len(found.data)}",
        }
        return web.Response(status=206, body=part, headers=headers)

    def _listed(self, request: web.Request, answer: web.Response) -> web.Response:
        wanted = request.query.get("include", "").split(",")
        prefix, entries = request.query.get("prefix", ""), ""
        for each in self.kept:
            asked = ("deleted" in wanted or not each.deleted) and {"version": "versions", "snapshot": "snapshots"}.get(
                each.kind, "deleted"
            ) in wanted
            if asked and each.name.startswith(prefix):
                entries += _entry(each)
        assert isinstance(answer.body, bytes)
        body = answer.body.replace(b"</Blobs>", entries.encode() + b"</Blobs>").replace(
            b"<Blobs/>", b"<Blobs>" + entries.encode() + b"</Blobs>"
        )
        return web.Response(status=answer.status, body=body, headers={"Content-Type": "application/xml"})


def _entry(kept: Kept) -> str:
    tag = {"version": "VersionId", "snapshot": "Snapshot"}.get(kept.kind)
    which = f"<{tag}>{kept.when}</{tag}>" if tag else ""
    meta = "".join(
        f"<{key.removeprefix('x-ms-meta-')}>{escape(value)}</{key.removeprefix('x-ms-meta-')}>"
        for key, value in kept.headers.items()
        if "meta" in key
    )
    facts = (
        f"<Last-Modified>Thu, 01 Jan 2026 00:00:00 GMT</Last-Modified><Etag>0x1</Etag>"
        f"<Content-Length>{len(kept.data)}</Content-Length><Content-Type>{kept.headers['Content-Type']}</Content-Type>"
        f"<Content-MD5>{_md5(kept.data)}</Content-MD5><BlobType>BlockBlob</BlobType><AccessTier>Hot</AccessTier>"
    )
    deleted = "<Deleted>true</Deleted>" if kept.deleted else ""
    return (
        f"<Blob><Name>{escape(kept.name)}</Name>{deleted}{which}<Properties>{facts}</Properties>"
        f"<Metadata>{meta}</Metadata></Blob>"
    )


def _md5(data: bytes) -> str:
    return base64.b64encode(hashlib.md5(data).digest()).decode()


def _error(status: int, code: str) -> web.Response:
    body = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>{code}</Message></Error>"
    return web.Response(status=status, text=body, headers={"x-ms-error-code": code, "Content-Type": "application/xml"})


@asynccontextmanager
async def keeping_proxy(connection: str, *, versions: bool) -> AsyncIterator[KeepingProxy]:
    """A proxy before Azurite.

    :param connection: to Azurite.
    """
    endpoint = next(part.partition("=")[2] for part in connection.split(";") if part.startswith("BlobEndpoint="))
    async with serving(KeepingProxy("/".join(endpoint.split("/")[:3]), connection, versions)) as proxy:
        yield proxy


@contextmanager
def keeping_in_thread(connection: str, *, versions: bool) -> Iterator[tuple[KeepingProxy, str]]:
    """The proxy in a thread of its own, and the connection string that leads through it."""
    loop, ready, end = asyncio.new_event_loop(), threading.Event(), asyncio.Event()
    found: list[KeepingProxy] = []

    async def serve() -> None:
        async with keeping_proxy(connection, versions=versions) as proxy:
            found.append(proxy)
            ready.set()
            await end.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()))
    thread.start()
    assert ready.wait(30)
    try:
        yield found[0], connection.replace(found[0].origin, found[0].url)
    finally:
        loop.call_soon_threadsafe(end.set)
        thread.join(30)
        loop.close()

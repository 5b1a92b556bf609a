"""A Blob endpoint that keeps up with any client, because it stores next to nothing.

It speaks as much of the Blob REST protocol as azure-storage-blob, Drive Backup and rclone's ``azureblob`` need. It checks
neither signatures nor bytes. Of blobs under ``content/`` it keeps name, length, Content-MD5 and metadata, so that HEAD
and listings work; of all others also the bytes (manifests and work areas are read again). For benchmarks only.

``python -m benchmarks.null_blob --latency-ms 20`` prints one line of JSON when it is ready.
"""

from __future__ import annotations

import argparse
import asyncio
import bisect
import json
import re
import signal
import uuid
from collections import Counter
from dataclasses import dataclass, field
from email.utils import formatdate
from typing import Any
from urllib.parse import unquote
from xml.sax.saxutils import escape

import uvloop
from aiohttp import web

ACCOUNT = "nullaccount"
KEY = "bnVsbA=="
_BLOCK = re.compile(rb"<(?:Latest|Uncommitted|Committed)>([^<]+)</")


class Refused(Exception):
    """An answer other than success."""

    def __init__(self, status: int, code: str) -> None:
        super().__init__(code)
        self.status, self.code = status, code


@dataclass(slots=True)
class Blob:
    """``data`` is None under ``content/``."""

    size: int
    headers: dict[str, str]
    data: bytes | None = None


@dataclass
class Container:
    """``order`` holds the names sorted; None when it has to be sorted again."""

    blobs: dict[str, Blob] = field(default_factory=dict)
    blocks: dict[str, dict[str, tuple[int, bytes | None]]] = field(default_factory=dict)
    order: list[str] | None = None

    def names(self) -> list[str]:
        if self.order is None:
            self.order = sorted(self.blobs)
        return self.order

    def hold(self, rows: list[dict[str, Any]]) -> None:
        """Take blobs that nobody sent."""
        for row in rows:
            headers = {f"x-ms-meta-{key}": value for key, value in row["metadata"].items()}
            headers |= {"Content-MD5": row["md5"], "Content-Type": row.get("type", "application/octet-stream")}
            self.blobs[row["name"]] = Blob(row["size"], {**_fresh(), **headers})
        self.order = None


class NullBlob:
    """The state and the answers."""

    def __init__(self, latency_ms: float = 0) -> None:
        self.latency_s = latency_ms / 1000
        self.containers: dict[str, Container] = {}
        self.calls: Counter[str] = Counter()

    async def serve(self, request: web.BaseRequest) -> web.StreamResponse:
        """One request."""
        _, account, container, name = (request.raw_path.partition("?")[0].split("/", 3) + ["", "", ""])[:4]
        if account == "_admin":
            return await self._admin(container, request)
        size, body = await self._read(request, name)
        if self.latency_s:
            await asyncio.sleep(self.latency_s)
        comp = request.query.get("comp", "")
        self.calls[f"{request.method} {comp or ('blob' if name else 'container')}"] += 1
        try:
            if not name:
                return self._container(request, unquote(container), comp)
            return self._blob(request, self._find(unquote(container)), unquote(name), (size, body))
        except Refused as error:
            text = f"<?xml version='1.0'?><Error><Code>{error.code}</Code><Message>{error.code}</Message></Error>"
            headers = {"x-ms-error-code": error.code, "Content-Type": "application/xml"}
            return _answer(error.status, headers, text.encode())

    async def _read(self, request: web.BaseRequest, name: str) -> tuple[int, bytes | None]:
        keep = not name.startswith("content/") or request.query.get("comp") == "blocklist"
        size, kept = 0, bytearray()
        async for piece in request.content.iter_any():
            size += len(piece)
            if keep:
                kept += piece
        return size, bytes(kept) if keep else None

    async def _admin(self, what: str, request: web.BaseRequest) -> web.Response:
        if what == "latency":
            self.latency_s = float(request.query["ms"]) / 1000
        elif what == "seed":
            _, body = await self._read(request, "")
            container = self.containers.setdefault(request.query["container"], Container())
            container.hold(json.loads(body or b"[]"))
        elif what == "reset":
            self.containers.clear()
            self.calls.clear()
        return web.json_response({"calls": dict(self.calls), "latency_ms": self.latency_s * 1000})

    def _find(self, name: str) -> Container:
        if name not in self.containers:
            raise Refused(404, "ContainerNotFound")
        return self.containers[name]

    def _container(self, request: web.BaseRequest, name: str, comp: str) -> web.Response:
        if request.method == "PUT":
            if name in self.containers:
                raise Refused(409, "ContainerAlreadyExists")
            self.containers[name] = Container()
            return _answer(201)
        container = self._find(name)
        if comp == "list":
            return _answer(200, {"Content-Type": "application/xml"}, _listing(container, request.query).encode())
        return _answer(200)

    def _blob(
        self, request: web.BaseRequest, container: Container, name: str, body: tuple[int, bytes | None]
    ) -> web.Response:
        comp = request.query.get("comp", "")
        if request.method == "PUT" and comp == "block":
            container.blocks.setdefault(name, {})[request.query["blockid"]] = body
            return _answer(201)
        if request.method == "PUT" and comp == "lease":
            return _answer(201, {"x-ms-lease-id": request.headers.get("x-ms-proposed-lease-id", str(uuid.uuid4()))})
        if request.method == "PUT":
            return _put(request, container, name, body)
        blob = container.blobs.get(name)
        if blob is None:
            raise Refused(404, "BlobNotFound")
        if request.method == "DELETE":
            del container.blobs[name]
            container.order = None
            return _answer(202)
        return _get(request, blob)


def _put(request: web.BaseRequest, container: Container, name: str, body: tuple[int, bytes | None]) -> web.Response:
    if request.headers.get("If-None-Match") == "*" and name in container.blobs:
        raise Refused(409, "BlobAlreadyExists")
    size, data = body
    if request.query.get("comp") == "blocklist":
        staged = container.blocks.pop(name, {})
        wanted = [ident.decode() for ident in _BLOCK.findall(data or b"")]
        if any(ident not in staged for ident in wanted):
            raise Refused(400, "InvalidBlockList")
        size = sum(staged[ident][0] for ident in wanted)
        kept = [staged[ident][1] for ident in wanted]
        data = None if None in kept else b"".join(kept)
    headers = _fresh()
    md5 = request.headers.get("x-ms-blob-content-md5") or request.headers.get("Content-MD5")
    if md5:
        headers["Content-MD5"] = md5
    headers["Content-Type"] = request.headers.get("x-ms-blob-content-type", "application/octet-stream")
    headers |= {key.lower(): value for key, value in request.headers.items() if key.lower().startswith("x-ms-meta-")}
    container.blobs[name] = Blob(size, headers, data)
    container.order = None
    return _answer(201, {key: headers[key] for key in ("ETag", "Last-Modified", "Content-MD5") if key in headers})


def _fresh() -> dict[str, str]:
    """Headers of a blob that is made now."""
    return {"ETag": f'"{uuid.uuid4().hex}"', "Last-Modified": formatdate(usegmt=True), "x-ms-blob-type": "BlockBlob"}


def _get(request: web.BaseRequest, blob: Blob) -> web.Response:
    if request.method == "HEAD":
        return _answer(200, {**blob.headers, "Content-Length": str(blob.size)})
    data = bytes(blob.size) if blob.data is None else blob.data
    wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", request.headers.get("x-ms-range") or request.headers.get("Range") or "")
    if wanted is None:
        return _answer(200, blob.headers, data)
    start, end = int(wanted[1]), min(int(wanted[2]) + 1 if wanted[2] else blob.size, blob.size)
    if start >= blob.size:
        raise Refused(416, "InvalidRange")
    headers = {key: value for key, value in blob.headers.items() if key != "Content-MD5"}
    headers["Content-Range"] = f"bytes {start}-{end - 1}/{blob.size}"
    if "Content-MD5" in blob.headers:
        headers["x-ms-blob-content-md5"] = blob.headers["Content-MD5"]
    return _answer(206, headers, data[start:end])


def _listing(container: Container, query: object) -> str:
    prefix, delimiter = query.get("prefix", ""), query.get("delimiter", "")
    names, limit = container.names(), int(query.get("maxresults", 5000))
    place = bisect.bisect_left(names, max(prefix, query.get("marker", "")))
    found: list[str] = []
    folders: dict[str, None] = {}
    while place < len(names) and names[place].startswith(prefix) and len(found) + len(folders) < limit:
        name = names[place]
        cut = name.find(delimiter, len(prefix)) if delimiter else -1
        if cut >= 0:
            folder = name[: cut + 1]
            folders[folder] = None
            place = bisect.bisect_left(names, folder[:-1] + chr(ord(delimiter) + 1))
            continue
        found.append(_entry(name, container.blobs[name]))
        place += 1
    more = place < len(names) and names[place].startswith(prefix)
    prefixes = "".join(f"<BlobPrefix><Name>{escape(each)}</Name></BlobPrefix>" for each in folders)
    marker = escape(names[place]) if more else ""
    return (
        f'<?xml version="1.0" encoding="utf-8"?><EnumerationResults><Prefix>{escape(prefix)}</Prefix><Blobs>{"".join(found)}{prefixes}</Blobs>'
        f"<NextMarker>{marker}</NextMarker></EnumerationResults>"
    )


def _entry(name: str, blob: Blob) -> str:
    headers = blob.headers
    metadata = "".join(
        f"<{key[10:]}>{escape(value)}</{key[10:]}>" for key, value in headers.items() if key.startswith("x-ms-meta-")
    )
    return (
        f"<Blob><Name>{escape(name)}</Name><Properties><Last-Modified>{headers['Last-Modified']}</Last-Modified>"
        f"<Etag>{headers['ETag']}</Etag><Content-Length>{blob.size}</Content-Length>"
        f"<Content-Type>{escape(headers['Content-Type'])}</Content-Type>"
        f"<Content-MD5>{headers.get('Content-MD5', '')}</Content-MD5><BlobType>BlockBlob</BlobType></Properties>"
        f"<Metadata>{metadata}</Metadata></Blob>"
    )


def _answer(status: int, headers: dict[str, str] | None = None, body: bytes = b"") -> web.Response:
    usual = {"x-ms-version": "2026-02-06", "x-ms-request-id": "00000000-0000-0000-0000-000000000000"}
    return web.Response(status=status, headers={**usual, **(headers or {})}, body=body)


async def run(port: int, latency_ms: float) -> None:
    """Serve until SIGTERM."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    server = web.Server(NullBlob(latency_ms).serve, access_log=None, read_bufsize=1 << 20)
    runner = web.ServerRunner(server)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", port, backlog=1024)
    await site.start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}/{ACCOUNT}"
    text = f"DefaultEndpointsProtocol=http;AccountName={ACCOUNT};AccountKey={KEY};BlobEndpoint={url}"
    print(json.dumps({"service": "null_blob", "url": url, "connection_string": text}), flush=True)
    await stop.wait()
    await runner.cleanup()


def main() -> None:
    """Parse and run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--latency-ms", type=float, default=0, help="before every answer")
    given = parser.parse_args()
    uvloop.run(run(given.port, given.latency_ms))


if __name__ == "__main__":
    main()

"""What a method's handler is given: the server's parts and one call."""

from __future__ import annotations

import gzip
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import msgspec
from aiohttp import web

from include.local_cloud.drive import fields
from include.local_cloud.drive.access import readable
from include.local_cloud.drive.discovery import DIRECTORY, DRIVE, Method
from include.local_cloud.drive.faults import Faults
from include.local_cloud.drive.model import Item, Operation
from include.local_cloud.drive.pages import Pages
from include.local_cloud.drive.quota import Quota
from include.local_cloud.drive.sessions import Sessions
from include.local_cloud.drive.state import DriveState
from include.local_cloud.drive.stats import Stats
from include.local_cloud.drive.tokens import Tokens

GZIP_FROM = 1024
KEY_HEADER = "X-Goog-Drive-Resource-Keys"


@dataclass
class Service:
    """The parts of one server. ``url`` is its address without a slash at the end."""

    state: DriveState
    tokens: Tokens
    sessions: Sessions
    quota: Quota = field(default_factory=Quota)
    faults: Faults = field(default_factory=Faults)
    stats: Stats = field(default_factory=Stats)
    pages: Pages = field(default_factory=Pages)
    operations: dict[str, Operation] = field(default_factory=dict)
    url: str = ""


@dataclass
class Call:
    """One authorised call with checked parameters."""

    service: Service
    request: web.Request
    method: Method
    params: dict[str, Any]
    email: str
    route: str

    @property
    def state(self) -> DriveState:
        """The Drive."""
        return self.service.state

    @property
    def all_drives(self) -> bool:
        """Whether the caller says that it knows shared drives; methods without the parameter always reach them."""
        if "supportsAllDrives" not in self.method.parameters:
            return True
        return bool(self.params.get("supportsAllDrives") or self.params.get("supportsTeamDrives"))

    @cached_property
    def mask(self) -> fields.Mask:
        """The field mask of the answer."""
        api = DIRECTORY if self.method.id.startswith("directory") else DRIVE
        return fields.mask_for(self.params.get("fields"), self.method.response or "", api)

    @cached_property
    def keys(self) -> dict[str, str]:
        """File id → resource key, from the header."""
        return parse_keys(self.request.headers.get(KEY_HEADER, ""))

    def item(self, file_id: str | None = None) -> Item:
        """The item in the path.

        :raises ApiError: 404 when the caller cannot have it.
        """
        ident = file_id or self.request.match_info["fileId"]
        return readable(self.state, ident, self.email, self.keys, all_drives=self.all_drives)

    def answer(self, data: dict[str, Any], *, masked: bool = False) -> web.Response:
        """JSON through the mask, compressed when the caller asks for it.

        :param masked: the mask has been applied already.
        """
        body = msgspec.json.encode(data if masked else fields.apply(self.mask, data))
        return json_response(self.request, body)


Handler = Callable[[Call], Awaitable[web.StreamResponse]]
HANDLERS: dict[str, Handler] = {}


def handles(method_id: str) -> Callable[[Handler], Handler]:
    """Register a handler for a method of the discovery document."""

    def register(handler: Handler) -> Handler:
        HANDLERS[method_id] = handler
        return handler

    return register


def parse_keys(header: str) -> dict[str, str]:
    """Read ``id/key,id/key``."""
    pairs = (entry.strip().partition("/") for entry in header.split(","))
    return {ident: key for ident, slash, key in pairs if slash}


def json_response(request: web.Request, body: bytes, status: int = 200) -> web.Response:
    """An answer in JSON; gzip needs the word in ``User-Agent`` too, as Google wants it."""
    headers = {"Vary": "Origin, X-Origin", "Cache-Control": "no-cache, no-store, max-age=0, must-revalidate"}
    wants = "gzip" in request.headers.get("Accept-Encoding", "") and "gzip" in request.headers.get("User-Agent", "")
    if wants and len(body) >= GZIP_FROM:
        body = gzip.compress(body, compresslevel=1, mtime=0)
        headers["Content-Encoding"] = "gzip"
    return web.Response(status=status, body=body, headers=headers, content_type="application/json", charset="UTF-8")

"""The server: one door for every call, and what happens there."""

from __future__ import annotations

import asyncio
import ssl
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import TracebackType
from typing import Self

import aiohttp
from aiohttp import web

from include.local_cloud.drive import (
    about,
    admin,
    batch,
    changes,
    comments,
    drives,
    exports,
    files,
    formats,
    listing,
    operations,
    permissions,
    revisions,
    tokens,
    uploads,
)
from include.local_cloud.drive.context import HANDLERS, Call, Handler, Service
from include.local_cloud.drive.credentials import Credentials
from include.local_cloud.drive.discovery import Method, methods, not_implemented
from include.local_cloud.drive.errors import ApiError, by_reason, forbidden
from include.local_cloud.drive.sessions import Sessions
from include.local_cloud.drive.state import DriveState

# Handlers register themselves when their modules are imported.
REGISTERED = (about, changes, comments, drives, exports, files, listing, operations, permissions, revisions, uploads)
_LISTS = {"files.list", "changes.list", "drives.list", "permissions.list", "revisions.list"} | {
    "comments.list",
    "replies.list",
    "files.listLabels",
}
_DOWNLOADS = {"files.get.media", "revisions.get.media", "files.export", "files.download", "export-link", "download-uri"}
_MEDIA_SCOPES = ("drive", "drive.readonly", "drive.file")
_SCOPE = "https://www.googleapis.com/auth/"
_HTML = "<!DOCTYPE html><html><title>Error {0}</title><body><h1>{0}. That is an error.</h1></body></html>"
SHUTDOWN_SECONDS = 5.0

Step = Callable[[], Awaitable[web.StreamResponse]]


def price(route: str, verb: str) -> str:
    """The quota kind of a call (facts §11; ``alt=media`` counts as a download)."""
    if route in _LISTS:
        return "list"
    if route in _DOWNLOADS:
        return "download"
    if verb != "GET":
        return "edit"
    return "get" if route.endswith(".get") else "other"


class DriveServer:
    """A Drive on loopback.

    Use it as ``async with DriveServer(state) as server:`` and talk to ``server.url``.

    :param port: 0 takes a free one.
    :param folder: for credentials and uploads; a temporary one by default.
    :param token_lifetime_s: of access tokens.
    :param certificate: a PEM file with certificate and key; with it the server speaks HTTPS only.
    """

    def __init__(
        self,
        state: DriveState,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        folder: Path | None = None,
        token_lifetime_s: int = 3600,
        certificate: Path | None = None,
    ) -> None:
        self._temporary = tempfile.TemporaryDirectory() if folder is None else None
        self.folder = folder or Path(self._temporary.name if self._temporary else "")
        self.folder.mkdir(parents=True, exist_ok=True)
        first_user = next(iter(state.users), "ann@example.com")
        credentials = Credentials.load_or_generate(self.folder, first_user)
        for email in (first_user, credentials.client_email):
            if email not in state.users:
                state.add_user(email)
        self.service = Service(
            state=state,
            tokens=tokens.Tokens(credentials, state.users, state.clock, lifetime_s=token_lifetime_s),
            sessions=Sessions(self.folder / "uploads"),
        )
        self._host, self._port = host, port
        self._tls: ssl.SSLContext | None = None
        if certificate is not None:
            self._tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            self._tls.load_cert_chain(certificate)
        self._runner: web.AppRunner | None = None
        self._client: aiohttp.ClientSession | None = None

    @property
    def url(self) -> str:
        """The address, without a slash at the end."""
        return self.service.url

    def token(self, email: str, *scopes: str) -> str:
        """An access token without the detour over ``/token``.

        :param scopes: short names such as ``drive.readonly``; ``drive`` by default.
        """
        names = scopes or ("drive", "admin.directory.user.readonly")
        return self.service.tokens.issue(email, frozenset(_SCOPE + name for name in names))

    async def start(self) -> None:
        """Listen, and write the credentials."""
        app = web.Application(client_max_size=64 << 20)
        self._add_routes(app)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=SHUTDOWN_SECONDS)
        await self._runner.setup()
        site = web.TCPSite(self._runner, self._host, self._port, backlog=1024, ssl_context=self._tls)
        await site.start()
        port = self._runner.addresses[0][1]
        self.service.url = f"{'https' if self._tls else 'http'}://{self._host}:{port}"
        self.service.tokens.audiences.add(f"{self.url}/token")
        self.service.tokens.credentials.write(self.folder, self.url)
        self._client = aiohttp.ClientSession(auto_decompress=True)

    async def stop(self) -> None:
        """Finish what is under way, for some seconds, and stop."""
        if self._client is not None:
            await self._client.close()
        if self._runner is not None:
            await self._runner.cleanup()
        self.service.sessions.close()
        if self._temporary is not None:
            self._temporary.cleanup()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    def _add_routes(self, app: web.Application) -> None:
        router = app.router
        for path, verbs in _by_path().items():
            router.add_route("*", path, self._endpoint(verbs))
        for upload, verbs in _upload_paths().items():
            router.add_route("*", upload, self._upload_endpoint(verbs))
        for path, _ in set(formats.EXPORT_PATHS.values()):
            router.add_get(path, self._link("export-link", exports.follow_link))
        router.add_get(operations.DOWNLOAD_PATH + "{name}", self._link("download-uri", operations.follow_download))
        router.add_post("/token", self._token)
        for path in ("/batch/drive/v3", "/batch"):
            router.add_post(path, self._batch)
        admin.add_routes(app, self.service)

    def _endpoint(self, verbs: dict[str, Method]) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def serve(request: web.Request) -> web.StreamResponse:
            return await self._guard(lambda: self._call(request, verbs))

        return serve

    def _upload_endpoint(self, verbs: dict[str, Method]) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def serve(request: web.Request) -> web.StreamResponse:
            if request.method == "PUT":
                return await self._guard(lambda: uploads.resume(self.service, request))
            return await self._guard(lambda: self._call(request, verbs))

        return serve

    def _link(
        self, route: str, follow: Callable[[Service, web.Request, str], Awaitable[web.StreamResponse]]
    ) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def run(request: web.Request) -> web.StreamResponse:
            email = self._admit(request, frozenset(_SCOPE + name for name in _MEDIA_SCOPES))
            failed = await self._enter(route, request.query.get("id", ""), email, "GET")
            return failed or await follow(self.service, request, email)

        async def serve(request: web.Request) -> web.StreamResponse:
            return await self._guard(lambda: run(request))

        return serve

    async def _guard(self, step: Step) -> web.StreamResponse:
        """Turn errors into answers, and count."""
        stats = self.service.stats
        stats.in_flight += 1
        stats.max_in_flight = max(stats.max_in_flight, stats.in_flight)
        try:
            return await step()
        except ApiError as error:
            stats.errors[f"{error.status} {error.reason}"] += 1
            return error.response()
        finally:
            stats.in_flight -= 1

    async def _call(self, request: web.Request, verbs: dict[str, Method]) -> web.StreamResponse:
        verb, query = await _read_query(request)
        method = verbs.get(verb)
        if method is None:
            raise ApiError(405, "methodNotAllowed", f"Method not allowed: {verb}.")
        route = method.id.removeprefix("drive.") + (".media" if query.get("alt") == "media" else "")
        allowed = frozenset(_SCOPE + n for n in _MEDIA_SCOPES) if route in _DOWNLOADS else method.scopes
        email = self._admit(request, allowed, drive=method.id.startswith("drive."))
        params = method.read(query)
        failed = await self._enter(route, request.match_info.get("fileId", ""), email, verb)
        if failed is not None:
            return failed
        handler: Handler | None = HANDLERS.get(method.id)
        if handler is None:
            raise not_implemented(method.id)
        return await handler(Call(self.service, request, method, params, email, route))

    def _admit(self, request: web.Request, scopes: frozenset[str], *, drive: bool = True) -> str:
        grant = self.service.tokens.check(request.headers.get("Authorization"))
        if not grant.scopes & scopes:
            raise forbidden("insufficientPermissions", "Insufficient Permission: Request had insufficient scopes.")
        user = self.service.state.users.get(grant.email)
        # The Directory API also serves an administrator who has no Drive.
        if user is None or (drive and not user.drive_enabled):
            raise by_reason(403, "domainPolicy")
        return grant.email

    async def _enter(self, route: str, file_id: str, email: str, verb: str) -> web.Response | None:
        """Count, charge, wait, and perhaps fail: what every admitted call goes through."""
        service = self.service
        service.stats.calls[route] += 1
        service.stats.units[email] += service.quota.charge(price(route, verb), email)
        if service.faults.settings.latency_ms:
            await asyncio.sleep(service.faults.settings.latency_ms / 1000)
        rule = service.faults.strike(route, file_id, email, body=False)
        if rule is None:
            return None
        if rule.kind == "error":
            raise by_reason(rule.status, rule.reason, rule.message, rule.retry_after)
        if rule.kind == "hang":
            await asyncio.sleep(rule.seconds)
            raise by_reason(503, "backendError")
        service.stats.errors[f"{rule.status} html"] += 1
        return web.Response(status=rule.status, text=_HTML.format(rule.status), content_type="text/html")

    async def _token(self, request: web.Request) -> web.StreamResponse:
        self.service.stats.calls["token"] += 1
        rule = self.service.faults.strike("token", "", "", body=False)
        if rule is not None and rule.kind == "hang":
            await asyncio.sleep(rule.seconds)
        if rule is not None:
            return web.json_response({"error": rule.reason, "error_description": rule.message}, status=rule.status)
        return await tokens.answer(self.service.tokens, request)

    async def _batch(self, request: web.Request) -> web.StreamResponse:
        client = self._client
        if client is None:
            raise RuntimeError("the server is not running")
        return await self._guard(lambda: batch.answer(self.service, client, request))


async def _read_query(request: web.Request) -> tuple[str, dict[str, str]]:
    """Verb and parameters; a POST that says it is a GET carries them in its body (facts §12)."""
    query = dict(request.query)
    override = request.headers.get("X-HTTP-Method-Override")
    if request.method == "POST" and override:
        query |= {name: str(value) for name, value in (await request.post()).items()}
        return override.upper(), query
    return request.method, query


def _by_path() -> dict[str, dict[str, Method]]:
    found: dict[str, dict[str, Method]] = {}
    # Fixed paths first: files/generateIds is not a file's id.
    for method in sorted(methods().values(), key=lambda m: ("{" in m.path, m.path)):
        found.setdefault(method.path, {})[method.verb] = method
    return found


def _upload_paths() -> dict[str, dict[str, Method]]:
    found: dict[str, dict[str, Method]] = {}
    for method in (m for m in methods().values() if m.uploads):
        for prefix in (uploads.UPLOAD_PREFIX, "/resumable" + uploads.UPLOAD_PREFIX):
            found.setdefault(prefix + method.path, {})[method.verb] = method
    return found

"""The vault's REST surface for secrets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from aiohttp import web

from include.local_cloud.keyvault.errors import VaultError, bad_parameter, forbidden
from include.local_cloud.keyvault.faults import Faults, Handler
from include.local_cloud.keyvault.store import RETENTION_DAYS, SecretStore, Version, purge_date
from include.local_cloud.keyvault.tokens import TENANT, TokenError, Tokens

AUDIENCE = "https://vault.azure.net"
#: Those that ``azure-keyvault-secrets`` 4.12.0 knows.
API_VERSIONS = ("2026-04-01", "2025-07-01", "7.6", "7.5", "7.4", "7.3", "7.2", "7.1", "7.0", "2016-10-01")
PAGE = 25


def vault_app(url: str, store: SecretStore, tokens: Tokens, faults: Faults) -> web.Application:
    """The vault.

    :param url: its own address, which is part of every secret's id.
    """
    app = web.Application(middlewares=[_guard(url, tokens, faults)])
    app.add_routes([*faults.routes(), *Vault(url, store).routes()])
    return app


def _guard(url: str, tokens: Tokens, faults: Faults) -> Any:
    """Counts, faults, tokens, versions: what comes before any secret is touched."""

    @web.middleware
    async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path.startswith("/_admin/"):
            return await handler(request)
        faults.counts[request.method] += 1
        try:
            await faults.strike()
            _authenticate(request, url, tokens)
            if request.query.get("api-version") not in API_VERSIONS:
                raise bad_parameter("The api-version query parameter is missing or not supported.")
            return await handler(request)
        except VaultError as error:
            faults.counts[str(error.status)] += 1
            return error.response()

    return guard


def _authenticate(request: web.Request, url: str, tokens: Tokens) -> None:
    """The challenge flow: a first request has no token and is told where to get one."""
    try:
        tokens.check(request.headers.get("Authorization", ""), AUDIENCE)
    except TokenError as error:
        refusal = VaultError(401, "Unauthorized", str(error))
        refusal.headers["WWW-Authenticate"] = f'Bearer authorization="{url}/{TENANT}", resource="{AUDIENCE}"'
        raise refusal from error


class Vault:
    """Requests to store calls, and versions to JSON."""

    def __init__(self, url: str, store: SecretStore) -> None:
        self._url = url
        self._store = store

    def routes(self) -> list[web.RouteDef]:
        """Every route; a trailing slash stands for the current version."""
        one, version = "/secrets/{name}", "/secrets/{name}/{version:[^/]*}"
        deleted = "/deletedsecrets/{name}"
        return [
            web.get("/secrets", self._list),
            web.get("/secrets/", self._list),
            web.get("/secrets/{name}/versions", self._versions),
            web.put(one, self._set),
            web.put(one + "/", self._set),
            web.delete(one, self._delete),
            web.get(one, self._get),
            web.get(version, self._get),
            web.patch(version, self._update),
            web.get("/deletedsecrets", self._list_deleted),
            web.get(deleted, self._get_deleted),
            web.delete(deleted, self._purge),
            web.post(deleted + "/recover", self._recover),
        ]

    async def _set(self, request: web.Request) -> web.Response:
        try:
            body = await request.json()
        except ValueError as error:
            raise bad_parameter("The body is no JSON.") from error
        return web.json_response(self._bundle(*self._store.set(request.match_info["name"], body)))

    async def _get(self, request: web.Request) -> web.Response:
        found = self._store.get(request.match_info["name"], request.match_info.get("version", ""))
        if not found[1]["attributes"]["enabled"]:
            raise forbidden("Operation get is not allowed on a disabled secret.", "SecretDisabled")
        return web.json_response(self._bundle(*found))

    async def _update(self, request: web.Request) -> web.Response:
        found = self._store.update(request.match_info["name"], request.match_info["version"], await request.json())
        return web.json_response(self._item(*found, versioned=True))

    async def _list(self, request: web.Request) -> web.Response:
        return self._page(request, [self._item(*found) for found in self._store.current()])

    async def _versions(self, request: web.Request) -> web.Response:
        found = self._store.versions(request.match_info["name"])
        return self._page(request, [self._item(*each, versioned=True) for each in found])

    async def _delete(self, request: web.Request) -> web.Response:
        return web.json_response(self._deleted(self._store.delete(request.match_info["name"])))

    async def _list_deleted(self, request: web.Request) -> web.Response:
        return self._page(request, [self._deleted(secret) for secret in self._store.deleted()])

    async def _get_deleted(self, request: web.Request) -> web.Response:
        return web.json_response(self._deleted(self._store.get_deleted(request.match_info["name"])))

    async def _recover(self, request: web.Request) -> web.Response:
        return web.json_response(self._item(*self._store.recover(request.match_info["name"]), versioned=True))

    async def _purge(self, request: web.Request) -> web.Response:
        self._store.purge(request.match_info["name"])
        return web.Response(status=204)

    def _item(self, name: str, version: Version, *, versioned: bool = False) -> dict[str, Any]:
        """A secret without its value, as lists show it."""
        shown: dict[str, Any] = {key: version[key] for key in ("contentType", "tags") if key in version}
        recovery = {"recoveryLevel": "Recoverable+Purgeable", "recoverableDays": RETENTION_DAYS}
        ident = f"{self._url}/secrets/{name}" + (f"/{version['version']}" if versioned else "")
        return {"id": ident, "attributes": version["attributes"] | recovery, **shown}

    def _bundle(self, name: str, version: Version) -> dict[str, Any]:
        return self._item(name, version, versioned=True) | {"value": version["value"]}

    def _deleted(self, secret: dict[str, Any]) -> dict[str, Any]:
        return self._item(secret["name"], secret["versions"][-1], versioned=True) | {
            "recoveryId": f"{self._url}/deletedsecrets/{secret['name']}",
            "deletedDate": secret["deletedDate"],
            "scheduledPurgeDate": purge_date(secret["deletedDate"]),
        }

    def _page(self, request: web.Request, items: Sequence[dict[str, Any]]) -> web.Response:
        size = request.query.get("maxresults", str(PAGE))
        if not size.isdigit() or not 1 <= int(size) <= PAGE:
            raise bad_parameter(f"maxresults must be a number from 1 to {PAGE}.")
        start = int(request.query.get("$skiptoken", "0"))
        end = start + int(size)
        query = {**request.query, "$skiptoken": str(end)}
        following = str(request.url.origin().join(request.url.with_query(query))) if end < len(items) else None
        return web.json_response({"value": list(items[start:end]), "nextLink": following})

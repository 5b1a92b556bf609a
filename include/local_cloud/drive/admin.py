"""``/_admin``: how tests and the demo look into this Drive, break it and edit it. Google has nothing of the kind."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from aiohttp import web

from include.local_cloud.drive.admin_edits import Edit, apply
from include.local_cloud.drive.clock import from_text, to_text
from include.local_cloud.drive.context import Service
from include.local_cloud.drive.errors import ApiError
from include.local_cloud.drive.faults import Rule, Settings
from include.local_cloud.drive.listing import hash_contents
from include.local_cloud.drive.model import Item
from include.local_cloud.drive.people import delete_user, drop_alias, rename_user
from include.local_cloud.drive.quota import Limits, Quota
from include.local_cloud.drive.stats import Stats

Answer = Callable[[Service, web.Request], Awaitable[Any]]


def add_routes(app: web.Application, service: Service) -> None:
    """Hang the endpoints into an application. They need no token: the server listens on loopback only."""
    for verb, path, answer in _ROUTES:
        app.router.add_route(verb, f"/_admin/{path}", _endpoint(service, answer))


def _endpoint(service: Service, answer: Answer) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def serve(request: web.Request) -> web.Response:
        try:
            result = await answer(service, request)
        except (msgspec.DecodeError, ValueError, KeyError) as error:
            return web.json_response({"error": f"{type(error).__name__}: {error}"}, status=400)
        except ApiError as error:
            return error.response()
        return web.Response(body=msgspec.json.encode(result), content_type="application/json")

    return serve


async def _stats(service: Service, _request: web.Request) -> Any:
    found = service.stats.to_dict()
    found |= {"quotaRefusals": service.quota.refused, "faultsStruck": service.faults.struck}
    return found | {"items": len(service.state.items), "unlisted": service.state.unlisted}


async def _reset(service: Service, _request: web.Request) -> Any:
    """Forget counters, faults and the quota's windows; what the Drive holds stays."""
    service.stats = Stats()
    service.faults.settings, service.faults.rules, service.faults.struck = Settings(), [], 0
    service.quota = Quota()
    service.state.clock.move(0)
    return {}


def _faults_now(service: Service) -> Any:
    return {"settings": service.faults.settings, "rules": service.faults.rules}


async def _show_faults(service: Service, _request: web.Request) -> Any:
    return _faults_now(service)


class _FaultsBody(msgspec.Struct, forbid_unknown_fields=True):
    settings: dict[str, Any] = {}
    rules: list[Rule] = []


async def _set_faults(service: Service, request: web.Request) -> Any:
    """Change some settings and add rules."""
    body = msgspec.json.decode(await request.read(), type=_FaultsBody)
    merged = msgspec.to_builtins(service.faults.settings) | body.settings
    service.faults.settings = msgspec.convert(merged, Settings)
    service.faults.rules.extend(body.rules)
    return _faults_now(service)


async def _clear_faults(service: Service, _request: web.Request) -> Any:
    service.faults.settings, service.faults.rules = Settings(), []
    return _faults_now(service)


async def _set_quota(service: Service, request: web.Request) -> Any:
    service.quota = Quota(msgspec.json.decode(await request.read(), type=Limits))
    return service.quota.limits


class _ClockBody(msgspec.Struct, forbid_unknown_fields=True):
    """Exactly one of them: run on with an offset, or stand still at a time."""

    offset_ms: int | None = None
    at: str | None = None


async def _set_clock(service: Service, request: web.Request) -> Any:
    body = msgspec.json.decode(await request.read(), type=_ClockBody)
    if body.at is not None:
        service.state.clock.freeze(from_text(body.at))
    else:
        service.state.clock.move(body.offset_ms or 0)
    return {"now": to_text(service.state.clock.now())}


async def _edit(service: Service, request: web.Request) -> Any:
    edit = msgspec.json.decode(await request.read(), type=Edit)
    item = apply(service.state, edit)
    return {} if item is None else _describe(item)


async def _revoke(service: Service, request: web.Request) -> Any:
    """Access tokens die; with ``{"refresh": true}`` refresh tokens too."""
    body = msgspec.json.decode(await request.read() or b"{}", type=dict[str, bool])
    service.tokens.revoke_all()
    if body.get("refresh"):
        service.tokens.refresh_tokens.clear()
    return {}


class _UserBody(msgspec.Struct, forbid_unknown_fields=True):
    email: str
    name: str | None = None
    admin: bool = False
    suspended: bool = False
    drive_enabled: bool = True
    org_unit: str = "/"


async def _put_user(service: Service, request: web.Request) -> Any:
    """Make or change a user."""
    body = msgspec.json.decode(await request.read(), type=_UserBody)
    state = service.state
    user = state.users.get(body.email) or state.add_user(body.email, body.name)
    user.admin, user.suspended, user.drive_enabled = body.admin, body.suspended, body.drive_enabled
    user.org_unit = body.org_unit
    return {"email": user.email, "rootId": user.root_id}


class _RenameBody(msgspec.Struct, forbid_unknown_fields=True):
    email: str
    to: str


async def _rename_user(service: Service, request: web.Request) -> Any:
    """Give a user another primary address."""
    body = msgspec.json.decode(await request.read(), type=_RenameBody)
    user = rename_user(service.state, body.email, body.to)
    service.tokens.rename(body.email, body.to)
    return {"email": user.email, "rootId": user.root_id}


class _AddressBody(msgspec.Struct, forbid_unknown_fields=True):
    email: str


async def _delete_user(service: Service, request: web.Request) -> Any:
    body = msgspec.json.decode(await request.read(), type=_AddressBody)
    delete_user(service.state, body.email)
    service.tokens.rename(body.email, None)
    return {}


async def _drop_alias(service: Service, request: web.Request) -> Any:
    drop_alias(service.state, msgspec.json.decode(await request.read(), type=_AddressBody).email)
    return {}


class _DriveBody(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    members: dict[str, str]


async def _add_drive(service: Service, request: web.Request) -> Any:
    body = msgspec.json.decode(await request.read(), type=_DriveBody)
    return {"id": service.state.add_drive(body.name, body.members).id}


class _DelegationBody(msgspec.Struct, forbid_unknown_fields=True):
    scopes: list[str] | None


async def _delegate(service: Service, request: web.Request) -> Any:
    """The scopes that the administrator gave the service account; null for all."""
    body = msgspec.json.decode(await request.read(), type=_DelegationBody)
    service.tokens.delegated = None if body.scopes is None else frozenset(body.scopes)
    return {"scopes": body.scopes}


async def _items(service: Service, request: web.Request) -> Any:
    """All that the Drive holds, without rights and pages: the truth that a backup is compared with."""
    if service.state.refresh is not None:
        await service.state.refresh()
    items = [item for item in service.state.items.values() if not service.state.is_root(item)]
    if "sha256" in request.query:
        await hash_contents([i.content for i in items if i.content and not i.native], ["sha256"])
    return {"items": [_describe(item) for item in items]}


def _describe(item: Item) -> dict[str, Any]:
    content = item.content
    return {
        "id": item.id,
        "name": item.name,
        "mimeType": item.mime_type,
        "parents": item.parents,
        "owner": item.owner,
        "driveId": item.drive_id,
        "trashed": item.trashed,
        "modifiedTime": to_text(item.modified),
        "version": item.version,
        "size": content.size if content and not item.native else None,
        "sha256": content.digest("sha256") if content and not item.native else None,
        "target": item.target,
    }


_ROUTES: list[tuple[str, str, Answer]] = [
    ("GET", "stats", _stats),
    ("POST", "reset", _reset),
    ("GET", "faults", _show_faults),
    ("POST", "faults", _set_faults),
    ("DELETE", "faults", _clear_faults),
    ("POST", "quota", _set_quota),
    ("POST", "clock", _set_clock),
    ("POST", "edit", _edit),
    ("POST", "revoke-tokens", _revoke),
    ("POST", "users", _put_user),
    ("POST", "users/rename", _rename_user),
    ("POST", "users/delete", _delete_user),
    ("POST", "aliases/delete", _drop_alias),
    ("POST", "drives", _add_drive),
    ("POST", "delegation", _delegate),
    ("GET", "items", _items),
]

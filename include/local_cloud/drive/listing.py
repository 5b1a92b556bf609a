"""``files.list``: corpora, order, pages that are shorter than asked for."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from aiohttp import web

from include.local_cloud.drive import fields
from include.local_cloud.drive.access import corpus, role_of
from include.local_cloud.drive.content import INLINE, Content
from include.local_cloud.drive.context import Call, handles
from include.local_cloud.drive.errors import ApiError, drive_not_found, invalid, invalid_parameter
from include.local_cloud.drive.model import FOLDER, Item
from include.local_cloud.drive.pages import Cursor, fingerprint
from include.local_cloud.drive.query import Query, compile_query, no_sorting
from include.local_cloud.drive.resource import View, checksums_asked, file_resource
from include.local_cloud.drive.state import DriveState

# Field evidence, facts §2: what a page really holds once the mask has these.
CAP_WITH_PARENTS = 460
CAP_WITH_PERMISSIONS = 100
_hashers = ThreadPoolExecutor(2, thread_name_prefix="local-drive-hash")

SortKey = Callable[[Item], Any]


@handles("drive.files.list")
async def list_files(call: Call) -> web.Response:
    """One page."""
    mask = fields.inner(call.mask, "files")
    cursor = await _cursor(call)
    settings = call.service.faults.settings
    size = page_size(mask, int(call.params.get("pageSize", 100)), settings.page_cap)
    if settings.empty_page_every and cursor.page % settings.empty_page_every == 0:
        size = 0
    end = cursor.position + size
    items = [call.state.items[i] for i in cursor.ids[cursor.position : end] if i in call.state.items]
    await hash_contents([i.content for i in items if i.content and not i.native], checksums_asked(mask))
    view = View(call.state, call.email, call.service.url)
    data: dict[str, Any] = {
        "kind": "drive#fileList",
        "incompleteSearch": settings.incomplete_search,
        "files": [file_resource(item, view, mask) for item in items] if mask != {} else [],
    }
    if end < len(cursor.ids):
        after = Cursor(cursor.fingerprint, cursor.ids, end, cursor.time, cursor.page + 1)
        data["nextPageToken"] = call.service.pages.save(after)
    return call.answer(_selected(call.mask, data), masked=True)


def _selected(mask: fields.Mask, data: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in data.items() if fields.asks(mask, name)}


def page_size(mask: fields.Mask, asked: int, cap: int) -> int:
    """How many entries a page holds at most."""
    if fields.asks(mask, "permissions"):
        asked = min(asked, CAP_WITH_PERMISSIONS)
    if fields.asks(mask, "parents"):
        asked = min(asked, CAP_WITH_PARENTS)
    return min(asked, cap) if cap else asked


async def hash_contents(contents: Iterable[Content], algorithms: list[str]) -> None:
    """Make checksums known, in threads: the small ones together, each large one by itself.

    What cannot be read keeps none.
    """
    todo = [c for c in contents if any(c.digest(name) is None for name in algorithms)]
    small = [c for c in todo if c.size <= INLINE]
    jobs = [small, *([c] for c in todo if c.size > INLINE)]
    loop = asyncio.get_running_loop()
    await asyncio.gather(*(loop.run_in_executor(_hashers, _hash_all, job, algorithms) for job in jobs if job))


def _hash_all(contents: list[Content], algorithms: list[str]) -> None:
    for content in contents:
        with contextlib.suppress(OSError):
            content.compute(algorithms)


async def _cursor(call: Call) -> Cursor:
    bound = fingerprint(call.email, call.method.id, call.params)
    now = call.state.clock.now()
    token = call.params.get("pageToken")
    if token:
        return call.service.pages.find(token, bound, now, call.service.faults.settings.page_token_ms)
    if call.state.refresh is not None:
        await call.state.refresh()
    return Cursor(bound, [item.id for item in _search(call, now)], 0, now, 1)


def _search(call: Call, now: int) -> list[Item]:
    state, settings = call.state, call.service.faults.settings
    query = compile_query(call.params.get("q"), View(state, call.email))
    keys = sort_keys(call.params.get("orderBy"), call.email)
    if keys and query.full_text:
        raise no_sorting()
    newest = now - settings.listing_lag_ms if settings.listing_lag_ms else None
    found = [
        item
        for item in _candidates(call, query)
        if query.test(item) and not state.is_root(item) and (newest is None or item.born <= newest)
    ]
    if settings.multi_parent_fault and query.parent_terms > 1:
        return []
    if settings.incomplete_search:
        found = [item for place, item in enumerate(found) if place % 10 != 9]
    for key, descending in reversed(keys):
        found.sort(key=key, reverse=descending)
    return found


def _candidates(call: Call, query: Query) -> Iterator[Item]:
    state, email = call.state, call.email
    reach = _corpora(call)
    if query.parents is None:
        yield from reach
        return
    seen: set[str] = set()
    allowed = _corpus_test(call)
    for parent in query.parents:
        for ident in state.children.get(parent, ()):
            item = state.items[ident]
            if ident not in seen and allowed(item) and role_of(state, item, email) is not None:
                seen.add(ident)
                yield item


def _corpora(call: Call) -> Iterator[Item]:
    """All items of the corpus that is asked for."""
    params, state, email = call.params, call.state, call.email
    corpora, drive_id = _checked_corpora(call)
    if params.get("spaces", "drive") != "drive":
        if params["spaces"] not in {"appDataFolder", "photos"}:
            raise invalid("spaces")
        return iter(())
    if corpora == "drive":
        return drive_items(state, drive_id or "", email)
    with_drives = bool(params.get("includeItemsFromAllDrives")) and call.all_drives
    own = (item for item in corpus(state, email) if item.drive_id is None or with_drives)
    if corpora == "domain":
        return (item for item in own if any(p.type == "domain" for p in item.permissions))
    if corpora == "allDrives" and with_drives:
        return _everywhere(state, own, email)
    return own


def _everywhere(state: DriveState, own: Iterator[Item], email: str) -> Iterator[Item]:
    yield from (item for item in own if item.drive_id is None)
    for drive_id in state.drives:
        if role_of(state, state.items[drive_id], email) is not None:
            yield from drive_items(state, drive_id, email)


def _checked_corpora(call: Call) -> tuple[str, str | None]:
    params = call.params
    drive_id = params.get("driveId") or params.get("teamDriveId")
    corpora = params.get("corpora") or ("drive" if drive_id else "user")
    if corpora not in {"user", "domain", "drive", "allDrives"}:
        raise invalid("corpora")
    if (corpora == "drive") is not (drive_id is not None):
        raise invalid_parameter(
            "driveId", "The driveId parameter must be specified if and only if corpora is set to drive."
        )
    if corpora in {"drive", "allDrives"} and not call.all_drives:
        raise drive_not_found(drive_id or "")
    if corpora in {"drive", "allDrives"} and not params.get("includeItemsFromAllDrives"):
        raise ApiError(
            403,
            "teamDrivesNotSupported",
            "The includeItemsFromAllDrives parameter must be set to true when shared drives are searched.",
            location="includeItemsFromAllDrives",
        )
    if drive_id is not None:
        require_member(call.state, drive_id, call.email)
    return corpora, drive_id


def require_member(state: DriveState, drive_id: str, email: str) -> None:
    """Check that a shared drive exists and the user is a member.

    :raises ApiError: 404.
    """
    if drive_id not in state.drives or role_of(state, state.items[drive_id], email) is None:
        raise drive_not_found(drive_id)


def _corpus_test(call: Call) -> Callable[[Item], bool]:
    corpora, drive_id = _checked_corpora(call)
    with_drives = bool(call.params.get("includeItemsFromAllDrives")) and call.all_drives
    if corpora == "drive":
        return lambda item: item.drive_id == drive_id
    return lambda item: item.drive_id is None or with_drives


def drive_items(state: DriveState, drive_id: str, email: str) -> Iterator[Item]:
    """What a member may see of a shared drive."""
    return (item for item in state.descendants(drive_id) if role_of(state, item, email) is not None)


def _natural(text: str) -> list[tuple[int, int, str]]:
    return [(0, int(p), "") if p.isdigit() else (1, 0, p) for p in re.split(r"(\d+)", text.casefold()) if p]


def sort_keys(order_by: str | None, email: str) -> list[tuple[SortKey, bool]]:
    """Read ``orderBy``; the second of each pair is whether it is descending.

    :raises ApiError: 400 for an unknown key.
    """
    if not order_by:
        return []
    known: dict[str, SortKey] = {
        "createdTime": lambda i: i.created,
        "modifiedTime": lambda i: i.modified,
        "modifiedByMeTime": lambda i: i.modified if i.by == email else 0,
        "viewedByMeTime": lambda i: i.viewed.get(email, 0),
        "sharedWithMeTime": lambda i: max((p.since for p in i.permissions if p.email == email), default=0),
        "recency": lambda i: max(i.modified, i.viewed.get(email, 0)),
        "folder": lambda i: i.mime_type != FOLDER,
        "name": lambda i: i.name.casefold(),
        "name_natural": lambda i: _natural(i.name),
        "quotaBytesUsed": lambda i: i.content.size if i.content and not i.native else 0,
        "starred": lambda i: not i.starred,
    }
    keys: list[tuple[SortKey, bool]] = []
    for entry in order_by.split(","):
        name, _, direction = entry.strip().partition(" ")
        if name not in known or direction.strip() not in {"", "asc", "desc"}:
            raise invalid("orderBy")
        keys.append((known[name], direction.strip() == "desc"))
    return keys

"""The terms of the search language: what each one asks of an item."""

from __future__ import annotations

import operator as op
import re
from collections.abc import Callable
from dataclasses import dataclass

from include.local_cloud.drive import clock
from include.local_cloud.drive.access import RANK, WRITER, role_of
from include.local_cloud.drive.content import NativeContent
from include.local_cloud.drive.errors import ApiError, invalid
from include.local_cloud.drive.model import Item
from include.local_cloud.drive.state import DriveState

Test = Callable[[Item], bool]
_COMPARE = {"=": op.eq, "!=": op.ne, "<": op.lt, "<=": op.le, ">": op.gt, ">=": op.ge}


def bad_query() -> ApiError:
    """Drive's answer to a query that it cannot read."""
    return invalid("q")


@dataclass(frozen=True)
class Viewer:
    """Who asks, of which Drive."""

    state: DriveState
    email: str

    def resolve(self, file_id: str) -> str:
        """``root`` is an alias of the user's own root folder."""
        return self.state.users[self.email].root_id if file_id == "root" else file_id

    def address(self, text: str) -> str:
        """``me`` is an alias of the user's own address."""
        return self.email if text == "me" else text.lower()

    def visible_parents(self, item: Item) -> list[str]:
        """The parents that the user may see."""
        if item.owner == self.email and len(item.parents) == 1:
            parent = self.state.items.get(item.parents[0])
            if parent is not None and parent.owner == self.email:
                return item.parents
        items = self.state.items
        return [p for p in item.parents if p in items and role_of(self.state, items[p], self.email) is not None]

    def shared_since(self, item: Item) -> int | None:
        """When someone shared the item itself with the user, in ms; None when nobody did."""
        if item.owner == self.email or item.drive_id is not None:
            return None
        return next((p.since for p in item.permissions if p.email == self.email), None)


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", text.lower())


def _has_prefixes(wanted: list[str], text: str) -> bool:
    words = _words(text)
    return all(any(word.startswith(prefix) for word in words) for prefix in wanted)


def _text(get: Callable[[Item], str], *, fold: bool) -> Callable[[str, str, Viewer], Test]:
    def term(operator: str, value: str, _viewer: Viewer) -> Test:
        if operator == "contains":
            wanted = _words(value)
            return lambda item: _has_prefixes(wanted, get(item))
        if operator not in {"=", "!="}:
            raise bad_query()
        expected = value.casefold() if fold else value
        wanted_equal = operator == "="
        if fold:
            return lambda item: (get(item).casefold() == expected) is wanted_equal
        return lambda item: (get(item) == expected) is wanted_equal

    return term


def _time(get: Callable[[Item, Viewer], int | None]) -> Callable[[str, str, Viewer], Test]:
    def term(operator: str, value: str, viewer: Viewer) -> Test:
        if operator not in _COMPARE:
            raise bad_query()
        try:
            moment = clock.from_text(value)
        except ValueError as error:
            raise bad_query() from error
        compare = _COMPARE[operator]

        def test(item: Item) -> bool:
            own = get(item, viewer)
            return own is not None and bool(compare(own, moment))

        return test

    return term


def _flag(get: Callable[[Item, Viewer], bool]) -> Callable[[str, str, Viewer], Test]:
    def term(operator: str, value: str, viewer: Viewer) -> Test:
        if operator not in {"=", "!="} or value.lower() not in {"true", "false"}:
            raise bad_query()
        wanted = (value.lower() == "true") is (operator == "=")
        return lambda item: get(item, viewer) is wanted

    return term


def _owners(_operator: str, value: str, viewer: Viewer) -> Test:
    email = viewer.address(value)
    return lambda item: item.owner == email


def _role_at_least(rank: int) -> Callable[[str, str, Viewer], Test]:
    def term(_operator: str, value: str, viewer: Viewer) -> Test:
        email = viewer.address(value)
        return lambda item: RANK.get(role_of(viewer.state, item, email, links=False) or "", -1) >= rank

    return term


def _nothing(_operator: str, _value: str, _viewer: Viewer) -> Test:
    return lambda _item: False


def _full_text(operator: str, value: str, _viewer: Viewer) -> Test:
    if operator != "contains":
        raise bad_query()
    phrase = value[1:-1].lower() if value.startswith('"') and value.endswith('"') else None
    wanted = set(_words(value))

    def test(item: Item) -> bool:
        content = item.content
        inside = content.text if isinstance(content, NativeContent) else ""
        text = f"{item.name} {item.fields.get('description', '')} {inside}"
        return phrase in text.lower() if phrase is not None else wanted <= set(_words(text))

    return test


def visibility_of(item: Item) -> str:
    """How far an item's own permissions reach."""
    kinds = {(p.type, p.discovery) for p in item.permissions}
    names = {
        ("anyone", True): "anyoneCanFind",
        ("anyone", False): "anyoneWithLink",
        ("domain", True): "domainCanFind",
        ("domain", False): "domainWithLink",
    }
    return next((name for kind, name in names.items() if kind in kinds), "limited")


TERMS: dict[str, Callable[[str, str, Viewer], Test]] = {
    "name": _text(lambda item: item.name, fold=True),
    "mimeType": _text(lambda item: item.mime_type, fold=False),
    "visibility": _text(visibility_of, fold=False),
    "shortcutDetails.targetId": _text(lambda item: item.target or "", fold=False),
    "fullText": _full_text,
    "modifiedTime": _time(lambda item, _viewer: item.modified),
    "createdTime": _time(lambda item, _viewer: item.created),
    "viewedByMeTime": _time(lambda item, viewer: item.viewed.get(viewer.email)),
    "trashed": _flag(lambda item, _viewer: item.trashed),
    "starred": _flag(lambda item, _viewer: item.starred),
    "sharedWithMe": _flag(lambda item, viewer: viewer.shared_since(item) is not None),
    "owners": _owners,
    "writers": _role_at_least(WRITER),
    "readers": _role_at_least(0),
    "labels": _nothing,
}

"""Page tokens: bound to who asks and to all other parameters, and gone after some hours."""

from __future__ import annotations

import secrets
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

from include.local_cloud.drive.errors import invalid

MAX_LISTINGS = 2_000


@dataclass(slots=True)
class Cursor:
    """Where a listing stands: the ids that it found at its first page, and how many are out. ``time`` in ms."""

    fingerprint: str
    ids: list[str]
    position: int
    time: int
    page: int


def fingerprint(email: str, method: str, params: dict[str, Any]) -> str:
    """All that must not change from page to page; the mask and the page size may."""
    loose = {"pageToken", "fields", "pageSize", "quotaUser", "prettyPrint", "access_token", "key"}
    bound = sorted((name, str(value)) for name, value in params.items() if name not in loose)
    return repr((email, method, bound))


class Pages:
    """The listings that are under way. A token stays good when it is used again, as a retried call does."""

    def __init__(self) -> None:
        self._cursors: OrderedDict[str, Cursor] = OrderedDict()

    def save(self, cursor: Cursor) -> str:
        """A token for the next page."""
        token = "~!!~" + secrets.token_urlsafe(48)
        self._cursors[token] = cursor
        while len(self._cursors) > MAX_LISTINGS:
            self._cursors.popitem(last=False)
        return token

    def find(self, token: str, expected: str, now: int, lifetime: int) -> Cursor:
        """The listing that a token belongs to.

        :raises ApiError: 400 ``invalid`` for a token that is unknown, expired, or of another question.
        """
        cursor = self._cursors.get(token)
        if cursor is None or cursor.fingerprint != expected or now - cursor.time > lifetime:
            raise invalid("pageToken")
        return cursor

    def clear(self) -> None:
        """Forget all tokens."""
        self._cursors.clear()

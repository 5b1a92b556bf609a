"""What all paged answers of Google have: a list, and the token of the next page. Half of one is never all of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from include.drive_backup.errors import ServiceUnavailableError


def entries_of(answer: Mapping[str, Any], key: str, what: str) -> list[Any]:
    """The list of a page; empty where there is none.

    :raises ServiceUnavailableError: it is something else.
    """
    found = answer.get(key)
    if found is None:
        return []
    if not isinstance(found, list):
        raise senseless(what)
    return found


def next_token(answer: Mapping[str, Any], what: str) -> str:
    """The token of the next page; empty after the last one.

    :raises ServiceUnavailableError: it is not a text, so nobody knows whether more follows.
    """
    found = answer.get("nextPageToken")
    if found is None:
        return ""
    if not isinstance(found, str):
        raise senseless(what)
    return found


def senseless(what: str) -> ServiceUnavailableError:
    """The error for an answer that cannot be what was asked for."""
    return ServiceUnavailableError(
        f"Drive's answer for {what} makes no sense; it is asked again later. If this stays, check api_endpoint and "
        "any proxy.",
        service="drive",
        reason="badAnswer",
    )

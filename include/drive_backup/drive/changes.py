"""The change feed of one corpus, ``changes.list``. A user has one, and each shared drive one of its own.

Drive's guide "Changes and revisions overview" has the rules: one entry per item, the newest; ``removed`` means deleted
or out of reach; positions never expire; ``newStartPageToken`` comes on the last page only. With
``includeCorpusRemovals`` an item that left the corpus, and that the account can still see, comes with its resource.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

from include.drive_backup.drive.client import DriveClient
from include.drive_backup.drive.corpus import Corpus
from include.drive_backup.drive.errors import UnexpectedAnswerError
from include.drive_backup.drive.fields import FILE_FIELDS
from include.drive_backup.errors import FeedLostError, ItemUnavailableError
from include.drive_backup.model import Item
from include.drive_backup.pacing import LIST_UNITS
from include.drive_backup.ports import ChangePage
from include.drive_backup.values import read_id, read_objects, read_time

#: Kinds of entries that are about shared drives, not about items.
_OF_DRIVES = ("drive", "teamDrive")

_FIELDS = (
    "kind,nextPageToken,newStartPageToken,"
    f"changes(changeType,time,removed,fileId,driveId,file({FILE_FIELDS}))"
)  # fmt: skip


async def read_changes(client: DriveClient, corpus: Corpus, token: str, what: str) -> AsyncIterator[ChangePage]:
    """All pages of a feed from a position to its end.

    :raises FeedLostError: the corpus has no feed of its own, Drive refuses the position, or the answer has no end.
    """
    if corpus.kind == "walk":
        raise FeedLostError(f"Drive promises no {what}: the folder belongs to somebody else.", reason="noFeed")
    seen = set[str]()
    while token not in seen:
        seen.add(token)
        answer = await _page(client, corpus, token, what)
        try:
            page, following = _read(answer, corpus), _token(answer, "nextPageToken")
        except ValueError as error:
            raise FeedLostError(f"Drive's answer for {what} makes no sense. {error}", reason="feedUnclear") from error
        yield page
        if page.token:
            return
        token = following or token
    raise FeedLostError(f"Drive's answer for {what} neither ends nor goes on.", reason="feedUnclear")


async def _page(client: DriveClient, corpus: Corpus, token: str, what: str) -> dict[str, Any]:
    params = {
        "pageToken": token,
        "pageSize": "1000",
        "spaces": "drive",
        "includeRemoved": "true",
        "includeCorpusRemovals": "true",
        # In a user's feed, too: what moved to a shared drive is then shown there, and so is known to have left.
        "includeItemsFromAllDrives": "true",
        "supportsAllDrives": "true",
        "fields": _FIELDS,
        **({"driveId": corpus.drive_id} if corpus.drive_id else {}),
    }
    try:
        return await client.get_json("changes", params, units=LIST_UNITS, what=what)
    except (UnexpectedAnswerError, ItemUnavailableError) as error:
        raise FeedLostError(
            f"{what[0].upper()}{what[1:]} cannot be read from the position that is known. {error}"
        ) from error


def _read(answer: dict[str, Any], corpus: Corpus) -> ChangePage:
    items, removed, elsewhere, corpus_changed = [], [], [], False
    times: dict[str, datetime] = {}
    for change in _changes(answer):
        if change.get("changeType", "file") in _OF_DRIVES:
            # A user's feed also tells of shared drives that the user joined or left: sources of their own.
            corpus_changed = corpus_changed or corpus.kind == "drive"
            continue
        ident, item = _subject(change)
        if (time := read_time(change.get("time"))) is not None:
            times[ident] = time
        if _is_removed(change):
            removed.append(ident)
            elsewhere += [item] if item else []
        elif item is not None:
            items.append(item)
        else:
            raise ValueError(f"The change of {ident} does not have the item.")
    return ChangePage(
        items=tuple(items),
        removed=tuple(removed),
        elsewhere=tuple(elsewhere),
        times=times,
        token=_token(answer, "newStartPageToken"),
        corpus_changed=corpus_changed,
    )


def _changes(answer: dict[str, Any]) -> tuple[dict[str, Any], ...]:
    """The entries of a page: all of them, for what cannot be read may be about anything.

    :raises ValueError: one cannot be read.
    """
    changes = answer.get("changes")
    entries = read_objects(changes)
    if not isinstance(changes, list) or len(entries) < len(changes):
        raise ValueError("Its changes are not a list of objects.")
    if any(entry.get("changeType", "file") not in ("file", *_OF_DRIVES) for entry in entries):
        raise ValueError("It has a kind of change that nobody knows.")
    return entries


def _subject(change: dict[str, Any]) -> tuple[str, Item | None]:
    """Which item an entry is about.

    :raises ValueError: it does not say so.
    """
    item = Item.from_resource(change["file"]) if change.get("file") else None
    ident = item.id if item and not change.get("fileId") else read_id(change.get("fileId"))
    if ident is None:
        raise ValueError("A change does not name its item.")
    return ident, item


def _is_removed(change: dict[str, Any]) -> bool:
    removed = change.get("removed") or False
    if not isinstance(removed, bool):
        raise ValueError(f"A change is removed: {removed!r}.")  # noqa: TRY004 - what Drive says, not what a caller gives
    return removed


def _token(answer: dict[str, Any], key: str) -> str | None:
    token = answer.get(key)
    if not isinstance(token, str | None):
        raise ValueError(f"Its {key} is not a text.")  # noqa: TRY004 - as above
    return token or None

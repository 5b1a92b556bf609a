"""The change feed of one corpus, ``changes.list``. A user has one, and each shared drive one of its own.

Drive's guide "Changes and revisions overview" has the rules: one entry per item, the newest; ``removed`` means deleted
or out of reach; positions never expire; ``newStartPageToken`` comes on the last page only. With
``includeCorpusRemovals`` an item that left the corpus, and that the account can still see, comes with its resource.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

from include.drive_backup.drive.client import DriveClient
from include.drive_backup.drive.corpus import Corpus
from include.drive_backup.drive.errors import UnexpectedAnswerError
from include.drive_backup.drive.fields import FILE_FIELDS
from include.drive_backup.errors import FeedLostError, ItemUnavailableError
from include.drive_backup.model import Item
from include.drive_backup.pacing import LIST_UNITS
from include.drive_backup.ports import ChangePage

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
        end = answer.get("newStartPageToken")
        try:
            page = _read(answer, corpus, end)
        except (KeyError, ValueError, TypeError, AttributeError) as error:
            raise FeedLostError(f"Drive's answer for {what} makes no sense.", reason="feedUnclear") from error
        yield page
        if end:
            return
        token = answer.get("nextPageToken") or token
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


def _read(answer: dict[str, Any], corpus: Corpus, end: str | None) -> ChangePage:
    items, removed, elsewhere, corpus_changed = [], [], [], False
    times: dict[str, datetime] = {}
    for change in answer["changes"]:
        if change.get("changeType", "file") != "file":
            # A user's feed also tells of shared drives that the user joined or left: sources of their own.
            corpus_changed = corpus_changed or corpus.kind == "drive"
            continue
        ident = str(change.get("fileId") or change["file"]["id"])
        if change.get("time"):
            times[ident] = datetime.fromisoformat(change["time"]).astimezone(UTC)
        if change.get("removed"):
            removed.append(ident)
            if change.get("file"):
                elsewhere.append(Item.from_resource(change["file"]))
        else:
            items.append(Item.from_resource(change["file"]))
    return ChangePage(
        items=tuple(items),
        removed=tuple(removed),
        elsewhere=tuple(elsewhere),
        times=times,
        token=end,
        corpus_changed=corpus_changed,
    )

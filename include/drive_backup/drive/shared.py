"""What others share with a user: the tops of "Shared with me", and everything below the folders among them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence

from include.drive_backup.model import FOLDER, Item
from include.drive_backup.ports import Page

Pages = Callable[[dict[str, str], str], AsyncIterator[Page]]

#: "Shared with me" is no folder: its tops have no parent that the user can see. It stands for one.
SHARED_ROOT = Item(id="", name="Shared with me", mime_type=FOLDER)

#: Folders that are listed at once.
_WALKERS = 8
#: A file of a shared drive may be shared with somebody who is no member.
_CORPUS = {"corpora": "user", "includeItemsFromAllDrives": "true"}


async def shared_with_me(pages: Pages, what: str) -> AsyncIterator[Page]:
    """Walk down from what is shared, level by level, each folder once, so that a loop ends.

    ``corpora=user`` promises what was shared item by item, not what lies in a shared folder: that has to be walked.

    :param pages: lists all pages of a query.
    """
    seen: set[str] = set()
    queue: list[str] = []
    async for page in pages({**_CORPUS, "q": "sharedWithMe"}, what):
        _enter(page, seen, queue)
        yield page
    while queue:
        now, queue = queue[:_WALKERS], queue[_WALKERS:]
        for children in await asyncio.gather(*(_children(pages, folder, what) for folder in now)):
            for page in children:
                _enter(page, seen, queue)
                yield page


async def _children(pages: Pages, folder: str, what: str) -> Sequence[Page]:
    return [page async for page in pages({**_CORPUS, "q": f"'{folder}' in parents"}, what)]


def _enter(page: Page, seen: set[str], queue: list[str]) -> None:
    """Note the folders of a page that are still to be listed."""
    below = [item.id for item in page.items if item.kind == "folder" and item.id not in seen]
    seen.update(below)
    queue.extend(below)

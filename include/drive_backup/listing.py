"""The first step of a backup: Drive's flat listing of one source, streamed into the run's work area."""

from __future__ import annotations

import logging
import secrets
from collections.abc import AsyncIterator, Awaitable
from typing import Any

from include.drive_backup.blob.names import work_prefix
from include.drive_backup.errors import ItemUnavailableError, SourceNotFoundError
from include.drive_backup.groups import read_covered
from include.drive_backup.model import Item, Listing, Refused, Root, Source, SourceTask, format_instant
from include.drive_backup.ports import BlobStore, Clock, Drive, Page
from include.drive_backup.work import PartWriter, root_prefix

log = logging.getLogger(__name__)

#: Items per part of the listing: some MB of JSON, so that memory stays bounded.
PART_ROWS = 5_000


async def list_source(drive: Drive, store: BlobStore, task: SourceTask, clock: Clock) -> Listing:
    """List a source.

    Each call writes to a place of its own, so a task that is cleared really looks again. Items that Drive gave twice
    are written twice; the plan takes the newest.

    :return: where the listing is; ``complete`` is false when Drive says that it did not search everything.
    :raises SourceNotFoundError: the source does not exist, is in the trash, or may not be read.
    """
    source, started = Source.parse(task.source), clock.now()
    work = work_prefix(source, task.run, secrets.token_hex(6))
    # Before the listing: what changes while it is read is then after the token, and so is never missed.
    token = await drive.change_token(source)
    root = await _root(drive, source)
    items = size = 0
    complete = True
    async with PartWriter[Item](store, listing_prefix(work), PART_ROWS) as writer:
        async for page in await _pages(drive, store, task, source):
            complete = complete and not page.incomplete
            for item in page.items:
                await writer.write(item)
                items += 1
                size += item.size or 0
    if not complete:
        log.warning("%s: Drive says that its listing is incomplete; the snapshot will be partial", source)
    await _note_root(drive, store, task, root, work)
    log.info("%s: listed %d items", source, items)
    return Listing(
        task=task,
        work=work,
        parts=writer.parts,
        items=items,
        bytes=size,
        root_id=root.id,
        complete=complete,
        change_token=token,
        started=format_instant(started),
        use=drive.use,
    )


async def _note_root(drive: Drive, store: BlobStore, task: SourceTask, item: Item, work: str) -> None:
    """Write down what is known of the folder that the source starts at, which no listing shows.

    The members of a shared drive are its permissions, and hold for all that is in it. What is shared with a user has no
    such folder.
    """
    wanted: dict[str, Awaitable[Any]] = {}
    if item.drive_id == item.id:
        wanted["drive"] = drive.shared_drive(item.id)
    if "permissions" in task.save and item.id:
        wanted["permissions"] = drive.details(item, "permissions")
    found, refused = {}, {}
    for what, answer in wanted.items():
        try:
            found[what] = await answer
        except ItemUnavailableError as error:
            refused[what] = Refused(reason=error.reason, message=str(error))
    root = Root(resource=item.resource, refused=refused, **found)
    async with PartWriter[Root](store, root_prefix(work), 1) as writer:
        await writer.write(root)


def listing_prefix(work: str) -> str:
    """Where the parts of a listing are."""
    return f"{work}/listing-"


async def _pages(drive: Drive, store: BlobStore, task: SourceTask, source: Source) -> AsyncIterator[Page]:
    if source.kind != "shared":
        return drive.list_items(source)
    covered = await read_covered(store, task.covered) if task.covered else frozenset[str]()
    return drive.list_shared(source, lambda item: _is_covered(item, covered))


def _is_covered(item: Item, covered: frozenset[str]) -> bool:
    """Whether another source of the run holds this item: its owner's My Drive, or its shared drive."""
    owners = item.resource.get("owners") or ()
    homes = {f"user/{str(owner.get('emailAddress', '')).lower()}" for owner in owners}
    return f"drive/{item.drive_id}" in covered or not covered.isdisjoint(homes)


async def _root(drive: Drive, source: Source) -> Item:
    root = await drive.root(source)
    if root.trashed:
        raise SourceNotFoundError(
            f"The folder '{root.name}' of {source} is in Drive's trash, so all that it holds counts as deleted. "
            "Restore it in Drive, or take the source out of the job.",
            reason="trashed",
        )
    return root

"""The first step of a backup: Drive's flat listing of one source, streamed into the run's work area."""

from __future__ import annotations

import hashlib
import logging
import secrets
from collections.abc import Awaitable
from datetime import datetime, timedelta
from typing import Any

from include.drive_backup import __version__
from include.drive_backup.blob.names import work_prefix
from include.drive_backup.errors import CorruptStoreError, FeedLostError, ItemUnavailableError, SourceNotFoundError
from include.drive_backup.handover import Listing, Origin, SourceTask
from include.drive_backup.increment import PART_ROWS, Found, is_closed, list_changes, listing_prefix
from include.drive_backup.model import CLOCKS, Item, Refused, Root, Source, format_instant, parse_instant
from include.drive_backup.outside import write_outside
from include.drive_backup.ports import BlobStore, Clock, Drive, Outside
from include.drive_backup.reconcile import reconcile, unproven_since
from include.drive_backup.work import PartWriter, root_prefix

log = logging.getLogger(__name__)


async def list_source(
    drive: Drive, store: BlobStore, task: SourceTask, clock: Clock, base: Origin | None = None
) -> Listing:
    """List a source: by the change feed alone where that is certain, else all of it.

    Each call writes to a place of its own, so a task that is cleared really looks again. Items that Drive gave twice
    are written twice; the plan takes the newest.

    :param base: the listing of the latest complete snapshot, if there is one. Its instant is no matter.
    :return: where the listing is; ``complete`` is false when Drive says that it did not search everything.
    :raises SourceNotFoundError: the source does not exist, is in the trash, or may not be read.
    """
    source, started = Source.parse(task.source), clock.now()
    await _check_person(drive, task)
    root = await _root(drive, source, task)
    view = await _view(drive, source, root)
    work, found, complete = _new_work(task), None, True
    missed = lost = None
    why = _why_full(task, base, view, started)
    if base is not None and why is None:
        try:
            found = await list_changes(drive, store, source, root.id, base, work)
        except (FeedLostError, CorruptStoreError) as error:
            why = lost = error.reason
            log.warning("%s: the change feed alone does not do, so everything is listed. %s", source, error)
            work = _new_work(task)
    if found is None:
        found, complete = await _list_all(drive, store, source, work)
        if base is not None and base.view == view and not source.rootless:
            missed, found = await reconcile(drive, store, source, root.id, base, found, work, lost)
            complete = complete and not (missed and missed.unsure)
            why = why if missed else "noFeed"
    await _note_root(drive, store, task, root, work)
    log.info("%s: %d items; %s", source, found.items, f"all listed ({why})" if why else f"{found.changes} changes")
    listed = Origin(
        kind="full" if why else "changes",
        why=why,
        last_full=format_instant(started) if why or base is None else base.last_full,
        started=format_instant(started),
        token=found.token,
        view=view,
        selection=task.selection_mark,
        software=__version__,
        work=work,
        parts=found.parts,
        items=found.items,
        outside=found.outside,
        since=None if why or base is None else base.token,
        changes=found.changes,
        left=found.left,
        missed=missed,
        unproven=unproven_since(base, missed, started) if _may_lag(source, why, base) else None,
        turn=base.turn + 1 if base else 0,
        not_asked=found.not_asked,
    )
    return Listing(
        task=task,
        work=work,
        parts=found.parts,
        items=found.items,
        bytes=found.bytes,
        root_id=root.id,
        complete=complete,
        change_token=found.token or None,
        started=format_instant(started),
        use=drive.use,
        listed=listed,
        told=found.told,
        closed=found.closed,
    )


def _new_work(task: SourceTask) -> str:
    return work_prefix(Source.parse(task.source), task.run, secrets.token_hex(6))


async def _check_person(drive: Drive, task: SourceTask) -> None:
    """Never store one person's files as another's: between two runs an address may be given to somebody else."""
    if task.address is None:
        return
    found = await drive.user_id()
    if found is not None and task.person is None:
        raise SourceNotFoundError(
            f"Drive could not be asked who {task.address} is when this run began, and it can be now. Whose history "
            f"{task.source} is was not written down, so nothing was stored. The next run asks again.",
            reason="personUnknown",
        )
    if found is not None and found != task.person:
        raise SourceNotFoundError(
            f"{task.address} is not the person whose history is {task.source}: Drive's id of that person is "
            f"{task.person}, and this is {found}. Nothing was stored. The next run looks anew whose address it is.",
            reason="otherPerson",
        )


def _may_lag(source: Source, why: str | None, base: Origin | None) -> bool:
    """Whether Drive may list things late: a full listing may lack them. A single file is asked for by its id."""
    return source.kind != "file" and (why is not None or base is None)


async def _view(drive: Drive, source: Source, root: Item) -> str:
    """What a listing sees depends on the account and the root. A single file is never listed by changes."""
    if source.kind == "file":
        return ""
    # An account that Drive does not name is never the same as another.
    # Its id stays when its address changes.
    account = await drive.user_id() or await drive.user_email() or secrets.token_hex(8)
    facts = (account, root.id, str(root.drive_id), str(root.resource.get("ownedByMe")))
    return hashlib.sha256("\0".join(facts).encode()).hexdigest()[:16]


def _why_full(task: SourceTask, base: Origin | None, view: str, now: datetime) -> str | None:
    """The reason to list everything, if there is one, as a stable word."""
    if base is None:
        return "asked" if task.mode == "full" else "noBase"
    reasons = {
        "asked": task.mode == "full",
        # What others share makes no reliable entries, and what counts depends on the run's other sources. A single
        # file is asked for by its id, for less than the feed costs.
        "noFeed": Source.parse(task.source).rootless,
        "otherView": base.view != view,
        # This version may ask Drive for other fields.
        "newVersion": base.software != __version__,
        # Sharing a folder shares what is in it, without an entry; and each item costs calls of its own anyway.
        "details": bool(task.save),
        # The run after a change of the job's settings relies on nothing that was made with the old ones.
        "otherSelection": base.selection != task.selection_mark,
        "unproven": base.unproven is not None,
        "due": _is_due(parse_instant(base.last_full), now, timedelta(days=task.full_listing_days)),
    }
    return next((reason for reason, holds in reasons.items() if holds), None)


def _is_due(last: datetime, now: datetime, every: timedelta) -> bool:
    # A listing that is still to come was never made: it would put off all others until then.
    return last > now + CLOCKS or now - last >= every


async def _list_all(drive: Drive, store: BlobStore, source: Source, work: str) -> tuple[Found, bool]:
    """Read Drive's listing; whether Drive says that it is complete."""
    # Before the listing: what changes while it is read is then after the token, and so is never missed.
    token = "" if source.kind == "file" else await drive.change_token(source)
    size, closed, complete, outside = 0, 0, True, dict[str, Outside]()
    async with PartWriter[Item](store, listing_prefix(work), PART_ROWS) as writer:
        async for page in drive.list_shared(source) if source.kind == "shared" else drive.list_items(source):
            complete = complete and not page.incomplete
            outside.update({folder.id: folder for folder in page.outside})
            for item in page.items:
                await writer.write(item)
                size += item.size or 0
                closed += is_closed(item)
    if not complete:
        log.warning("%s: Drive says that its listing is incomplete; the snapshot will be partial", source)
    parts = await write_outside(store, work, outside.values())
    return Found(writer.rows, size, writer.parts, parts, token, 0, {}, closed=closed), complete


async def _note_root(drive: Drive, store: BlobStore, task: SourceTask, item: Item, work: str) -> None:
    """Write down what is known of the folder that the source starts at, which no listing shows.

    The members of a shared drive are its permissions, and hold for all that is in it. A single file, and what is shared
    with a user, have no such folder.
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


async def _root(drive: Drive, source: Source, task: SourceTask) -> Item:
    root = await drive.root(source)
    if root.trashed and source.kind == "file" and not task.trashed:
        raise SourceNotFoundError(
            f"The file '{root.name}' of {source} is in Drive's trash, so it counts as deleted. Restore it in Drive, "
            "take the source out of the job, or set 'trashed: true' in the job to save what is in the trash, too.",
            reason="trashed",
        )
    if root.trashed and source.kind != "file":
        raise SourceNotFoundError(
            f"The folder '{root.name}' of {source} is in Drive's trash, so all that it holds counts as deleted. "
            "Restore it in Drive, or take the source out of the job.",
            reason="trashed",
        )
    return root

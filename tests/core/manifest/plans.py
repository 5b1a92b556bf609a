"""Plans and results as the steps before the commit leave them in the work area."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime

from include.drive_backup.blob.names import content_blob, content_id
from include.drive_backup.handover import Listing, PlanRef, SourceTask
from include.drive_backup.manifest.commit import commit_snapshot
from include.drive_backup.model import ApiUse, CopyResult, Item, PlanRow, Source, StoredContent
from include.drive_backup.work import PartWriter, ResultLog, results_prefix, rows_prefix
from tests.support.fake_clock import FakeClock

ANN = Source(kind="user", id="ann@example.com")
T = "20261123T000000.000Z"
EARLY = datetime(2026, 11, 1, 10, tzinfo=UTC)


def item(ident, **changes):
    resource = {
        "id": ident,
        "name": f"{ident}.txt",
        "mimeType": "text/plain",
        "parents": ["root"],
        "createdTime": "2026-11-01T09:00:00.000Z",
        "modifiedTime": "2026-11-01T10:00:00.000Z",
        "size": "5",
        "version": "3",
        "owners": [{"emailAddress": "ann@example.com"}],
    }
    return Item.from_resource(resource | changes)


def content(ident, data=b"hello", content_format="original"):
    whose = item(ident)
    return StoredContent(
        blob=content_blob(ANN, (), f"{ident}.txt", EARLY, content_id(whose, content_format), "txt"),
        format=content_format,
        mime_type="text/plain",
        size=len(data),
        md5=hashlib.md5(data).hexdigest(),
        sha256=hashlib.sha256(data).hexdigest(),
        checked="checksum",
    )


async def store_content(store, ident, data=b"hello", content_format="original"):
    stored = content(ident, data, content_format)
    await store.put(stored.blob, data)
    return stored


def row(ident, outcome=None, **changes):
    return PlanRow(**({"item": item(ident), "path": f"{ident}.txt", "outcome": outcome} | changes))


def copied(stored, ident, **changes):
    return CopyResult(**({"item_id": ident, "format": stored.format, "outcome": "copied", "content": stored} | changes))


def refused(ident, outcome, reason, content_format="original"):
    return CopyResult(item_id=ident, format=content_format, outcome=outcome, reason=reason, message=f"It is {reason}.")


async def plan(store, rows, results=(), *, complete=True, token="p1", instant=T, base=None, rows_per_part=3):
    """Store rows and results; the plan that speaks of them."""
    task = SourceTask(source=str(ANN), instant=instant, run="scheduled__2026-11-23")
    work = f"work/user/ann@example.com/run/{token}"
    listing = Listing(
        task=task,
        work=work,
        parts=0,
        items=len(rows),
        bytes=0,
        root_id="root",
        complete=complete,
        change_token="1234",
        started="20261123T000130.000Z",
        use=ApiUse(calls=7, units=700, bytes=0),
    )
    async with PartWriter[PlanRow](store, rows_prefix(f"{work}/plan-1"), rows_per_part) as writer:
        for each in rows:
            await writer.write(each)
    async with ResultLog(store, results_prefix(f"{work}/plan-1", 1), "t", FakeClock()) as log:
        for result in results:
            await log.add(result)
    return PlanRef(
        listing=listing,
        plan=f"{work}/plan-1",
        parts=writer.parts,
        batches=1,
        base=base,
        counts={"left_out_trashed": 2},
        copy_files=0,
        copy_bytes=0,
    )


async def commit(store, rows, results=(), **options):
    clock = FakeClock(datetime(2026, 11, 23, 0, 5, tzinfo=UTC))
    return await commit_snapshot(store, await plan(store, rows, results, **options), clock, "0.1.0")

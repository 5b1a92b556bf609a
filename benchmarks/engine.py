"""One backup by our engine in one process: list, plan, copy, commit, without Airflow.

``python -m benchmarks.engine --drive URL --key FILE --blob CONNECTION_STRING --container NAME`` prints one line of JSON.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import gc
import json
import resource
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from math import inf
from typing import Any

import aiohttp
import msgspec
from msgspec.structs import replace
import uvloop
from azure.storage.blob.aio import ContainerClient
from google.oauth2.service_account import Credentials

from include.drive_backup.blob.azure import AzureBlobStore
from include.drive_backup.clock import SystemClock
from include.drive_backup.cost import Expectation
from include.drive_backup.drive.source import GoogleDrive
from include.drive_backup.drive.tokens import GoogleTokens
from include.drive_backup.listing import list_source
from include.drive_backup.manifest.commit import commit_snapshot
from include.drive_backup.blob.metadata import content_metadata
from include.drive_backup.blob.rules import encode_metadata
from include.drive_backup.handover import BatchRef, SourceTask
from include.drive_backup.manifest.repository import SnapshotRepository
from include.drive_backup.model import CopyOrder, CopyResult, Source, StoredContent, format_instant
from include.drive_backup.pacing import QuotaLimiter
from include.drive_backup.planning.plan import plan_source
from include.drive_backup.settings import Config, Job
from include.drive_backup.spent import recorded
from include.drive_backup.transfer.batch import copy_batch
from include.drive_backup.work import ResultLog, batch_prefix, read_parts, results_prefix

USER = "ann@example.com"
SCOPE = "https://www.googleapis.com/auth/drive.readonly"


@asynccontextmanager
async def open_store(connection_string: str, container: str) -> AsyncIterator[AzureBlobStore]:
    """The container, as the Airflow hook opens it."""
    async with ContainerClient.from_connection_string(connection_string, container) as client:
        async with AzureBlobStore(client, SystemClock()) as store:
            yield store


@asynccontextmanager
async def open_drive(url: str, key: str) -> AsyncIterator[GoogleDrive]:
    """Ann's Drive; its quota is wide open."""
    clock = SystemClock()
    credentials = Credentials.from_service_account_file(key, scopes=[SCOPE]).with_subject(USER)
    limiter = QuotaLimiter(clock, units_per_minute=None)
    async with GoogleDrive(GoogleTokens(credentials, clock), limiter=limiter, clock=clock, api_endpoint=url) as drive:
        yield drive


class Backup:
    """The steps, and how long each took."""

    def __init__(self, drive: GoogleDrive, store: AzureBlobStore, config: Config) -> None:
        self.drive, self.store, self.config = drive, store, config
        self.clock = SystemClock()
        # As the DAG has it, of one task whose Drive has no quota.
        self.expected = Expectation(
            units_per_minute=None,
            mb_per_second=config.limits.expected_mb_per_second,
            tasks_at_once=1,
            files_in_flight=config.limits.files_in_flight,
        )
        self.laid_down = False
        self.seconds: dict[str, float] = {}
        self.cpu: dict[str, float] = {"start-up": time.process_time()}
        self.peak_mb: dict[str, float] = {"start-up": _peak_mb()}

    async def run(self) -> dict[str, Any]:
        """List, plan, copy every batch, commit; returns the commit's summary."""
        job, now = Job(), datetime.now(UTC)
        task = SourceTask(
            source=f"user/{USER}",
            instant=format_instant(now),
            run="benchmark",
            batch_files=job.batch_files,
            batch_bytes=job.batch_mb * 1_000_000,
        )
        async with recorded(self.drive, self.store, task, self.clock):
            base = await SnapshotRepository(self.store).last_listing(task.snapshots)
            listing = await self._timed("list", list_source(self.drive, self.store, task, self.clock, base))
        if self.laid_down and listing.listed:
            # What is laid down stands for a backup of long ago, which needs no second full listing.
            listing = replace(listing, listed=replace(listing.listed, unproven=None))
        plan, batches = await self._timed("plan", self._plan(listing))
        for batch in batches:
            async with recorded(self.drive, self.store, task, self.clock):
                await self._timed("copy", self.lay_down(batch) if self.laid_down else self._copy(batch))
        return await self._timed("commit", commit_snapshot(self.store, plan, self.clock, "benchmark"))

    def _plan(self, listing: Any) -> Any:
        return plan_source(
            self.store,
            listing,
            export_formats=self.config.export_formats,
            max_batches=self.config.limits.max_batches,
            clock=self.clock,
            expected=self.expected,
        )

    def _copy(self, batch: Any) -> Any:
        return copy_batch(
            self.drive,
            self.store,
            batch,
            clock=self.clock,
            in_flight=self.config.limits.files_in_flight,
            memory_bytes=self.config.limits.memory_mb * 1_000_000,
            resume=False,
            stop=asyncio.Event(),
        )

    async def lay_down(self, batch: BatchRef) -> None:
        """Instead of a copy: what it would have left, as Drive describes the files."""
        rows, token = [], secrets.token_hex(6)
        results = results_prefix(batch.plan, batch.number)
        async with ResultLog(self.store, results, token, self.clock, rows=5_000, seconds=inf) as log:
            async for order in read_parts(
                self.store, batch_prefix(batch.plan, batch.number), CopyOrder, parts=batch.parts
            ):
                content = _described(order)
                await log.add(CopyResult(item_id=order.item.id, format=order.format, outcome="copied", content=content))
                rows.append(_laid_down(order, content))
        async with aiohttp.ClientSession() as session:
            host = self.store.url.rpartition("/")[0].rpartition("/")[0]
            url = f"{host}/_admin/seed?container={self.store.container}"
            async with session.post(url, data=msgspec.json.encode(rows)) as answer:
                answer.raise_for_status()

    async def _timed(self, name: str, step: Any) -> Any:
        began, cpu = time.monotonic(), time.process_time()
        result = await step
        self.seconds[name] = self.seconds.get(name, 0.0) + time.monotonic() - began
        self.cpu[name] = self.cpu.get(name, 0.0) + time.process_time() - cpu
        self.peak_mb[name] = _peak_mb()
        return result


def _described(order: CopyOrder) -> StoredContent:
    item = order.item
    return StoredContent(
        blob=order.blob,
        format=order.format,
        mime_type=item.mime_type,
        size=item.size or 0,
        md5=item.md5 or "",
        sha256=item.sha256 or "",
    )


def _laid_down(order: CopyOrder, content: StoredContent) -> dict[str, Any]:
    """A row of the null endpoint's ``seed``."""
    return {
        "name": content.blob,
        "size": content.size,
        "md5": base64.b64encode(bytes.fromhex(content.md5)).decode(),
        "type": content.mime_type,
        "metadata": encode_metadata(content_metadata(order, content)),
    }


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6


async def main(given: argparse.Namespace) -> dict[str, Any]:
    """Back up once."""
    config = Config()
    if given.in_flight:
        limits = config.limits.model_copy(update={"files_in_flight": given.in_flight})
        config = config.model_copy(update={"limits": limits})
    async with open_store(given.blob, given.container) as store, open_drive(given.drive, given.key) as drive:
        await store.ensure_container(create=True)
        backup = Backup(drive, store, config)
        backup.laid_down = given.lay_down
        summary = await backup.run()
        return {"seconds": backup.seconds, "cpu": backup.cpu, "peak_mb": backup.peak_mb, "summary": summary}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--drive", required=True, help="the Drive's address")
    parser.add_argument("--key", required=True, help="service account file")
    parser.add_argument("--blob", required=True, help="connection string")
    parser.add_argument("--container", required=True)
    parser.add_argument("--in-flight", type=int, default=0, help="files at once; 0: the default of the settings")
    parser.add_argument("--lay-down", action="store_true", help=argparse.SUPPRESS)
    # As the operators run it.
    gc.freeze()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        print(json.dumps(runner.run(main(parser.parse_args()))))

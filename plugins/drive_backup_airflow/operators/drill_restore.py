"""Restore a sample into a temporary folder of the worker, and compare it with what Drive has now."""

from __future__ import annotations

import asyncio
import hashlib
from contextlib import AbstractAsyncContextManager, nullcontext
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowSkipException

from drive_backup_airflow.operators.base import DriveBackupOperator
from drive_backup_airflow.operators.choose_snapshots import after_backup
from drive_backup_airflow.wiring import open_drive, open_store
from include.drive_backup.clock import SystemClock
from include.drive_backup.errors import UNREADABLE, CorruptStoreError, SnapshotIncompleteError, SnapshotNotFoundError
from include.drive_backup.identity.names import address_of
from include.drive_backup.identity.people import People
from include.drive_backup.identity.registry import read_people
from include.drive_backup.manifest.manifest import Manifest
from include.drive_backup.manifest.repository import SnapshotRepository
from include.drive_backup.model import Source, format_instant
from include.drive_backup.ports import BlobStore, Drive
from include.drive_backup.protection import Reader, protected
from include.drive_backup.verification.drill import Drilled, drill

if TYPE_CHECKING:
    from airflow.sdk import Context

_SOURCES = 3
_FILES = 50


class DrillRestoreOperator(DriveBackupOperator):
    """Draws up to three sources, other ones in each run, and restores files of their newest complete snapshot.

    :param groups: what ``choose_snapshots`` returned.
    """

    template_fields = ("groups",)

    def __init__(self, *, groups: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.groups = groups

    async def run(self, context: Context, stop: asyncio.Event) -> dict[str, Any]:  # noqa: ARG002
        """Drill; raises when something could not be restored as it was."""
        most = context["params"]["drill_mb"] * 1_000_000
        if not most or after_backup(context):
            raise AirflowSkipException("No drill in this run: drill_mb is 0, or the run follows a backup.")
        sources = [source for group in self.groups or () for source in group["sources"]]
        run_id = str(context["run_id"])
        drawn = sorted(sources, key=lambda source: hashlib.sha256(f"{run_id}\0{source}".encode()).digest())[:_SOURCES]
        done, problems = list[Drilled](), list[str]()
        async with open_store(self.blob_conn_id, self.container) as store:
            for source in drawn:
                done += await self._one(store, Source.parse(source), run_id, most // len(drawn), problems)
        problems += [f"{each.source} as of {each.snapshot}: {text}" for each in done for text in each.problems]
        if problems:
            raise CorruptStoreError(f"The drill found what cannot be restored: {' '.join(problems)}", reason="damaged")
        if lacks := [f"{each.source}: {each.shortfall}" for each in done if each.shortfall]:
            raise SnapshotIncompleteError(f"What was drilled can be restored. {' '.join(lacks)}")
        return {"drilled": [each.to_dict() for each in done]}

    async def _one(
        self, store: BlobStore, source: Source, seed: str, most_bytes: int, problems: list[str]
    ) -> list[Drilled]:
        repository, now, done = SnapshotRepository(store), format_instant(await store.now()), list[Drilled]()
        for series in await repository.job_series(source):
            try:
                found = await repository.newest(series, now)
                if found is not None:
                    problems += found.flaws
                    done.append(await self._drill(store, found.manifest, seed, most_bytes))
            except (SnapshotNotFoundError, *UNREADABLE) as error:
                problems.append(str(error))
        return done

    def _drive_of(self, people: People, source: Source) -> AbstractAsyncContextManager[Drive | None]:
        """The Drive to compare with; None where nobody is known to have it."""
        address = address_of(people, source)
        if source.user is not None and address is None:
            self.log.warning("%s: no address of its person is known, so nothing is compared with Drive.", source)
            return nullcontext()
        return open_drive(self.gcp_conn_id, address)

    async def _drill(self, store: BlobStore, manifest: Manifest, seed: str, most_bytes: int) -> Drilled:
        reader = Reader(who=f"the drill of {seed}", doing="restored")
        _, people = await read_people(store)
        with TemporaryDirectory(prefix="drive-backup-drill-") as folder:
            async with (
                self._drive_of(people, manifest.name.source) as drive,
                protected(store, SystemClock(), manifest.name, reader, self.log.warning),
            ):
                done = await drill(
                    store, manifest, Path(folder), drive=drive, seed=seed, most_bytes=most_bytes, most_files=_FILES
                )
        self.log.info("%s", done)
        return done

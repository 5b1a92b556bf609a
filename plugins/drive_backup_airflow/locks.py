"""The locks of sources as the tasks of a run hold them: from the listing to the commit."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TYPE_CHECKING

from drive_backup_airflow.supervisor_line import ask
from include.drive_backup.clock import SystemClock
from include.drive_backup.handover import SourceTask
from include.drive_backup.locking import SourceLock, holding
from include.drive_backup.manifest.point import Possession, Unlocked
from include.drive_backup.model import Source
from include.drive_backup.ports import BlobStore

if TYPE_CHECKING:
    from airflow.sdk import Context

log = logging.getLogger(__name__)

_ENDED = ("success", "failed")


class RunLocks:
    """The locks of a run's sources. All tasks of a run are one holder.

    They may be taken before another run's have expired, when Airflow knows that run to have ended: a backup deletes
    nothing. Whatever deletes uses :class:`~include.drive_backup.locking.SourceLock` without that knowledge.
    """

    def __init__(self, store: BlobStore, context: Context) -> None:
        self._store = store
        self._context = context

    @asynccontextmanager
    async def hold(self, task: SourceTask, *, give_back: bool = False) -> AsyncIterator[Possession]:
        """Hold a source while the block runs; a dry run needs no lock.

        :param give_back: the run needs the source no more after the block.
        :return: can tell whether the source is still the run's.
        :raises SourceBusyError: another run has it.
        """
        if task.dry_run:
            yield Unlocked()
            return
        holder = f"{self._context['ti'].dag_id}/{self._context['run_id']}"
        lock = SourceLock(self._store, Source.parse(task.source), holder, self._has_ended)
        async with holding(lock, SystemClock(), give_back=give_back):
            yield lock

    def hold_last(self, task: SourceTask) -> AbstractAsyncContextManager[Possession]:
        """As :meth:`hold`, for the last task of a source."""
        return self.hold(task, give_back=True)

    async def _has_ended(self, holder: str) -> bool:
        dag_id, _, run_id = holder.partition("/")
        try:
            state = await ask(lambda: self._context["ti"].get_dagrun_state(dag_id, run_id))
        except Exception as error:  # noqa: BLE001 - the holder may be of another Airflow, or of none
            log.info("Airflow knows no run %s: %s", holder, error)
            return False
        return state in _ENDED

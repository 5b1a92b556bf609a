"""What all our operators share: connection ids, one event loop, stopping, and errors without tracebacks."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Coroutine
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import uvloop
from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowRescheduleException

from drive_backup_airflow.retry import task_problem
from include.drive_backup.errors import DriveBackupError, OutOfTimeError, SourceBusyError

if TYPE_CHECKING:
    from airflow.sdk import Context

#: Seconds that a task has for ending in good order before Airflow's own time-out strikes; a quarter of a short one.
GRACE = 30.0
#: How long a task waits before it looks again whether another run is done with a source.
BUSY = timedelta(seconds=20)


class DriveBackupOperator(BaseOperator):
    """Runs :meth:`run` in an event loop.

    :param gcp_conn_id: connection of type ``google_cloud_platform``.
    :param blob_conn_id: connection of type ``wasb``.
    :param event_hubs_conn_id: connection of type ``azure_event_hubs``; None sends no events.
    :param container: name of the Blob container.
    """

    def __init__(
        self,
        *,
        gcp_conn_id: str = "drive_backup_google",
        blob_conn_id: str = "drive_backup_blob",
        event_hubs_conn_id: str | None = None,
        container: str = "drive-backup",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.gcp_conn_id = gcp_conn_id
        self.blob_conn_id = blob_conn_id
        self.event_hubs_conn_id = event_hubs_conn_id
        self.container = container

    @property
    def events(self) -> dict[str, Any]:
        """Where events go, as keyword arguments for ``drive_backup_airflow.events``."""
        return {
            "event_hubs_conn_id": self.event_hubs_conn_id,
            "blob_conn_id": self.blob_conn_id,
            "container": self.container,
        }

    async def run(self, context: Context, stop: asyncio.Event) -> Any:
        """Do the work. ``stop`` is set when Airflow wants the task to end."""
        raise NotImplementedError(type(self).__name__)

    def execute(self, context: Context) -> Any:
        """Run to the end; expected problems leave as one sentence."""
        # What Airflow has loaded lives as long as the task: the collector need not look through it again and again.
        gc.freeze()
        try:
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                return runner.run(self._with_stop(context))
        except SourceBusyError as error:
            # Waiting is no failure: it takes neither a try nor a slot of the pool, which the other run may need.
            self.log.warning("%s Looked at again in %s.", error, BUSY)
            raise AirflowRescheduleException(datetime.now(UTC) + BUSY) from None  # type: ignore[no-untyped-call]
        except DriveBackupError as error:
            self.log.error(str(error))  # noqa: TRY400 - a sentence, not a traceback
            raise task_problem(error) from None

    async def _with_stop(self, context: Context) -> Any:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        # Airflow calls on_kill inside a signal handler: the loop must be woken to notice.
        self._stop = lambda: loop.call_soon_threadsafe(stop.set)
        try:
            return await self._in_time(self.run(context, stop))
        finally:
            del self._stop  # Airflow also calls on_kill when the loop is gone

    async def _in_time(self, work: Coroutine[Any, Any, Any]) -> Any:
        """Wait for ``work``, and end it in good order a little before Airflow's ``execution_timeout``.

        That one raises out of a signal handler, at any place: in a callback of the event loop it is logged and
        forgotten, and the task would run on without a limit.

        :raises OutOfTimeError: it took too long.
        """
        limit = None if self.execution_timeout is None else self.execution_timeout.total_seconds()
        try:
            async with asyncio.timeout(None if limit is None else max(limit * 0.75, limit - GRACE)) as alarm:
                return await work
        except TimeoutError:
            if not alarm.expired():
                raise
            raise OutOfTimeError(
                f"The task did not end within its time-out of {self.execution_timeout} (h:mm:ss). What is finished is "
                "recorded; the next try goes on from there. If that is not enough, give it more time in the config: "
                "limits.list_timeout_minutes, limits.batch_timeout_minutes."
            ) from None

    def on_kill(self) -> None:
        """Ask the work to stop; what is finished stays recorded."""
        stop = getattr(self, "_stop", None)
        if stop is not None:
            stop()

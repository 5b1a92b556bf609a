"""What all our operators share: connection ids, one event loop, stopping, and errors without tracebacks."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator

from drive_backup_airflow.retry import task_problem
from include.drive_backup.errors import DriveBackupError

if TYPE_CHECKING:
    from airflow.sdk import Context


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
        try:
            return asyncio.run(self._with_stop(context))
        except DriveBackupError as error:
            self.log.error(str(error))  # noqa: TRY400 - a sentence, not a traceback
            raise task_problem(error) from None

    async def _with_stop(self, context: Context) -> Any:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        # Airflow calls on_kill inside a signal handler: the loop must be woken to notice.
        self._stop = lambda: loop.call_soon_threadsafe(stop.set)
        return await self.run(context, stop)

    def on_kill(self) -> None:
        """Ask the work to stop; what is finished stays recorded."""
        stop = getattr(self, "_stop", None)
        if stop is not None:
            stop()

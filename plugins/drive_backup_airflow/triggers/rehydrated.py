"""Wait until archived content can be read, for hours if need be, without a worker."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from drive_backup_airflow.wiring import open_store
from include.drive_backup.clock import SystemClock
from include.drive_backup.errors import DriveBackupError, TransientError
from include.drive_backup.restore.rehydrate import read_names, settle


class RehydratedTrigger(BaseTrigger):
    """Fires when nothing of some blobs is on its way out of the archive any more. The task then looks for itself.

    :param blob_conn_id: connection of type ``wasb``.
    :param container: name of the Blob container.
    :param prefix: where :func:`~include.drive_backup.restore.rehydrate.write_names` wrote the blobs' names.
    :param parts: how many parts it wrote.
    :param poll_seconds: between two looks.
    """

    def __init__(self, *, blob_conn_id: str, container: str, prefix: str, parts: int, poll_seconds: float) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.blob_conn_id = blob_conn_id
        self.container = container
        self.prefix = prefix
        self.parts = parts
        self.poll_seconds = poll_seconds

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """The class, by the one path that it is imported by, and its arguments."""
        names = ("blob_conn_id", "container", "prefix", "parts", "poll_seconds")
        return f"{type(self).__module__}.{type(self).__qualname__}", {name: getattr(self, name) for name in names}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Look again and again; what keeps it from looking for good is for the task to find out and tell."""
        clock = SystemClock()
        while True:
            try:
                async with open_store(self.blob_conn_id, self.container) as store:
                    names = await read_names(store, self.prefix, self.parts)
                    await settle(store, names, clock, every=self.poll_seconds)
                break
            except TransientError as error:
                self.log.warning("%s Looked at again in %g seconds.", error, self.poll_seconds)
                await clock.sleep(self.poll_seconds)
            except DriveBackupError as error:
                self.log.warning("%s", error)
                break
        yield TriggerEvent({})  # type: ignore[no-untyped-call]

"""Which trouble concerns one file, and which one the whole batch."""

from __future__ import annotations

import logging

from include.drive_backup.errors import (
    ConfigError,
    ContainerMissingError,
    CredentialsError,
    DriveBackupError,
    ItemUnavailableError,
    RateLimitError,
    SecretMissingError,
    ServiceUnavailableError,
    StoppedError,
)
from include.drive_backup.model import CopyOrder, CopyResult
from include.drive_backup.ports import Drive

log = logging.getLogger(__name__)

_RUN_LEVEL = (
    ConfigError,
    ContainerMissingError,
    CredentialsError,
    SecretMissingError,
    StoppedError,
)


def stops_the_batch(error: Exception) -> bool:
    """Whether going on with other files makes no sense."""
    if isinstance(error, ServiceUnavailableError):
        return error.service != "drive"
    return isinstance(error, _RUN_LEVEL)


def failed(order: CopyOrder, error: Exception) -> CopyResult:
    """The record of a file that could not be copied this time."""
    if isinstance(error, DriveBackupError):
        reason, message = error.reason, str(error)
    else:
        # A bug of ours that one odd file brings out must not keep all the others from being saved.
        log.error("unexpected error with '%s'", order.path, exc_info=error)
        reason = "unexpected"
        message = (
            f"'{order.item.name}' could not be copied because of an unexpected {type(error).__name__}: {error}. "
            "This is a bug in Drive Backup: report it with the task's log."
        )
    return CopyResult(
        item_id=order.item.id,
        format=order.format,
        outcome="failed",
        fidelity="unavailable",
        reason=reason,
        message=message,
    )


class DriveHealth:
    """Tells "Drive is down, or out of quota" from "Drive has trouble with these files".

    Without it, each file of a batch would go through all its waits while Drive is down.

    :param patience: files in a row that Drive must refuse before it is asked how it is.
    """

    def __init__(self, drive: Drive, patience: int = 20) -> None:
        self._drive = drive
        self._patience = patience
        self._in_a_row = 0

    def served(self) -> None:
        """Drive answered properly for a file."""
        self._in_a_row = 0

    async def refused(self, order: CopyOrder, error: Exception) -> None:
        """Drive refused a file; now and then, find out whether it would refuse any call.

        :raises RateLimitError: it does.
        :raises ServiceUnavailableError: it does.
        """
        if not isinstance(error, RateLimitError | ServiceUnavailableError):
            return
        self._in_a_row += 1
        if self._in_a_row < self._patience:
            return
        self._in_a_row = 0
        try:
            await self._drive.get_item(order.item.id, order.item.resource_key)
        except ItemUnavailableError:
            return

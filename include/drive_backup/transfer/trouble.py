"""Which trouble concerns one file, and which one the whole batch."""

from __future__ import annotations

import logging

from include.drive_backup.errors import (
    ConfigError,
    ContainerMissingError,
    CredentialsError,
    DailyQuotaError,
    DriveBackupError,
    ItemLaterError,
    ItemUnavailableError,
    RateLimitError,
    SecretMissingError,
    ServiceUnavailableError,
    StoppedError,
)
from include.drive_backup.model import CopyOrder, CopyResult, Source
from include.drive_backup.paths import shown_path
from include.drive_backup.ports import Drive
from include.drive_backup.printing import one_line

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


#: Drive's reasons that last longer than all tries of a task: a file's download quota comes back within about a day.
_FOR_HOURS = frozenset({"downloadQuotaExceeded"})


def lasts(error: Exception) -> bool:
    """Whether Drive says that it gives a file to nobody before all tries of a task are over."""
    return isinstance(error, ItemLaterError) and error.reason in _FOR_HOURS


def failed(order: CopyOrder, error: Exception, *, settled: bool = False) -> CopyResult:
    """The record of a file that could not be copied this time.

    :param settled: another try of this run is of no use.
    """
    if isinstance(error, DriveBackupError):
        reason, message = error.reason, str(error)
    else:
        # A bug of ours that one odd file brings out must not keep all the others from being saved.
        log.error("unexpected error with '%s'", shown_path(order.path), exc_info=error)
        reason = "unexpected"
        message = one_line(
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
        settled=settled,
    )


class DriveHealth:
    """Tells "Drive is down, or out of quota" from "Drive has trouble with these files".

    Without it, each file of a batch would go through all its waits while Drive is down.

    :param source: what the batch is of.
    :param patience: files in a row that Drive must refuse before it is asked how it is.
    """

    def __init__(self, drive: Drive, source: Source, patience: int = 20) -> None:
        self._drive = drive
        self._source = source
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

    async def is_settled(self, order: CopyOrder, error: Exception) -> bool:
        """Whether another try of the same run is of no use: the file fails for hours, or did so in the run before.

        While Drive is down, nothing is known of the file.
        """
        if lasts(error):
            return True
        if not order.failing or isinstance(error, DailyQuotaError):
            return False
        return not isinstance(error, RateLimitError | ServiceUnavailableError) or await self._answers()

    async def _answers(self) -> bool:
        """Whether Drive answers a call that concerns no file."""
        try:
            await self._drive.change_token(self._source)
        except DriveBackupError as error:
            log.info("Drive does not answer for any file now: %s", error)
            return False
        return True

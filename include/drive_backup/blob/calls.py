"""One call of the SDK: its time-outs, its errors as ours, and its retries."""

from __future__ import annotations

import copy
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Self, TypeVar

from azure.core.exceptions import AzureError
from azure.storage.blob.aio import BlobClient, ContainerClient

from include.drive_backup.blob.errors import translate
from include.drive_backup.blob.gate import Watch
from include.drive_backup.blob.sending import Line
from include.drive_backup.blob.signing import sas_of
from include.drive_backup.errors import DriveBackupError, ServiceUnavailableError
from include.drive_backup.pacing import Backoff, is_transient, retry
from include.drive_backup.ports import Clock

T = TypeVar("T")

#: Bytes a second that a slow line is granted before a write counts as hanging.
_SLOWEST = 128 * 1024


@dataclass(frozen=True)
class CallSettings:
    """How long and how often one call is tried.

    :param backoff: attempts, and seconds between them.
    :param connection_timeout: seconds to connect.
    :param read_timeout: seconds without a byte from the service; writes are granted more by their size.
    :param line: how to reach the service past the SDK.
    """

    backoff: Backoff = field(default_factory=lambda: Backoff(attempts=6, first=1.0, cap=30.0))
    connection_timeout: float = 20.0
    read_timeout: float = 60.0
    line: Line = field(default_factory=Line)


class Calls:
    """Makes calls on one container."""

    def __init__(self, container: ContainerClient, clock: Clock, settings: CallSettings) -> None:
        self._container = container
        self._clock = clock
        self._settings = settings
        self.writes = 0
        self.strain = 0
        self._which: dict[str, str] = {}

    @property
    def url(self) -> str:
        """The container's URL, without a SAS."""
        return str(self._container.url).partition("?")[0]

    def blob(self, name: str) -> BlobClient:
        """The SDK's client of one blob."""
        return self._container.get_blob_client(name, **self._which)

    def of(self, **which: str) -> Self:
        """The same calls on another state of blobs.

        :param which: ``version_id`` or ``snapshot``.
        """
        calls = copy.copy(self)
        calls._which = which  # noqa: SLF001 - of our own class
        return calls

    def timeout(self, size: int = 0) -> float:
        """Seconds to wait for an answer.

        :param size: bytes to send; the answer comes only after them.
        """
        return self._settings.read_timeout + size / _SLOWEST

    def options(self) -> dict[str, Any]:
        """Keyword arguments of every SDK call. They switch its own retries off; see ``azure.py``."""
        return {
            "retry_total": 0,
            "connection_timeout": self._settings.connection_timeout,
            "read_timeout": self.timeout(),
        }

    async def run(
        self, doing: str, call: Callable[[], Awaitable[T]], watch: Watch | None = None, *, needs: str = "cw"
    ) -> T:
        """Call until it succeeds or cannot.

        :param doing: what is tried, to follow "could not".
        :param watch: what ``call`` asks before each request; when it refuses, the call is not repeated.
        :param needs: the letters that a SAS has to have for it, for the advice when the service refuses it.
        """

        async def attempt() -> T:
            try:
                return await call()
            except AzureError as error:
                problem = translate(error, doing=doing, container=self.url, needs=needs, sas=sas_of(self._container))
                self.strain += isinstance(problem, ServiceUnavailableError)
                raise problem from error
            except TimeoutError as error:
                self.strain += 1
                message = f"Could not {doing} in {self.url}: no answer in time."
                raise ServiceUnavailableError(message, service="blob", reason="timeout") from error

        def repeat(error: DriveBackupError) -> bool:
            return (watch is None or error is not watch.refusal) and _worth_repeating(error)

        return await retry(attempt, backoff=self._settings.backoff, clock=self._clock, retryable=repeat)


def _worth_repeating(error: DriveBackupError) -> bool:
    # Staged blocks that are gone do not come back; whoever has the bytes stages them again.
    return is_transient(error) and error.reason != "InvalidBlockList"

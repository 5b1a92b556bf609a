"""Everything that can go wrong, as types.

Retryability is a type, not a string. ``str(error)`` is a sentence for a person and says what to do;
``error.reason`` is a stable word for machines (Drive's own ``reason`` where Drive gave one)::

    DriveBackupError
    ├── PermanentError              trying again cannot help
    │   ├── ConfigError             config file or params: names the place, the value, what is allowed
    │   ├── CredentialsError        Google or Azure refuses who we are or what we may do
    │   │   └── AccountUnavailableError   one user only: no such account, suspended, or without Drive
    │   ├── SecretMissingError      a connection is in no secrets backend
    │   ├── SourceNotFoundError     no such user, shared drive or folder, or no access to it
    │   ├── ContainerMissingError   the Blob container is not there and may not be made
    │   ├── DailyQuotaError         Drive gives nothing more today
    │   ├── CorruptStoreError       what is stored is not what was written
    │   ├── ContentArchivedError    a blob is in the archive tier: it is there, and cannot be read now
    │   ├── SnapshotNotFoundError   there is no such snapshot to read
    │   │   └── AmbiguousSeriesError  several jobs have the source, and nobody said whose snapshot is meant
    │   ├── ApprovalNeededError     retention would delete so much that a person has to agree first
    │   ├── SnapshotIncompleteError the run's result is partial; raised last, so that the run fails
    │   ├── FeedLostError           the change feed cannot be followed from here; a full listing can
    │   └── ItemUnavailableError    one item: Drive will not give it; data in the catalogue, not a failed run
    │       └── LimitReachedError   a restore: Drive takes no more items, bytes or levels there; others may fit
    └── TransientError              the same call may succeed later
        ├── RateLimitError          slow down; may carry ``retry_after``
        ├── ServiceUnavailableError Drive, Blob, vault or hub is down or unreachable
        ├── BrokenBodyError         a body was cut or its bytes do not match the checksum
        ├── ItemChangedError        one item changed while it was read
        ├── SourceBusyError         another run holds the source
        ├── ItemLaterError          one item: Drive will give it, but not now
        ├── StoppedError            the task was asked to stop
        └── OutOfTimeError          the task took longer than it may
"""

from __future__ import annotations

from include.drive_backup.printing import one_line


class DriveBackupError(Exception):
    """Base of all errors that this package raises on purpose.

    :param message: a sentence that says what happened and what to do.
    :param reason: a stable machine-readable word, e.g. Drive's ``cannotDownloadAbusiveFile``.
    """

    default_reason = "error"

    def __init__(self, message: str, *, reason: str | None = None) -> None:
        # It may quote a name, which must not look like more than a name in a log or on a terminal.
        super().__init__(one_line(message))
        self.reason = reason or self.default_reason

    def __reduce__(self) -> tuple[object, ...]:
        # Exceptions with keyword-only arguments do not survive pickling by default; Airflow pickles them.
        return (_rebuild, (type(self), str(self), dict(self.__dict__)))


def _rebuild(cls: type[DriveBackupError], message: str, state: dict[str, object]) -> DriveBackupError:
    error = cls.__new__(cls)
    Exception.__init__(error, message)
    error.__dict__.update(state)
    return error


class PermanentError(DriveBackupError):
    """Trying again cannot help: a person has to change something, or the fact is recorded."""


class ConfigError(PermanentError):
    """The config file or a param is wrong."""

    default_reason = "config"


class CredentialsError(PermanentError):
    """Google or Azure refuses the credential."""

    default_reason = "credentials"


class AccountUnavailableError(CredentialsError):
    """Google refuses to let us act as one user; others may be fine."""

    default_reason = "accountUnavailable"


class SecretMissingError(PermanentError):
    """A connection is defined nowhere."""

    default_reason = "secretMissing"


class SourceNotFoundError(PermanentError):
    """A user, shared drive or folder does not exist or is out of the credential's reach."""

    default_reason = "notFound"


class ContainerMissingError(PermanentError):
    """The Blob container does not exist and may not be created."""

    default_reason = "ContainerNotFound"


class DailyQuotaError(PermanentError):
    """Drive gives this project nothing more today; the next run goes on."""

    default_reason = "dailyLimitExceeded"


class CorruptStoreError(PermanentError):
    """Something stored is not what was written there."""

    default_reason = "corrupt"


class ContentArchivedError(PermanentError):
    """A blob cannot be read before it is rehydrated, or before that is done; ``reason`` is Blob Storage's."""

    default_reason = "BlobArchived"


#: What reading a manifest or a catalogue may meet in it: whoever looks into many goes on with the others.
UNREADABLE = (CorruptStoreError, ContentArchivedError)


class SnapshotNotFoundError(PermanentError):
    """There is no such snapshot; says which there are."""

    default_reason = "snapshotNotFound"


class AmbiguousSeriesError(SnapshotNotFoundError):
    """A source has snapshots of several series, and nobody said which is meant."""

    default_reason = "ambiguousSeries"


class SnapshotIncompleteError(PermanentError):
    """The run's result is partial. Raised after everything is committed, so that the alert fires."""

    default_reason = "partial"


class ApprovalNeededError(PermanentError):
    """Retention deleted nothing: so much would go, or so much has changed, that a person has to agree first."""

    default_reason = "approvalNeeded"


class FeedLostError(PermanentError):
    """The change feed cannot be followed from a position: only a full listing tells what is there."""

    default_reason = "feedRefused"


class ItemUnavailableError(PermanentError):
    """Drive will not give one item; ``reason`` is Drive's."""

    default_reason = "unavailable"


class LimitReachedError(ItemUnavailableError):
    """Drive takes no more of something from a restore: items, bytes, levels of folders. Other items may still fit."""

    default_reason = "limitReached"


class TransientError(DriveBackupError):
    """The same call may succeed later."""


class RateLimitError(TransientError):
    """Too fast.

    :param retry_after: seconds that the server asked for, if it did.
    """

    default_reason = "rateLimitExceeded"

    def __init__(self, message: str, *, reason: str | None = None, retry_after: float | None = None) -> None:
        super().__init__(message, reason=reason)
        self.retry_after = retry_after


class ServiceUnavailableError(TransientError):
    """A service is down, unreachable, or answers 5xx.

    :param service: ``drive``, ``blob``, ``vault`` or ``eventhubs``.
    :param retry_after: seconds that the server asked for, if it did.
    """

    default_reason = "unavailable"

    def __init__(
        self, message: str, *, service: str, reason: str | None = None, retry_after: float | None = None
    ) -> None:
        super().__init__(message, reason=reason)
        self.service = service
        self.retry_after = retry_after


class BrokenBodyError(TransientError):
    """A body was cut short, or its bytes do not match what Drive says of them."""

    default_reason = "brokenBody"


class ItemChangedError(TransientError):
    """An item changed while it was being read."""

    default_reason = "changedWhileReading"


class ItemLaterError(TransientError):
    """Drive will give one item, but not now: for hours, or for a day, nobody gets it."""

    default_reason = "downloadQuotaExceeded"


class SourceBusyError(TransientError):
    """Another run writes this source, or retention deletes of it; says which."""

    default_reason = "sourceBusy"


class StoppedError(TransientError):
    """The task was asked to stop; what is recorded so far is kept."""

    default_reason = "stopped"


class OutOfTimeError(TransientError):
    """The task took longer than its time-out; what is recorded so far is kept."""

    default_reason = "timeout"

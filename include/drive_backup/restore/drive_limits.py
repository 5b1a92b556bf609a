"""What Drive has refused for a reason that holds for other items too, so that these are not sent in vain.

Whatever may still fit is tried: smaller files where the storage is full, other folders where one is full.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from include.drive_backup.drive import refused_writes
from include.drive_backup.errors import LimitReachedError, RateLimitError
from include.drive_backup.ports import Clock

#: Reasons of what Drive refused again and again because of its rate.
UPLOADS, SHARING = "uploadLimit", "sharingLimit"
#: Reasons of results that are the same whenever one tries within the hour.
LASTING = frozenset({UPLOADS, SHARING, *refused_writes.LIMITS})
_FULL, _FOLDER = "storageQuotaExceeded", "numChildrenInNonRootLimitExceeded"
#: No item can be made any more, wherever.
_ALL = frozenset({"teamDriveFileLimitExceeded", "activeItemCreationLimitExceeded"})
_SAID = (
    "{error} Drive takes nothing more {what} from this user for now: too much at once, or what one user may do in a "
    "day is used up (750 GB of uploads). What is restored stays. Run the same restore again after "
    "{when:%Y-%m-%d %H:%M} UTC at the latest, when a day is over; it goes on from here."
)


class DriveLimits:
    """The limits that a restore has met.

    :param clock: says when a day is over.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._too_large = math.inf
        self._met: dict[tuple[str, str], LimitReachedError] = {}

    @contextmanager
    def uploading(self, parent: str, size: int, *, new: bool) -> Iterator[None]:
        """Send a file's bytes within this.

        :param parent: the folder that it goes into.
        :param size: bytes.
        :param new: false: it takes the place of other bytes.
        :raises LimitReachedError: a limit is met, or was met before and holds for this file too.
        """
        self._stop_at(UPLOADS)
        if size >= self._too_large:
            self._stop_at(_FULL)
        try:
            with self.creating(parent if new else ""):
                yield
        except LimitReachedError as error:
            if error.reason == _FULL:
                self._too_large = min(self._too_large, size)
                self._met[_FULL, ""] = error
            raise
        except RateLimitError as error:
            raise self._until_tomorrow(UPLOADS, error, "to store") from error

    @contextmanager
    def creating(self, parent: str) -> Iterator[None]:
        """Make an item within this.

        :param parent: the folder that it goes into; empty: it is there already.
        :raises LimitReachedError: a limit is met, or was met before and holds for this item too.
        """
        if parent:
            self._stop_at(_FOLDER, parent)
            for reason in _ALL:
                self._stop_at(reason)
        try:
            yield
        except LimitReachedError as error:
            if error.reason in _ALL or error.reason == _FOLDER:
                self._met[error.reason, parent if error.reason == _FOLDER else ""] = error
            raise

    @contextmanager
    def sharing(self) -> Iterator[None]:
        """Share an item within this.

        :raises LimitReachedError: Drive lets this user share nothing more for now.
        """
        self._stop_at(SHARING)
        try:
            yield
        except RateLimitError as error:
            raise self._until_tomorrow(SHARING, error, "to share") from error

    def _stop_at(self, reason: str, parent: str = "") -> None:
        if (error := self._met.get((reason, parent))) is not None:
            raise LimitReachedError(f"Not tried, as it was refused before: {error}", reason=reason)

    def _until_tomorrow(self, reason: str, error: RateLimitError, what: str) -> LimitReachedError:
        when = self._clock.now() + timedelta(hours=24)
        met = LimitReachedError(_SAID.format(error=error, what=what, when=when), reason=reason)
        self._met[reason, ""] = met
        return met

"""Access tokens for any google-auth credential, refreshed in a thread, one refresh at a time."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from google.auth.credentials import Credentials
from google.auth.exceptions import GoogleAuthError

from include.drive_backup.drive.token_errors import error_from_google_auth
from include.drive_backup.errors import CredentialsError, ServiceUnavailableError
from include.drive_backup.ports import Clock

log = logging.getLogger(__name__)


class Tokens(Protocol):
    """Where the client gets its bearer tokens."""

    @property
    def headers(self) -> Mapping[str, str]:
        """Further headers that belong to the credential, e.g. its quota project."""

    async def token(self) -> str:
        """A token that is good for some minutes at least.

        :raises CredentialsError: Google refuses the credential.
        :raises ServiceUnavailableError: the token endpoint cannot be reached.
        """

    async def renew(self, rejected: str) -> str:
        """A token other than the one that Drive just rejected."""

    def acting_as(self, user: str) -> Tokens:
        """The same credential acting for another user of its domain.

        :raises CredentialsError: it acts for nobody but itself.
        """


class GoogleTokens:
    """Implements :class:`Tokens` around a google-auth credential.

    :param credentials: anything that google-auth refreshes: service account, OAuth user, workload identity …
    :param clock: decides when a token is old.
    :param transport: a google-auth transport; made of ``requests`` when it is first needed.
    """

    #: A token is renewed when it has less than this left: longer than google-auth's own 3 min 45 s.
    early = timedelta(minutes=5)
    #: When an early renewal fails, the old token serves on, and the next try waits this long.
    pause = timedelta(seconds=30)

    def __init__(self, credentials: Credentials, clock: Clock, *, transport: Any = None) -> None:
        self._credentials = credentials
        self._clock = clock
        self._transport = transport
        self._lock = asyncio.Lock()
        self._not_before = datetime.min.replace(tzinfo=UTC)

    @property
    def headers(self) -> Mapping[str, str]:
        """``x-goog-user-project`` when the credential names a quota project."""
        project = getattr(self._credentials, "quota_project_id", None)
        return {"x-goog-user-project": project} if project else {}

    async def token(self) -> str:
        """See :meth:`Tokens.token`."""
        if self._is_fresh():
            return str(self._credentials.token)
        async with self._lock:
            if not self._is_fresh():
                await self._refresh_early()
        return str(self._credentials.token)

    async def renew(self, rejected: str) -> str:
        """See :meth:`Tokens.renew`. Callers that hold the same rejected token cause one refresh together."""
        async with self._lock:
            if self._credentials.token == rejected:
                await self._refresh()
        return str(self._credentials.token)

    def acting_as(self, user: str) -> GoogleTokens:
        """See :meth:`Tokens.acting_as`: by domain-wide delegation. Whether it may shows with the first token."""
        with_subject = getattr(self._credentials, "with_subject", None)
        if with_subject is None:
            raise CredentialsError("This credential cannot act for other users.", reason="noDelegation")
        return GoogleTokens(with_subject(user), self._clock, transport=self._transport)

    def _left(self) -> timedelta:
        """How long the present token is still good."""
        expiry: datetime | None = self._credentials.expiry
        if not self._credentials.token:
            return timedelta(0)
        # google-auth keeps naive UTC; a token without an expiry is good until it is rejected.
        return timedelta.max if expiry is None else expiry.replace(tzinfo=UTC) - self._clock.now()

    def _is_fresh(self) -> bool:
        left = self._left()
        return left > self.early or (left > timedelta(0) and self._clock.now() < self._not_before)

    async def _refresh_early(self) -> None:
        """Refresh; an endpoint that is down does no harm as long as the old token is good."""
        try:
            await self._refresh()
        except ServiceUnavailableError:
            if self._left() <= timedelta(0):
                raise
            self._not_before = self._clock.now() + self.pause
            log.warning("Google's token endpoint does not answer; the present token serves until it expires")

    async def _refresh(self) -> None:
        try:
            await asyncio.to_thread(self._refresh_in_thread)
        except (GoogleAuthError, ValueError) as error:
            raise error_from_google_auth(error) from error

    def _refresh_in_thread(self) -> None:
        if self._transport is None:
            from google.auth.transport.requests import Request  # noqa: PLC0415  # 0.2 s, and only for a refresh

            self._transport = Request()
        self._credentials.refresh(self._transport)  # type: ignore[no-untyped-call]

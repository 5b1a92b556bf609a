"""Tokens: one refresh for many callers, early, and never a run lost to an endpoint that is down for a moment."""

from __future__ import annotations

import asyncio
import threading
import time
from datetime import UTC, datetime, timedelta

import pytest
from google.auth.exceptions import (
    GoogleAuthError,
    MalformedError,
    ReauthFailError,
    RefreshError,
    TransportError,
)

from include.drive_backup.drive.token_errors import error_from_google_auth
from include.drive_backup.drive.tokens import GoogleTokens
from include.drive_backup.errors import CredentialsError, DriveBackupError, ServiceUnavailableError
from tests.support.scripted_drive import FakeClock


class Credential:
    """What google-auth's credentials look like from outside. Each refresh gives a token for an hour."""

    quota_project_id: str | None = None

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self.token: str | None = None
        self.expiry: datetime | None = None
        self.refreshes = 0
        self.fail: Exception | None = None
        self.threads: set[int] = set()

    def refresh(self, request: object) -> None:
        self.threads.add(threading.get_ident())
        self.refreshes += 1
        time.sleep(0.02)  # so that the other callers come meanwhile
        if self.fail:
            raise self.fail
        self.token = f"token-{self.refreshes}"
        self.expiry = (self.clock.now() + timedelta(hours=1)).astimezone(UTC).replace(tzinfo=None)


@pytest.fixture
def credential(clock: FakeClock) -> Credential:
    return Credential(clock)


@pytest.fixture
def google(credential: Credential, clock: FakeClock) -> GoogleTokens:
    return GoogleTokens(credential, clock, transport=object())  # type: ignore[arg-type]


async def test_many_callers_cause_one_refresh_off_the_event_loop(google: GoogleTokens, credential: Credential) -> None:
    assert set(await asyncio.gather(*(google.token() for _ in range(20)))) == {"token-1"}
    assert credential.refreshes == 1
    assert threading.get_ident() not in credential.threads


async def test_a_token_is_renewed_before_it_expires(
    google: GoogleTokens, credential: Credential, clock: FakeClock
) -> None:
    await google.token()
    clock.time += 54 * 60
    assert await google.token() == "token-1"
    clock.time += 2 * 60
    assert await google.token() == "token-2"


async def test_a_token_without_expiry_serves_until_it_is_rejected(google: GoogleTokens, credential: Credential) -> None:
    credential.token = "given"
    assert await google.token() == "given"
    assert await google.renew("given") == "token-1"


async def test_a_rejected_token_is_renewed_once_for_all_who_hold_it(
    google: GoogleTokens, credential: Credential
) -> None:
    old = await google.token()
    assert set(await asyncio.gather(*(google.renew(old) for _ in range(20)))) == {"token-2"}
    assert await google.renew(old) == "token-2"


async def test_the_old_token_serves_while_the_endpoint_is_down(
    google: GoogleTokens, credential: Credential, clock: FakeClock
) -> None:
    await google.token()
    clock.time += 57 * 60
    credential.fail = TransportError("unreachable")
    assert [await google.token() for _ in range(5)] == ["token-1"] * 5
    assert credential.refreshes == 2

    clock.time += 3 * 60
    with pytest.raises(ServiceUnavailableError):
        await google.token()
    credential.fail = None
    assert await google.token() == "token-4"


async def test_a_quota_project_travels_as_a_header(google: GoogleTokens, credential: Credential) -> None:
    assert google.headers == {}
    credential.quota_project_id = "billing-project"
    assert google.headers == {"x-goog-user-project": "billing-project"}


def oauth(code: str, description: str, *, retryable: bool = False) -> RefreshError:
    return RefreshError(
        f"{code}: {description}", {"error": code, "error_description": description}, retryable=retryable
    )


@pytest.mark.parametrize(
    ("error", "advice"),
    [
        (oauth("invalid_grant", "Invalid email or User ID"), "no such user"),
        (oauth("invalid_grant", "Not a valid email"), "no email address"),
        (oauth("invalid_grant", "The account has been deleted"), "deleted"),
        (oauth("invalid_grant", "Token has been expired or revoked."), "new refresh token"),
        (oauth("invalid_grant", "Invalid JWT Signature."), "clock"),
        (oauth("unauthorized_client", "Client is unauthorized to retrieve …"), "domain-wide delegation"),
        (oauth("access_denied", "Account restricted"), "administrator"),
        (oauth("invalid_client", "The OAuth client was not found."), "client_id"),
        (RefreshError("The credentials do not contain the necessary fields need to refresh …"), "connection"),
        (ReauthFailError("say who you are"), "connection"),
        (MalformedError("No key could be detected."), "connection"),
        (ValueError("Could not deserialize key data"), "connection"),
        (
            RefreshError("Unable to acquire impersonated credentials", '{"error": {"code": 403, "status": "DENIED"}}'),
            "connection",
        ),
    ],
)
def test_a_refused_credential_is_a_persons_business(error: Exception, advice: str) -> None:
    ours = error_from_google_auth(error)

    assert isinstance(ours, CredentialsError)
    assert advice in str(ours)


@pytest.mark.parametrize(
    "error",
    [
        TransportError("connection refused"),
        RefreshError("<html>\n<h1>502 Bad Gateway</h1>"),
        RefreshError("<html>503</html>", retryable=True),
        oauth("server_error", "internal", retryable=True),
        oauth("rateLimitExceeded", "slow down"),
        RefreshError("Unable to acquire impersonated credentials", '{"error": {"code": 429, "status": "EXHAUSTED"}}'),
        RefreshError("Unable to acquire impersonated credentials", '{"error": {"code": 503, "status": "UNAVAILABLE"}}'),
        RefreshError("No access token in response.", {"hello": "world"}),
    ],
)
def test_an_endpoint_that_is_down_is_tried_again(error: GoogleAuthError) -> None:
    ours: DriveBackupError = error_from_google_auth(error)

    assert isinstance(ours, ServiceUnavailableError)
    assert ours.service == "drive"
    assert "\n" not in str(ours)

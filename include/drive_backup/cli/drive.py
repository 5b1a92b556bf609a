"""From a key file or the machine's own Google credential to Drive, without Airflow."""
# ruff: noqa: PLC0415 - google-auth takes a moment to import; --help shall not

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from include.drive_backup.clock import SystemClock
from include.drive_backup.errors import CredentialsError
from include.drive_backup.model import Source

if TYPE_CHECKING:
    from include.drive_backup.drive.source import GoogleDrive


@dataclass(frozen=True)
class Google:
    """Who restores.

    :param key_file: a JSON key of a service account or an authorised user; None: application default credentials.
    :param acts_as: the user to act as, by domain-wide delegation.
    :param endpoint: root of the API; None: Google's.
    """

    key_file: Path | None = None
    acts_as: str | None = None
    endpoint: str | None = None


@asynccontextmanager
async def open_drive(google: Google, to: Source) -> AsyncIterator[GoogleDrive]:
    """Drive with the right to write.

    :param to: for ``user/…`` the credential acts as that user, where it can.
    :raises CredentialsError: there is no credential, or it cannot be used.
    """
    from include.drive_backup.drive.client import DEFAULT_ENDPOINT
    from include.drive_backup.drive.source import GoogleDrive
    from include.drive_backup.drive.tokens import GoogleTokens
    from include.drive_backup.pacing import QuotaLimiter

    clock = SystemClock()
    credentials = _credentials(google, google.acts_as or to.user)
    drive = GoogleDrive(
        GoogleTokens(credentials, clock),
        limiter=QuotaLimiter(clock),
        clock=clock,
        api_endpoint=google.endpoint or DEFAULT_ENDPOINT,
    )
    async with drive:
        yield drive


def _credentials(google: Google, subject: str | None) -> Any:
    from google.auth import default, load_credentials_from_file
    from google.auth.exceptions import GoogleAuthError

    from include.drive_backup.drive.errors import WRITE_SCOPE

    try:
        if google.key_file is None:
            found, _ = default(scopes=[WRITE_SCOPE])
        else:
            found, _ = load_credentials_from_file(  # type: ignore[no-untyped-call]
                str(google.key_file), scopes=[WRITE_SCOPE]
            )
    except (GoogleAuthError, OSError, ValueError) as error:
        raise CredentialsError(
            f"There is no Google credential that can be used: {(str(error).splitlines() or [''])[0]} Give --google-key "
            "the JSON key of a service account, or sign in with `gcloud auth application-default login "
            f"--scopes={WRITE_SCOPE},https://www.googleapis.com/auth/cloud-platform`.",
            reason="noCredential",
        ) from None
    return found.with_subject(subject) if subject and hasattr(found, "with_subject") else found

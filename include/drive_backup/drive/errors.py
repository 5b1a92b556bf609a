"""What Drive's answers mean, as our error types. Pure: status, body and headers in, an error out.

Drive's ``reason`` decides, not the status alone: 403 is both "slow down" and "never". The table is that of Drive's
guide "Resolve errors". An answer that is not understood never counts as a fact about an item: it is
:class:`UnexpectedAnswerError`, which leaves the item to be tried again and the snapshot partial.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any

from include.drive_backup.drive import refused_writes
from include.drive_backup.errors import (
    AccountUnavailableError,
    CredentialsError,
    DailyQuotaError,
    DriveBackupError,
    ItemLaterError,
    ItemUnavailableError,
    LimitReachedError,
    RateLimitError,
    ServiceUnavailableError,
)
from include.drive_backup.values import decode_json, read_integer

READ_SCOPE = "https://www.googleapis.com/auth/drive.readonly"
#: What a restore into Drive needs, and nothing else does.
WRITE_SCOPE = refused_writes.WRITE_SCOPE

_RATE = frozenset(
    {
        "userRateLimitExceeded",
        "rateLimitExceeded",
        "sharingRateLimitExceeded",
        "quotaExceeded",
        "limitExceeded",
        "concurrentLimitExceeded",
        "RATE_LIMIT_EXCEEDED",
        "RESOURCE_EXHAUSTED",
    }
)

_TRANSIENT = frozenset({"backendError", "badGateway", "gatewayTimeout", "internalError", "transientError"})

#: One item, for now: a spent quota for about a day, open downloads until they end. It is no fact about the item, and a
#: later try completes the backup.
_LATER = {
    "downloadQuotaExceeded": "Too many people downloaded it; its quota comes back within about a day.",
    "UrlLeaseLimitExceeded": "Too many downloads of it are open.",
}

#: One item, for good. The value says what a person can do.
_ITEM = {
    "notFound": "It was deleted, or this account lost access to it.",
    "insufficientFilePermissions": "Give the account that the backup acts as at least the role Viewer.",
    "appNotAuthorizedToFile": f"Use a credential with the scope {READ_SCOPE}: drive.file reaches too little.",
    "forbidden": "Check that the account that the backup acts as may read it.",
    "PERMISSION_DENIED": "Check that the account that the backup acts as may read it.",
    "cannotDownloadFile": "Its owner does not allow viewers to download it; give the account the role Editor.",
    "cannotExportFile": "Its owner does not allow viewers to download it; give the account the role Editor.",
    "cannotCopyFile": "Its owner does not allow viewers to copy it; give the account the role Editor.",
    "fileNotDownloadable": "It has no bytes of its own.",
    "fileNotExportable": "Drive has no export for its type.",
    "cannotDownloadAbusiveFile": "Its owner can download it; set acknowledge_abuse to save what the account owns.",
    "invalidAbuseAcknowledgment": "Drive does not take the acknowledgement from this account.",
    "exportSizeLimitExceeded": "Its export is larger than Drive gives out.",
    "download_restricted_for_revision": "Drive gives out old revisions only when they are kept forever.",
    "revisionsNotSupported": "Its type has no revisions.",
    "teamDriveMembershipRequired": "Add the account to the shared drive.",
}

_SCOPE_ADVICE = f"Grant the scope {READ_SCOPE} (service account: in the Admin console's domain-wide delegation too)."
_CREDENTIALS = {
    "accessNotConfigured": "Enable the Google Drive API in the Google Cloud project of the credential.",
    "SERVICE_DISABLED": "Enable the Google Drive API in the Google Cloud project of the credential.",
    "insufficientPermissions": _SCOPE_ADVICE,
    "insufficientScopes": _SCOPE_ADVICE,
    "ACCESS_TOKEN_SCOPE_INSUFFICIENT": _SCOPE_ADVICE,
    "domainPolicy": "Have an administrator switch Drive and its API on for this user in the Admin console.",
    "dailyLimitExceededUnreg": "The call carried no credential; check the Google connection.",
    "rateLimitExceededUnreg": "The call carried no credential; check the Google connection.",
    "authError": "Check the key or the refresh token in the Google connection.",
    "expired": "Check the key or the refresh token in the Google connection.",
    "required": "Check the key or the refresh token in the Google connection.",
    "UNAUTHENTICATED": "Check the key or the refresh token in the Google connection.",
}

#: google.rpc codes of a failed long-running operation that Drive's guide "Manage long-running operations" has retried.
_TRANSIENT_CODES = frozenset({2, 4, 8, 10, 13, 14})


class UnexpectedAnswerError(ServiceUnavailableError):
    """Drive refused a call in a way that this program does not know. Not worth repeating at once, and no fact either.

    :param status: HTTP status.
    """

    def __init__(self, message: str, *, reason: str, status: int) -> None:
        super().__init__(message, service="drive", reason=reason)
        self.status = status


@dataclass(frozen=True)
class Refusal:
    """An error answer, taken apart. Empty strings where Drive said nothing."""

    status: int
    reason: str = ""
    message: str = ""
    location: str = ""

    @property
    def spent_download_quota(self) -> bool:
        """Whether it is one file's download quota, which Drive also calls ``quotaExceeded``."""
        return self.reason == "quotaExceeded" and (
            self.location == "quota.download" or "download quota" in self.message.lower()
        )


def parse_refusal(status: int, body: bytes) -> Refusal:
    """Read Drive's error body; anything else (HTML of a front end, a cut body) gives a refusal without a reason."""
    try:
        error = decode_json(body, dict)["error"]
        first = (error.get("errors") or [{}])[0]
        reason = first.get("reason") or _detail_reason(error) or error.get("status") or ""
        message = first.get("message") or error.get("message") or ""
        return Refusal(status, str(reason), str(message), str(first.get("location") or ""))
    except (ValueError, LookupError, TypeError, AttributeError):
        return Refusal(status)


def _detail_reason(error: dict[str, Any]) -> str:
    """The reason of ``google.rpc.ErrorInfo``, which newer answers carry instead of ``errors``."""
    return next((detail["reason"] for detail in error.get("details") or () if detail.get("reason")), "")


def error_from(
    status: int, body: bytes, headers: Mapping[str, str], what: str, *, writing: bool = False
) -> DriveBackupError:
    """Our error for one of Drive's error answers.

    :param what: what was asked for, for the sentence: ``the file 'a.txt'``.
    :param writing: whether it was to change something, so that the advice is that of a restore.
    """
    refusal = parse_refusal(status, body)
    said = f"Drive refused {what}: {refusal.message.rstrip('.') or f'HTTP {status}'}"
    if refusal.reason:
        said += f" ({refusal.reason})"
    return (
        _rate_error(refusal, said, headers)
        or _outage(refusal, said, headers)
        or (_refused_write(refusal, said) if writing else None)
        or _permanent(refusal, said)
        or UnexpectedAnswerError(
            f"{said}. This answer is not one that Drive documents; if it stays, check api_endpoint and any proxy.",
            reason=refusal.reason or f"http{status}",
            status=status,
        )
    )


def _rate_error(refusal: Refusal, said: str, headers: Mapping[str, str]) -> DriveBackupError | None:
    if refusal.reason == "dailyLimitExceeded":
        return DailyQuotaError(
            f"{said}. The project's quota for today is used up. It comes back at midnight in California (07:00 or "
            "08:00 UTC); a run after that goes on from here."
        )
    reason = "downloadQuotaExceeded" if refusal.spent_download_quota else refusal.reason
    if reason in _LATER:
        return ItemLaterError(f"{said}. {_LATER[reason]} A later run saves it.", reason=reason)
    if refusal.status == 429 or refusal.reason in _RATE:
        return RateLimitError(
            f"{said}. Lower limits.units_per_minute if this stays.",
            reason=refusal.reason or "rateLimitExceeded",
            retry_after=retry_after(headers),
        )
    return None


def _outage(refusal: Refusal, said: str, headers: Mapping[str, str]) -> DriveBackupError | None:
    down = refusal.status >= 500 and refusal.status != 501
    # A 403 without a reason is Google's front end ("unusual traffic"), or a proxy: it says nothing about the item.
    if down or refusal.status == 408 or refusal.reason in _TRANSIENT or (refusal.status == 403 and not refusal.reason):
        return ServiceUnavailableError(
            f"{said}. Drive is having trouble; it is asked again later.",
            service="drive",
            reason=refusal.reason or f"http{refusal.status}",
            retry_after=retry_after(headers),
        )
    return None


def _refused_write(refusal: Refusal, said: str) -> DriveBackupError | None:
    reason = "notFound" if refusal.reason == "NOT_FOUND" else refusal.reason
    if reason in refused_writes.LIMITS:
        return LimitReachedError(f"{said}. {refused_writes.LIMITS[reason]}", reason=reason)
    if reason in refused_writes.CREDENTIALS:
        return CredentialsError(f"{said}. {refused_writes.CREDENTIALS[reason]}", reason=reason)
    if reason in refused_writes.REFUSALS:
        return ItemUnavailableError(f"{said}. {refused_writes.REFUSALS[reason]}", reason=reason)
    return None


def _permanent(refusal: Refusal, said: str) -> DriveBackupError | None:
    reason = refusal.reason
    if reason == "domainPolicy":
        return AccountUnavailableError(f"{said}. {_CREDENTIALS[reason]}", reason=reason)
    if refusal.status == 401 or reason in _CREDENTIALS:
        return CredentialsError(f"{said}. {_CREDENTIALS.get(reason, _CREDENTIALS['authError'])}", reason=reason or None)
    if reason == "NOT_FOUND":
        reason = "notFound"
    if reason in _ITEM:
        return ItemUnavailableError(f"{said}. {_ITEM[reason]}", reason=reason)
    if refusal.status == 400 and "conversion" in refusal.message.lower():
        return ItemUnavailableError(f"{said}. {_ITEM['fileNotExportable']}", reason="fileNotExportable")
    return None


def operation_error(error: Mapping[str, Any], what: str) -> DriveBackupError:
    """Our error for the ``error`` of a long-running operation (a ``google.rpc.Status``)."""
    said = f"Drive could not prepare {what}: {str(error.get('message') or 'no reason given').rstrip('.')}"
    if read_integer(error.get("code")) in _TRANSIENT_CODES:
        return ServiceUnavailableError(f"{said}. It is asked again later.", service="drive", reason="operationFailed")
    return ItemUnavailableError(f"{said}. {_ITEM['fileNotExportable']}", reason="fileNotExportable")


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds of a ``Retry-After`` header: a number, or a date (compared with the answer's own ``Date``)."""
    value = headers.get("Retry-After", "").strip()
    if (seconds := read_integer(value)) is not None:
        return float(seconds)
    try:
        wait = parsedate_to_datetime(value) - parsedate_to_datetime(headers.get("Date", ""))
        return max(0.0, wait.total_seconds())
    except (TypeError, ValueError, OverflowError):
        return None

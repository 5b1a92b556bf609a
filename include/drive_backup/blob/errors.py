"""What the Azure SDK raises, as our own types with a sentence that says what to do. Pure.

The SDK's classes are no guide: every HTTP 409 becomes ``ResourceExistsError``, also "immutable", "archived" and
"container being deleted". Only the service's error code tells them apart. Source: Azure Storage REST reference,
"Blob service error codes"; azure-storage-blob ``_shared/response_handlers.py``.
"""

from __future__ import annotations

import math
from datetime import UTC
from email.utils import parsedate_to_datetime

from azure.core.exceptions import (
    AzureError,
    ClientAuthenticationError,
    HttpResponseError,
    ServiceRequestError,
    ServiceResponseError,
)

from include.drive_backup.blob.sas import why_refused
from include.drive_backup.errors import (
    BrokenBodyError,
    ConfigError,
    ContainerMissingError,
    ContentArchivedError,
    CredentialsError,
    DriveBackupError,
    PermanentError,
    ServiceUnavailableError,
)
from include.drive_backup.model import Refused

_DENIED = {
    "AuthenticationFailed": (
        "Azure does not accept the signature or token. Check the key or SAS of the connection (has it expired, is it "
        "of this storage account?), and that the clock of this machine is right."
    ),
    "AuthorizationFailure": (
        "The storage account's network rules or the key or SAS forbid it. Allow this network in the account's firewall "
        "or use a private endpoint; check the key; a SAS needs {letters}."
    ),
    "AuthorizationPermissionMismatch": (
        "The credential may not do this. It needs the role '{role}' on the container, which takes up to 10 minutes to "
        "work when it is new; a SAS needs {letters}."
    ),
    "KeyBasedAuthenticationNotPermitted": (
        "The storage account does not allow account keys. Use a service principal or managed identity."
    ),
    "AccountIsDisabled": "The storage account is disabled. Enable it, or use another one.",
    "NoAuthenticationInformation": "No credential was sent. Set a key, SAS, or identity in the connection.",
    "PublicAccessNotPermitted": "No credential was sent. Set a key, SAS, or identity in the connection.",
}
_DENIED_OTHERWISE = "Check the credential of the connection, and that it has the role '{role}' on the container."
#: Why the service keeps a blob that has a lease.
LEASED = "LeaseIdMissing"
_KEPT = {
    "BlobImmutableDueToPolicy": "An immutability policy protects it; it can be deleted when that has expired.",
    "BlobImmutableDueToLegalHold": "A legal hold in Azure protects it; it can be deleted when that was cleared.",
    "SnapshotsPresent": "Somebody made Blob snapshots of it; delete these first.",
    LEASED: "It is leased, because it is held or being restored; `drive-backup release` ends a hold.",
}
_STAYS = {
    "BlobArchived": "It is archived.",
    "BlobBeingRehydrated": "It is being rehydrated.",
    "BlobImmutableDueToPolicy": "An immutability policy protects it.",
    "BlobImmutableDueToLegalHold": "A legal hold in Azure protects it.",
}
_ARCHIVED = {"BlobArchived", "BlobBeingRehydrated"}
#: HTTP 400 and 409 that say nothing of the one blob.
_OF_ALL = {"ContainerBeingDeleted", "InvalidHeaderValue", "InvalidAuthenticationInfo"}
_RESEND = {"Md5Mismatch", "Crc64Mismatch", "InvalidBlockList"}


def error_code(error: AzureError) -> str:
    """The service's error code, or an empty string when the answer has none."""
    code = getattr(error, "error_code", None)
    if code is None and isinstance(error, HttpResponseError) and error.response is not None:
        code = getattr(error.response, "headers", {}).get("x-ms-error-code")
    return str(getattr(code, "value", code) or "")


def is_taken(error: AzureError) -> bool:
    """Whether a create-only write found the name in use, and nothing else."""
    answer = (getattr(error, "status_code", None), error_code(error))
    return answer in {(409, "BlobAlreadyExists"), (412, "BlobAlreadyExists"), (412, "ConditionNotMet")}


def is_missing(error: AzureError) -> bool:
    """Whether the service says that there is no such blob (and not: no such container, account or host)."""
    return getattr(error, "status_code", None) == 404 and error_code(error) == "BlobNotFound"


def why_kept(error: AzureError) -> Refused | None:
    """Why the service will not delete a blob, if a policy, a legal hold, a snapshot or a lease of it is why.

    The SDK's list of codes lacks ``BlobImmutableDueTo…``.
    """
    code = error_code(error)
    if getattr(error, "status_code", None) not in (409, 412) or code not in _KEPT:
        return None
    return Refused(reason=code, message=_KEPT[code])


def kept_because(reason: str | None) -> str | None:
    """Why the service keeps a blob, as a sentence, by the reason of an error; None: the error says something else."""
    return _KEPT.get(reason or "")


def why_not_moved(error: AzureError) -> Refused | None:
    """Why the service will not give a blob another tier, if it is the blob or the kind of account that is why."""
    code, status = error_code(error), getattr(error, "status_code", None)
    if status not in (400, 409, 412) or code in _OF_ALL:
        return None
    said = _STAYS.get(code) or f"HTTP {status} {code}: {_first_line(error)}"
    return Refused(reason=code or f"http{status}", message=said)


def translate(error: AzureError, *, doing: str, container: str, needs: str = "cw", sas: str = "") -> DriveBackupError:
    """The error to raise instead.

    :param doing: what was tried, to follow "could not", e.g. ``write 'work/a'``.
    :param container: the container's URL without its query.
    :param needs: the letters that a SAS has to have for it.
    :param sas: the SAS that was used, if one was; it is not quoted.
    """
    status = getattr(error, "status_code", None) if isinstance(error, HttpResponseError) else None
    code = error_code(error)
    said = f"Could not {doing} in {container}"
    if status is None or status < 400:
        return _without_answer(error, said)
    said = f"{said}: HTTP {status}{' ' + code if code else ''}."
    if status in (408, 429) or (status >= 500 and status not in (501, 505)) or code == "ContainerBeingDeleted":
        return ServiceUnavailableError(
            f"{said} The storage service is busy or down; this is tried again later.",
            service="blob",
            reason=code,
            retry_after=_retry_after(error),
        )
    if code in _ARCHIVED:
        return ContentArchivedError(
            f"{said} It is in the archive tier, from where nothing can be read. A restore rehydrates what it needs, "
            "which takes hours: start it again, or wait.",
            reason=code,
        )
    if status in (401, 403) and sas and (why := _why_sas(error, sas, code, needs)):
        return CredentialsError(f"{said} {why}", reason=code or None)
    return _refusal(error, status, code, said, needs)


def _why_sas(error: AzureError, sas: str, code: str, needs: str) -> str:
    """Why the service refuses a SAS, in its own words and by its own clock."""
    headers = getattr(getattr(error, "response", None), "headers", {})
    try:
        now = parsedate_to_datetime(headers.get("Date", "")).replace(tzinfo=UTC)
    except ValueError:
        now = None
    detail = getattr(error, "additional_info", None) or {}
    return why_refused(sas, code=code, needs=needs, now=now, detail=detail.get("authenticationerrordetail") or "")


def _without_answer(error: AzureError, said: str) -> DriveBackupError:
    text = _first_line(error)
    if isinstance(error, ClientAuthenticationError):
        return CredentialsError(f"{said}: no usable credential. Check the key or identity of the connection. {text}")
    if isinstance(error, ServiceRequestError):
        hint = "Check the account name, DNS, proxy and firewall if this does not pass"
        return ServiceUnavailableError(f"{said}: no connection. {hint}. {text}", service="blob", reason="unreachable")
    if isinstance(error, (ServiceResponseError, HttpResponseError)):
        return ServiceUnavailableError(
            f"{said}: the connection broke. {text}", service="blob", reason="connectionBroken"
        )
    return BrokenBodyError(f"{said}: the bytes did not arrive as they were sent. {text}")


def _refusal(error: AzureError, status: int, code: str, said: str, needs: str) -> DriveBackupError:
    if status in (401, 403) or isinstance(error, ClientAuthenticationError):
        advice = _DENIED.get(code, _DENIED_OTHERWISE).format(role=_role(needs), letters=_letters(needs))
        detail = "" if code else f" {_first_line(error)}"
        return CredentialsError(f"{said} {advice}{detail}", reason=code or None)
    if code == "ContainerNotFound":
        return ContainerMissingError(
            f"{said} The container does not exist. Create it, or let the backup create it in the config file."
        )
    if status == 404:
        return ConfigError(f"{said} Is this the Blob endpoint of a storage account? Check host and login.", reason=code)
    if code in _RESEND:
        return BrokenBodyError(f"{said} The pieces are uploaded again.", reason=code)
    if code == "InvalidHeaderValue":
        return ConfigError(
            f"{said} An emulator that is older than the SDK needs 'api_version' in the connection's extra.", reason=code
        )
    return PermanentError(f"{said} {_first_line(error)}", reason=code or f"http{status}")


def _role(needs: str) -> str:
    """The least of Azure's own roles that is enough."""
    return "Storage Blob Data Reader" if set(needs) <= set("rl") else "Storage Blob Data Contributor"


def _letters(needs: str) -> str:
    return f"the letters {', '.join(needs[:-1])} and {needs[-1]}" if needs[1:] else f"the letter {needs}"


def _first_line(error: AzureError) -> str:
    return str(error.message or error).strip().split("\n", 1)[0].strip()[:300]


def _retry_after(error: AzureError) -> float | None:
    response = getattr(error, "response", None)
    try:
        seconds = float(response.headers.get("Retry-After")) if response is not None else math.nan
    except (TypeError, ValueError):
        return None
    return seconds if 0 <= seconds < math.inf else None

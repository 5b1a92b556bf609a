"""Drive's errors, in Drive's JSON shape."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from aiohttp import web


class ApiError(Exception):
    """An answer that is an error.

    :param reason: Drive's ``errors[0].reason``, by which clients decide.
    :param location: the parameter or header at fault, if one is.
    """

    def __init__(
        self,
        status: int,
        reason: str,
        message: str,
        *,
        location: str | None = None,
        domain: str = "global",
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason
        self.message = message
        self.location = location
        self.domain = domain
        self.headers = dict(headers or {})

    def body(self) -> bytes:
        """The JSON that Drive would send."""
        detail: dict[str, str] = {"domain": self.domain, "reason": self.reason, "message": self.message}
        if self.location is not None:
            detail["locationType"] = "header" if self.location == "Authorization" else "parameter"
            detail["location"] = self.location
        return msgspec.json.encode({"error": {"code": self.status, "message": self.message, "errors": [detail]}})

    def response(self) -> web.Response:
        """The HTTP answer."""
        return web.Response(
            status=self.status, body=self.body(), headers=self.headers, content_type="application/json", charset="UTF-8"
        )


def file_not_found(file_id: str) -> ApiError:
    """Not there, out of reach, or ``supportsAllDrives`` forgotten: Drive does not say which."""
    return ApiError(404, "notFound", f"File not found: {file_id}.", location="fileId")


def drive_not_found(drive_id: str) -> ApiError:
    """No such shared drive, or not a member of it."""
    return ApiError(404, "notFound", f"Shared drive not found: {drive_id}", location="driveId")


def invalid(location: str, message: str = "Invalid Value") -> ApiError:
    """A parameter's value cannot be used: a bad query, token, key."""
    return ApiError(400, "invalid", message, location=location)


def invalid_parameter(location: str, message: str) -> ApiError:
    """A parameter that is out of range, of the wrong type or unknown."""
    return ApiError(400, "invalidParameter", message, location=location)


def bad_request(message: str) -> ApiError:
    """The request makes no sense as a whole."""
    return ApiError(400, "badRequest", message)


def forbidden(reason: str, message: str) -> ApiError:
    """403: never, for this caller or this file."""
    return ApiError(403, reason, message)


def insufficient_permissions() -> ApiError:
    """The caller may see the file but may not do this to it."""
    return forbidden("insufficientFilePermissions", "The user does not have sufficient permissions for this file.")


def invalid_credentials() -> ApiError:
    """No access token, or one that is unknown or expired."""
    return ApiError(
        401,
        "authError",
        "Invalid Credentials",
        location="Authorization",
        headers={"WWW-Authenticate": 'Bearer realm="https://accounts.google.com/", error="invalid_token"'},
    )


RATE_MESSAGES = {
    "userRateLimitExceeded": "User Rate Limit Exceeded",
    "rateLimitExceeded": "Rate Limit Exceeded",
    "sharingRateLimitExceeded": "Rate limit exceeded. User message: 'Sharing limit exceeded.'",
    "dailyLimitExceeded": "Daily Limit Exceeded",
    "quotaExceeded": "Quota exceeded.",
    "downloadQuotaExceeded": "The download quota for this file has been exceeded.",
    "cannotDownloadAbusiveFile": "This file has been identified as malware or spam and cannot be downloaded.",
    "exportSizeLimitExceeded": "This file is too large to be exported.",
    "insufficientFilePermissions": "The user does not have sufficient permissions for this file.",
    "domainPolicy": "The domain administrators have disabled Drive apps.",
    "backendError": "Backend Error",
    "internalError": "Internal Error",
}
_USAGE_REASONS = {
    "userRateLimitExceeded",
    "rateLimitExceeded",
    "sharingRateLimitExceeded",
    "dailyLimitExceeded",
    "quotaExceeded",
    "accessNotConfigured",
}


def by_reason(status: int, reason: str, message: str | None = None, retry_after: float | None = None) -> ApiError:
    """An error made to order, for faults and quota.

    :param retry_after: seconds for a ``Retry-After`` header, or None for no header.
    """
    headers = {} if retry_after is None else {"Retry-After": f"{retry_after:g}"}
    return ApiError(
        status,
        reason,
        message or RATE_MESSAGES.get(reason, reason),
        domain="usageLimits" if reason in _USAGE_REASONS else "global",
        location="Authorization" if reason == "authError" else None,
        headers=headers,
    )

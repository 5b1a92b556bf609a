"""Key Vault's errors, in its words."""

from __future__ import annotations

from typing import Any

from aiohttp import web


class VaultError(Exception):
    """An answer other than 200.

    :param inner: the code of the inner error, which tells one 403 from another.
    """

    def __init__(self, status: int, code: str, message: str, *, inner: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.inner = inner
        self.headers: dict[str, str] = {}

    def response(self) -> web.Response:
        """The HTTP response."""
        error: dict[str, Any] = {"code": self.code, "message": str(self)}
        if self.inner:
            error["innererror"] = {"code": self.inner}
        return web.json_response({"error": error}, status=self.status, headers=self.headers)


def not_found(name: str) -> VaultError:
    """There is no such secret."""
    return VaultError(
        404,
        "SecretNotFound",
        f"A secret with (name/id) {name} was not found in this key vault. If you recently deleted this secret you may "
        "be able to recover it using the correct recovery command.",
    )


def bad_parameter(message: str) -> VaultError:
    """The request is wrong."""
    return VaultError(400, "BadParameter", message)


def forbidden(message: str, inner: str = "ForbiddenByRbac") -> VaultError:
    """The caller may not do this."""
    return VaultError(403, "Forbidden", message, inner=inner)


def throttled(retry_after: float) -> VaultError:
    """Too many requests.

    :param retry_after: seconds.
    """
    error = VaultError(
        429,
        "Throttled",
        "Request was not processed because too many requests were received. Reason: VaultRequestTypeLimitReached",
    )
    error.headers["Retry-After"] = f"{retry_after:g}"
    return error


def unavailable() -> VaultError:
    """The service is down."""
    return VaultError(503, "ServiceUnavailable", "The service is unavailable.")

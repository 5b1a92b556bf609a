"""Which hosts may see the token."""

from __future__ import annotations

from yarl import URL

_GOOGLE = (".google.com", ".googleapis.com", ".googleusercontent.com")


def may_have_token(url: URL, api: URL) -> bool:
    """Google's hosts over https, and the host of ``api_endpoint`` by its own scheme or better.

    :param api: ``api_endpoint``.
    """
    host = url.host or ""
    if host == api.host:
        return url.scheme in {api.scheme, "https"}
    return url.scheme == "https" and f".{host}".endswith(_GOOGLE)

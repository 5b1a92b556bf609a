"""Which hosts may see the token, and which proxy leads to them."""

from __future__ import annotations

from functools import cache
from urllib.request import getproxies, proxy_bypass

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


def proxy_for(url: URL) -> str | None:
    """The proxy of the environment (``HTTPS_PROXY``, ``NO_PROXY`` …), if there is one for this host.

    aiohttp's ``trust_env`` would do that too, but it also reads ``~/.netrc`` for every request, and fails where that
    file has a default entry.
    """
    return _proxy(url.scheme, url.host or "")


@cache
def _proxy(scheme: str, host: str) -> str | None:
    return None if proxy_bypass(host) else getproxies().get(scheme)

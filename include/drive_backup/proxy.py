"""Which proxy leads to a host."""

from __future__ import annotations

from functools import cache
from urllib.request import getproxies, proxy_bypass

from yarl import URL


def proxy_for(url: URL) -> str | None:
    """The proxy of the environment (``HTTPS_PROXY``, ``NO_PROXY`` …), if there is one for this host.

    aiohttp's ``trust_env`` would do that too, but it also reads ``~/.netrc`` for every request, in a thread, and fails
    where that file has an entry that fits.
    """
    return _proxy(url.scheme, url.host or "")


@cache
def _proxy(scheme: str, host: str) -> str | None:
    return None if proxy_bypass(host) else getproxies().get(scheme)

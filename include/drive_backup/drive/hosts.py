"""Which hosts may see the token."""

from __future__ import annotations

import re

from yarl import URL

#: Drive's API, and where it sends who asks for content. Not all of Google: under these domains are buckets
#: (storage.googleapis.com), scripts, sites and virtual machines (…bc.googleusercontent.com) of anybody.
_GOOGLE = re.compile(
    r"(?:www|drive|content|admin)\.googleapis\.com|(?:docs|drive)\.google\.com|"
    r"(?:doc-[0-9a-z-]+|[0-9a-z-]+-docs(?:text)?)\.googleusercontent\.com"
)


def may_have_token(url: URL, api: URL) -> bool:
    """Drive's hosts over https on its port, and the host of ``api_endpoint`` on its own port or by https.

    :param api: ``api_endpoint``.
    """
    if (url.host, url.port, url.scheme) == (api.host, api.port, api.scheme):
        return True
    if url.scheme != "https" or url.port not in (443, api.port if url.host == api.host else 443):
        return False
    return url.host == api.host or _GOOGLE.fullmatch(url.host or "") is not None

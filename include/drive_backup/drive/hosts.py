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
    if url.host == api.host:
        return (url.scheme, url.port) == (api.scheme, api.port) or (
            url.scheme == "https" and url.port in (443, api.port)
        )
    return (url.scheme, url.port) == ("https", 443) and _GOOGLE.fullmatch(url.host or "") is not None

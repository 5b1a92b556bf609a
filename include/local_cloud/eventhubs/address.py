"""Entity paths: ``amqps://host/hub/ConsumerGroups/g/Partitions/0`` and its shorter forms."""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import urlsplit

from include.local_cloud.eventhubs.hub import not_found

NODES = ("$cbs", "$management")
_PATH = re.compile(
    r"(?P<hub>[^/]+)(?:/ConsumerGroups/(?P<group>[^/]+))?(?:/Partitions/(?P<partition>[^/]+))?", re.IGNORECASE
)


class Address(NamedTuple):
    """What a link is attached to. ``path`` is what claims are checked against."""

    path: str
    hub: str
    group: str | None
    partition: str | None


def parse_address(text: str) -> Address:
    """Read an address.

    :raises AmqpError: when it names nothing that can exist.
    """
    parts = urlsplit(text)
    path = (parts.path if parts.scheme else text).strip("/")
    match = _PATH.fullmatch(path)
    if match is None:
        raise not_found(path)
    return Address(path, match["hub"], match["group"], match["partition"])

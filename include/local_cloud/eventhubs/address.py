"""What a link is attached to: ``amqps://host/hub/ConsumerGroups/g/Partitions/0`` and its shorter forms."""

from __future__ import annotations

import re
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from include.local_cloud.eventhubs.codec import Described
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


def terminus_address(terminus: Any) -> str:
    """The address of a source or target; empty when there is none."""
    fields = terminus.value if isinstance(terminus, Described) else None
    return str(fields[0]) if fields and fields[0] else ""


def terminus_filters(source: Any) -> dict[Any, Any] | None:
    """The filter set of a source (its eighth field)."""
    fields = source.value if isinstance(source, Described) else []
    return fields[7] if len(fields) > 7 else None

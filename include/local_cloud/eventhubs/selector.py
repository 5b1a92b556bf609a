"""Where a consumer starts: the selector filter on its source (Event Hubs protocol guide)."""

from __future__ import annotations

import re
from typing import Any

from include.local_cloud.eventhubs.codec import Described
from include.local_cloud.eventhubs.frames import AmqpError
from include.local_cloud.eventhubs.log import PartitionLog

FILTER = "apache.org:selector-filter:string"
_SELECTOR = re.compile(r"\s*amqp\.annotation\.x-opt-(offset|sequence-number|enqueued-time)\s*(>=?)\s*'([^']*)'\s*")


def start_of(filters: dict[Any, Any] | None, log: PartitionLog) -> int:
    """The sequence number of the first event to deliver.

    :param filters: the source's filter set; without a selector everything is delivered.
    :raises AmqpError: when the selector is none that Event Hubs knows, or points beyond the end.
    """
    described = (filters or {}).get(FILTER)
    if described is None:
        return 0
    text = described.value if isinstance(described, Described) else described
    match = _SELECTOR.fullmatch(str(text))
    if match is None:
        raise AmqpError("amqp:invalid-field", f"The selector '{text}' is not supported.")
    return _resolve(match[1], match[3], log, inclusive=match[2] == ">=")


def _resolve(kind: str, value: str, log: PartitionLog, *, inclusive: bool) -> int:
    if value == "@latest":
        return log.next_sequence
    try:
        number = int(value)
    except ValueError as error:
        raise AmqpError("com.microsoft:argument-error", f"'{value}' is no {kind}.") from error
    if kind == "enqueued-time":
        return log.from_time(number, inclusive=inclusive)
    sequence, offset, _ = log.last
    if kind == "offset":
        _check(kind, number, offset)
        return log.from_offset(number, inclusive=inclusive)
    _check("sequence number", number, sequence)
    return max(0, number if inclusive else number + 1)


def _check(kind: str, number: int, last: int) -> None:
    """The service refuses a position that it never gave out, e.g. a checkpoint of a hub that was made anew."""
    if number > max(last, 0):
        raise AmqpError(
            "com.microsoft:argument-error",
            f"The supplied {kind} '{number}' is invalid. The last {kind} in the system is '{last}'",
        )

"""Reads what somebody else wrote, one value at a time: Drive's JSON, metadata of blobs. Pure.

A value that cannot be read is "not known" (None, or empty), and stops nothing but itself. Whoever needs the value as it
came has it in the resource.
"""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime
from typing import Any, TypeVar
from urllib.parse import quote

import msgspec

Value = TypeVar("Value")

#: What a count can be.
MOST = 2**63 - 1
_DIGITS = re.compile(r"[0-9]{1,19}")
_HEX = re.compile(r"[0-9A-Fa-f]{1,128}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_LONGEST_TIME = 40
#: Bytes of an id as a part of an address, or in a blob's metadata.
_LONGEST_ID = 1_000


def decode_json(data: bytes | str, of: type[Value]) -> Value:
    """JSON that holds a value of a type.

    :raises ValueError: it does not, whatever is wrong with it: what msgspec raises has three unrelated types.
    """
    try:
        return msgspec.json.decode(data, type=of)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise ValueError(str(error)) from error


def read_text(value: object) -> str | None:
    """A text that UTF-8 can hold."""
    if not isinstance(value, str):
        return None
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            return None
    return value


def read_id(value: object) -> str | None:
    """An id: a text that can be a part of an address."""
    text = read_text(value)
    if not text or text in (".", "..") or len(text) > _LONGEST_ID or _CONTROL.search(text):
        return None
    return text if text.isascii() or len(quote(text)) <= _LONGEST_ID else None


def read_time(value: object) -> datetime | None:
    """A time in ISO 8601, in UTC, which it also is when it names no zone."""
    if not isinstance(value, str) or len(value) > _LONGEST_TIME:
        return None
    try:
        moment = datetime.fromisoformat(value)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        # Year 0 or 10000, a leap second, or an offset that leads out of the years that there are.
        return None


def read_integer(value: object) -> int | None:
    """A count of 63 bits, as a number or as its digits, which is how Drive writes those of 64 bits."""
    if isinstance(value, str) and _DIGITS.fullmatch(value):
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    return value if 0 <= value <= MOST else None


def read_number(text: str) -> float | None:
    """A number that is finite, of its text."""
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def read_flag(value: object) -> bool | None:
    """True or false, and nothing that is like them."""
    return value if isinstance(value, bool) else None


def read_hex(value: object) -> str | None:
    """A checksum, in lower case."""
    return value.lower() if isinstance(value, str) and _HEX.fullmatch(value) else None


def read_object(value: object) -> dict[str, Any]:
    """A JSON object."""
    return value if isinstance(value, dict) else {}


def read_objects(value: object) -> tuple[dict[str, Any], ...]:
    """The objects of a list."""
    return tuple(each for each in value if isinstance(each, dict)) if isinstance(value, list) else ()


def read_texts(value: object) -> tuple[str, ...]:
    """The texts of a list."""
    texts = (read_text(each) for each in value) if isinstance(value, list) else ()
    return tuple(text for text in texts if text)


def read_links(value: object) -> dict[str, str]:
    """The texts of an object, by key."""
    pairs = ((read_text(key), read_text(each)) for key, each in read_object(value).items())
    return {key: text for key, text in pairs if key and text}

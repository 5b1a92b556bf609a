"""AMQP 1.0 types to Python values and back (specification part 1).

Types that Python does not tell apart have a class each, so that what was decoded can be encoded as it came. Encoding
uses the widest form of a type, with one exception: small ``ulong`` values take one byte, because ``azure-eventhub``
finds the descriptor of a frame at a fixed place.
"""

from __future__ import annotations

import struct
import uuid
from collections.abc import Callable
from typing import Any, NamedTuple


class CodecError(ValueError):
    """The bytes are not AMQP."""


class Symbol(str):
    """Seven-bit ASCII name from a constrained domain."""

    __slots__ = ()


class UByte(int):
    """Unsigned, 8 bits."""


class UShort(int):
    """Unsigned, 16 bits."""


class UInt(int):
    """Unsigned, 32 bits."""


class ULong(int):
    """Unsigned, 64 bits."""


class Byte(int):
    """Signed, 8 bits."""


class Short(int):
    """Signed, 16 bits."""


class Int(int):
    """Signed, 32 bits; a plain ``int`` is a ``long``."""


class Timestamp(int):
    """Milliseconds since 1970, UTC."""


class Opaque(NamedTuple):
    """A fixed-width value that nobody here looks into (char, float, decimal), with its constructor."""

    constructor: int
    data: bytes


class Described(NamedTuple):
    """A value with a descriptor."""

    descriptor: Any
    value: Any


class Array(list[Any]):
    """Values of one type, which must not be empty to be encoded."""


Decoded = tuple[Any, int]
_FIXED: dict[int, tuple[str, Callable[[int], Any]]] = {
    0x50: (">B", UByte),
    0x60: (">H", UShort),
    0x70: (">I", UInt),
    0x52: (">B", UInt),
    0x80: (">Q", ULong),
    0x53: (">B", ULong),
    0x51: (">b", Byte),
    0x61: (">h", Short),
    0x71: (">i", Int),
    0x54: (">b", Int),
    0x81: (">q", int),
    0x55: (">b", int),
    0x83: (">q", Timestamp),
    0x82: (">d", float),
    0x56: (">B", bool),
}
_CONSTANT: dict[int, Any] = {0x40: None, 0x41: True, 0x42: False, 0x43: UInt(0), 0x44: ULong(0)}
_UINT = struct.Struct(">I")
_WIDTHS = {0x4: 0, 0x5: 1, 0x6: 2, 0x7: 4, 0x8: 8, 0x9: 16}


def skip(data: bytes, position: int) -> int:
    """Where the value that begins at ``position`` ends, without decoding it.

    The high half of a constructor tells the width (part 1, 1.2).

    :raises CodecError: when it reaches beyond the data.
    """
    try:
        if data[position] == 0:
            return skip(data, skip(data, position + 1))
        family = data[position] >> 4
        if family in _WIDTHS:
            end = position + 1 + _WIDTHS[family]
        elif family in (0xA, 0xC, 0xE):
            end = position + 2 + data[position + 1]
        else:
            end = position + 5 + _UINT.unpack_from(data, position + 1)[0]
    except (IndexError, struct.error) as error:
        raise CodecError(f"The data ends within a value at byte {position}.") from error
    if end > len(data):
        raise CodecError(f"The value at byte {position} is longer than the data.")
    return end


def decode(data: bytes, position: int = 0) -> Decoded:
    """The value at ``position``, and where it ends.

    :raises CodecError: when there is no valid value.
    """
    try:
        return _decode(data, position)
    except CodecError:
        raise
    except (IndexError, KeyError, ValueError, struct.error, TypeError, RecursionError) as error:
        raise CodecError(f"There is no AMQP value at byte {position}.") from error


def _decode(data: bytes, position: int) -> Decoded:
    constructor = data[position]
    if constructor:
        return _body(data, position + 1, constructor)
    descriptor, position = _decode(data, position + 1)
    value, position = _decode(data, position)
    return Described(descriptor, value), position


def _body(data: bytes, position: int, constructor: int) -> Decoded:
    """The value whose constructor is known already, as it is in arrays."""
    if constructor in _FIXED:
        form, kind = _FIXED[constructor]
        return kind(struct.unpack_from(form, data, position)[0]), position + struct.calcsize(form)
    if constructor in _CONSTANT:
        return _CONSTANT[constructor], position
    family = constructor >> 4
    if family in (0xA, 0xB):
        return _text(data, position, constructor)
    if family >= 0xC:
        return _compound(data, position, constructor)
    if constructor == 0x45:
        return [], position
    return _wide(data, position, constructor)


def _wide(data: bytes, position: int, constructor: int) -> Decoded:
    if constructor not in (0x72, 0x73, 0x74, 0x84, 0x94, 0x98):
        raise CodecError(f"0x{constructor:02x} is no AMQP constructor.")
    end = position + _WIDTHS[constructor >> 4]
    raw = bytes(_slice(data, position, end))
    return (uuid.UUID(bytes=raw) if constructor == 0x98 else Opaque(constructor, raw)), end


def _slice(data: bytes, start: int, end: int) -> bytes:
    if end > len(data):
        raise CodecError(f"The value at byte {start} is longer than the data.")
    return data[start:end]


def _text(data: bytes, position: int, constructor: int) -> Decoded:
    if constructor >= 0xB0:
        length, position = _UINT.unpack_from(data, position)[0], position + 4
    else:
        length, position = data[position], position + 1
    end = position + length
    raw = bytes(_slice(data, position, end))
    kind = constructor & 0xF
    if kind == 0x0:
        return raw, end
    return (raw.decode() if kind == 0x1 else Symbol(raw.decode("ascii"))), end


def _compound(data: bytes, position: int, constructor: int) -> Decoded:
    wide = constructor & 0x10
    size, count = struct.unpack_from(">II" if wide else ">BB", data, position)
    start = position + (4 if wide else 1)
    end = start + size
    body = _slice(data, start + (4 if wide else 1), end)
    if constructor in (0xE0, 0xF0):
        return _array(body, count), end
    if constructor not in (0xC0, 0xC1, 0xD0, 0xD1):
        raise CodecError(f"0x{constructor:02x} is no AMQP constructor.")
    values, at = [], 0
    for _ in range(count):
        value, at = _decode(body, at)
        values.append(value)
    return (values if constructor & 0xF == 0 else dict(zip(values[::2], values[1::2], strict=True))), end


def _array(body: bytes, count: int) -> Array:
    values = Array()
    if not count:
        return values
    constructor, at = body[0], 1
    if count > len(body) and constructor >> 4 != 0x4:
        raise CodecError("An array has fewer bytes than elements.")
    for _ in range(count):
        value, at = _body(body, at, constructor)
        values.append(value)
    return values


def encode(value: Any) -> bytes:
    """A value with its constructor.

    :raises TypeError: for a type that AMQP does not have.
    """
    if value is None:
        return b"\x40"
    if value is True:
        return b"\x41"
    if value is False:
        return b"\x42"
    if isinstance(value, Described):
        return b"\x00" + encode(value.descriptor) + encode(value.value)
    if type(value) is ULong and value < 256:
        return bytes((0x53, value))
    constructor, body = _encode_body(value)
    return bytes((constructor,)) + body


_NUMBERS: dict[type, tuple[int, str]] = {
    UByte: (0x50, ">B"),
    UShort: (0x60, ">H"),
    UInt: (0x70, ">I"),
    ULong: (0x80, ">Q"),
    Byte: (0x51, ">b"),
    Short: (0x61, ">h"),
    Int: (0x71, ">i"),
    int: (0x81, ">q"),
    Timestamp: (0x83, ">q"),
    float: (0x82, ">d"),
    bool: (0x56, ">B"),
}
_BYTES: dict[type, tuple[int, Callable[[Any], bytes]]] = {
    bytes: (0xB0, bytes),
    str: (0xB1, str.encode),
    Symbol: (0xB3, str.encode),
}


def _encode_body(value: Any) -> tuple[int, bytes]:
    kind = type(value)
    if kind in _NUMBERS:
        constructor, form = _NUMBERS[kind]
        return constructor, struct.pack(form, value)
    if kind in _BYTES:
        constructor, to_bytes = _BYTES[kind]
        raw = to_bytes(value)
        return constructor, _UINT.pack(len(raw)) + raw
    if kind is uuid.UUID:
        return 0x98, value.bytes
    if kind is Opaque:
        return value.constructor, value.data
    return _encode_compound(value)


def _encode_compound(value: Any) -> tuple[int, bytes]:
    if isinstance(value, Array):
        bodies = [_encode_body(element) for element in value]
        return 0xF0, _sized(len(value), bytes((bodies[0][0],)) + b"".join(body for _, body in bodies))
    if isinstance(value, list):
        return 0xD0, _sized(len(value), b"".join(encode(element) for element in value))
    if isinstance(value, dict):
        pairs = b"".join(encode(key) + encode(element) for key, element in value.items())
        return 0xD1, _sized(2 * len(value), pairs)
    raise TypeError(f"AMQP has no type for {type(value).__name__}.")


def _sized(count: int, body: bytes) -> bytes:
    return struct.pack(">II", len(body) + 4, count) + body

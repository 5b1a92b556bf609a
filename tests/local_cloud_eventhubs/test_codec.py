from __future__ import annotations

import uuid

import pytest
from azure.eventhub._pyamqp._decode import _DECODE_BY_CONSTRUCTOR
from hypothesis import given
from hypothesis import strategies as st

from include.local_cloud.eventhubs.codec import (
    Array,
    Byte,
    CodecError,
    Described,
    Int,
    Opaque,
    Short,
    Symbol,
    Timestamp,
    UByte,
    UInt,
    ULong,
    UShort,
    decode,
    encode,
    skip,
)


def number(kind, bits, *, signed):
    low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
    return st.integers(low, high).map(kind)


SYMBOLS = st.text(st.characters(max_codepoint=127), max_size=300).map(Symbol)
NUMBERS = (
    number(UByte, 8, signed=False)
    | number(UShort, 16, signed=False)
    | number(UInt, 32, signed=False)
    | number(ULong, 64, signed=False)
    | number(Byte, 8, signed=True)
    | number(Short, 16, signed=True)
    | number(Int, 32, signed=True)
    | number(int, 64, signed=True)
    | number(Timestamp, 64, signed=True)
    | st.floats(allow_nan=False)
)
SCALARS = (
    st.none()
    | st.booleans()
    | NUMBERS
    | st.binary(max_size=300)
    | st.text(max_size=300)
    | SYMBOLS
    | st.uuids()
    | st.binary(min_size=4, max_size=4).map(lambda data: Opaque(0x72, data))
)
ARRAYS = (
    st.lists(SYMBOLS, min_size=1)
    | st.lists(st.text(max_size=20), min_size=1)
    | st.lists(number(UInt, 32, signed=False), min_size=1)
).map(Array)
KEYS = st.text(max_size=20) | SYMBOLS | number(ULong, 64, signed=False)
VALUES = st.recursive(
    SCALARS | ARRAYS,
    lambda inner: (
        st.lists(inner, max_size=5)
        | st.dictionaries(KEYS, inner, max_size=5)
        | st.builds(Described, number(ULong, 64, signed=False) | SYMBOLS, inner)
    ),
    max_leaves=12,
)


def typed(value):
    """A value with the types that AMQP tells apart and Python's comparison does not."""
    if isinstance(value, Described):
        return ("described", typed(value.descriptor), typed(value.value))
    if isinstance(value, dict):
        return {(type(key), key): typed(element) for key, element in value.items()}
    if isinstance(value, list):
        return (type(value), [typed(element) for element in value])
    return (type(value), value)


@given(VALUES)
def test_what_is_encoded_is_decoded_with_its_type(value):
    data = encode(value)
    decoded, end = decode(data)
    assert typed(decoded) == typed(value)
    assert end == len(data)


@given(VALUES, st.binary(max_size=10))
def test_skipping_a_value_ends_where_decoding_it_does(value, more):
    data = encode(value)
    assert skip(data + more, 0) == len(data)


@given(st.binary(max_size=60))
def test_any_bytes_are_a_value_or_a_codec_error(data):
    try:
        _, end = decode(data)
    except CodecError:
        return
    assert end <= len(data)


@given(VALUES.map(encode), st.data())
def test_a_value_that_was_cut_is_refused(data, draw):
    cut = data[: draw.draw(st.integers(0, len(data) - 1))]
    with pytest.raises(CodecError):
        decode(cut)
    with pytest.raises(CodecError):
        skip(cut, 0)


@given(st.text(max_size=300) | st.binary(max_size=300) | number(UInt, 32, signed=False) | st.uuids() | st.booleans())
def test_azure_eventhub_decodes_what_we_encode(value):
    data = memoryview(encode(value))
    rest, decoded = _DECODE_BY_CONSTRUCTOR[data[0]](data[1:])
    assert not rest
    assert decoded == (value.encode() if isinstance(value, str) else value)


@pytest.mark.parametrize(
    ("data", "value"),
    [
        ("43", UInt(0)),
        ("44", ULong(0)),
        ("5207", UInt(7)),
        ("5380", ULong(128)),
        ("54ff", Int(-1)),
        ("55fe", -2),
        ("5601", True),
        ("45", []),
        ("a10568656c6c6f", "hello"),
        ("a303616263", Symbol("abc")),
        ("c0040241a000", [True, b""]),
        ("e00602a301610162", Array([Symbol("a"), Symbol("b")])),
        ("98" + "00" * 16, uuid.UUID(int=0)),
    ],
)
def test_the_compact_forms_that_other_clients_send(data, value):
    decoded, end = decode(bytes.fromhex(data))
    assert typed(decoded) == typed(value)
    assert end == len(data) // 2


@pytest.mark.parametrize("data", ["c10401a10161", "01", "00", "a1ff61", "a101ff", "c1030143", "d100000004000000ff"])
def test_what_is_no_amqp_is_refused(data):
    with pytest.raises(CodecError):
        decode(bytes.fromhex(data))


def test_a_descriptor_is_where_azure_eventhub_looks_for_it():
    assert encode(Described(ULong(0x10), []))[:3] == bytes.fromhex("005310")


def test_a_type_that_amqp_lacks_is_refused():
    with pytest.raises(TypeError, match="set"):
        encode({1, 2})

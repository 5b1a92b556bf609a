from __future__ import annotations

import pytest

from include.local_cloud.eventhubs.codec import CodecError, Described, Symbol, ULong, decode, encode
from include.local_cloud.eventhubs.log import Entry
from include.local_cloud.eventhubs.message import (
    ANNOTATIONS,
    BATCH_FORMAT,
    DATA,
    DELIVERY_ANNOTATIONS,
    HEADER,
    PARTITION_KEY,
    PROPERTIES,
    sections,
    stamped,
    unpack,
)


def section(code, value):
    return encode(Described(ULong(code), value))


BODY = section(DATA, b"body")


def values(message):
    return [(part.code, decode(message, part.value)[0]) for part in sections(message)]


def test_the_key_of_a_batch_is_put_on_each_of_its_events():
    inner = section(ANNOTATIONS, {Symbol("mine"): 1}) + BODY
    batch = section(ANNOTATIONS, {PARTITION_KEY: "run"}) + section(DATA, inner) + section(DATA, BODY)
    events, key = unpack(batch, BATCH_FORMAT)
    assert key == "run"
    assert [dict(values(event))[ANNOTATIONS] for event in events] == [
        {"mine": 1, "x-opt-partition-key": "run"},
        {"x-opt-partition-key": "run"},
    ]


def test_a_message_that_is_no_batch_is_one_event_as_it_is():
    message = BODY + section(DATA, b"more")
    assert unpack(message, 0) == ([message], None)
    assert unpack(message, None) == ([message], None)


def test_a_stamp_goes_between_the_header_and_the_rest_in_the_order_of_the_specification():
    message = section(HEADER, [True]) + section(PROPERTIES, ["id"]) + BODY + section(DELIVERY_ANNOTATIONS, {"x": 1})
    out = stamped(Entry(7, 99, 1_800_000_000_000, message), {Symbol("last"): 1})
    codes, (_, delivery, annotations, *_) = zip(*values(out), strict=True)
    assert codes == (HEADER, DELIVERY_ANNOTATIONS, ANNOTATIONS, PROPERTIES, DATA)
    assert delivery == {"last": 1}
    assert annotations == {
        "x-opt-sequence-number": 7,
        "x-opt-offset": "99",
        "x-opt-enqueued-time": 1_800_000_000_000,
    }


@pytest.mark.parametrize("message", [b"nonsense", BODY[:-1], b"\x00", section(ANNOTATIONS, {})])
def test_what_is_no_batch_is_refused(message):
    with pytest.raises(CodecError):
        unpack(message, BATCH_FORMAT)

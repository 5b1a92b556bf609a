"""Credit: a consumer never gets more than it asked for. The real client asks in one way only; others in many."""

from __future__ import annotations

import asyncio

import pytest

from include.local_cloud.eventhubs.codec import Described, ULong, encode
from include.local_cloud.eventhubs.frames import Attach, Detach, Disposition, Flow, Transfer
from include.local_cloud.eventhubs.hub import Partition
from include.local_cloud.eventhubs.links import MAX_MESSAGE, ConsumerLink, IncomingLink, distance


class Wire:
    """A session that notes what a link does."""

    def __init__(self):
        self.sent, self.flows, self.delivered, self.open = [], [], [], True

    def send(self, performative):
        self.sent.append(performative)

    def flow(self, **link):
        self.flows.append(link)

    def deliver(self, transfer, payload):
        self.delivered.append(payload)

    def ready(self):
        return self.open


EVENT = encode(Described(ULong(0x75), b"x"))


@pytest.fixture
def wire():
    return Wire()


@pytest.fixture
def partition(tmp_path):
    partition = Partition("0", tmp_path / "0.log")
    yield partition
    partition.log.close()


@pytest.fixture
def consumer(wire, partition):
    link = ConsumerLink(wire, Attach(handle=1, role=True), partition, "$default", start=0, epoch=None)
    partition.join("$default", link)
    return link


async def settle():
    for _ in range(5):
        await asyncio.sleep(0)


async def test_events_come_as_far_as_there_is_credit(wire, partition, consumer):
    partition.append([EVENT] * 300)
    await settle()
    assert len(wire.delivered) == 0
    consumer.on_flow(Flow(delivery_count=0, link_credit=200))
    await settle()
    assert len(wire.delivered) == 200
    consumer.on_flow(Flow(delivery_count=200, link_credit=50))
    await settle()
    assert len(wire.delivered) == 250


async def test_credit_that_was_granted_before_the_peer_saw_our_deliveries_is_not_counted_twice(
    wire, partition, consumer
):
    partition.append([EVENT] * 300)
    consumer.on_flow(Flow(delivery_count=0, link_credit=10))
    await settle()
    consumer.on_flow(Flow(delivery_count=4, link_credit=10))
    await settle()
    assert len(wire.delivered) == 14


async def test_credit_that_is_taken_back_stops_deliveries(wire, partition, consumer):
    consumer.on_flow(Flow(delivery_count=0, link_credit=10))
    partition.append([EVENT] * 5)
    await settle()
    consumer.on_flow(Flow(delivery_count=0, link_credit=0))  # sent before it saw any of the five
    partition.append([EVENT] * 5)
    await settle()
    assert len(wire.delivered) == 5


async def test_a_peer_that_does_not_read_gets_nothing_until_it_does(wire, partition, consumer):
    wire.open = False
    consumer.on_flow(Flow(delivery_count=0, link_credit=10))
    partition.append([EVENT] * 3)
    await settle()
    assert wire.delivered == []
    wire.open = True
    consumer.wake()
    await settle()
    assert len(wire.delivered) == 3


async def test_a_drained_link_gives_its_credit_back(wire, consumer):
    consumer.on_flow(Flow(delivery_count=0, link_credit=10, drain=True))
    assert wire.flows == [{"handle": 1, "delivery_count": 10, "link_credit": 0, "drain": True}]


async def test_nothing_is_delivered_to_a_link_that_is_gone(wire, partition, consumer):
    consumer.on_flow(Flow(delivery_count=0, link_credit=10))
    consumer.steal(3)
    partition.append([EVENT])
    await settle()
    assert wire.delivered == []
    assert isinstance(wire.sent[-1], Detach)


def incoming(wire, taken):
    return IncomingLink(wire, Attach(handle=1, role=False), lambda body, _: taken.append(body))


def test_pieces_are_put_together_and_confirmed_once(wire):
    taken = []
    link = incoming(wire, taken)
    link.on_transfer(Transfer(handle=1, delivery_id=5, more=True), b"ab")
    link.on_transfer(Transfer(handle=1, more=True), b"cd")
    assert (taken, wire.sent) == ([], [])
    link.on_transfer(Transfer(handle=1), b"ef")
    assert taken == [b"abcdef"]
    (disposition,) = wire.sent
    assert isinstance(disposition, Disposition)
    assert (disposition.first, disposition.state.descriptor) == (5, 0x24)


def test_an_aborted_delivery_leaves_no_trace(wire):
    taken = []
    link = incoming(wire, taken)
    link.on_transfer(Transfer(handle=1, delivery_id=5, more=True), b"ab")
    link.on_transfer(Transfer(handle=1, aborted=True), b"")
    link.on_transfer(Transfer(handle=1, delivery_id=6), b"whole")
    assert taken == [b"whole"]


def test_an_endless_message_is_refused_with_its_size_and_takes_no_memory(wire):
    taken = []
    link = incoming(wire, taken)
    for _ in range(100):
        link.on_transfer(Transfer(handle=1, delivery_id=5, more=True), bytes(60_000))
    assert sum(len(piece) for piece in link._pieces) <= MAX_MESSAGE
    link.on_transfer(Transfer(handle=1), b"")
    assert taken == []
    assert "size:6000000 bytes" in wire.sent[-1].state.value[0].value[1]


@pytest.mark.parametrize(("start", "end", "gap"), [(0, 5, 5), (5, 0, -5), (0xFFFFFFFF, 1, 2), (1, 0xFFFFFFFF, -2)])
def test_distances_on_counters_that_wrap(start, end, gap):
    assert distance(start, end) == gap

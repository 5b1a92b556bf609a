"""No event is lost, none overtakes another, and telling the world neither raises nor takes long."""

from __future__ import annotations

import asyncio
import json
import logging
import time

import pytest

from include.drive_backup.errors import ContainerMissingError, ServiceUnavailableError
from include.drive_backup.events import emitter as emitter_module
from include.drive_backup.events.emitter import Emitter
from include.drive_backup.events.outbox import Outbox, name_of
from include.drive_backup.events.spool import LocalSpool
from tests.core.events.support import RecordingSink, event, subjects
from tests.support.memory_blob import MemoryBlobStore


@pytest.fixture
def spool(tmp_path):
    return LocalSpool(tmp_path / "spool")


@pytest.fixture
def store():
    return MemoryBlobStore()


def down(phase: str, operation: str, name: str) -> None:
    raise ServiceUnavailableError("Blob is down.", service="blob")


async def test_a_healthy_hub_gets_events_at_once(store, spool):
    sink = RecordingSink()
    assert await Emitter(sink=sink, store=store, spool=spool).emit([event(1), event(2)]) == "sent"
    assert sink.sent == subjects(1, 2)
    assert not store.blobs


async def test_before_the_first_run_has_made_the_container_there_is_no_warning(spool, caplog):
    class Missing(MemoryBlobStore):
        async def list(self, *_, **__):
            raise ContainerMissingError("There is no container.")
            yield

    sink = RecordingSink()
    assert await Emitter(sink=sink, store=Missing(), spool=spool).emit([event(1)]) == "sent"
    assert sink.sent == subjects(1)
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


async def test_events_wait_in_order_and_new_ones_queue_behind(store, spool):
    sink = RecordingSink(up=False)
    emitter = Emitter(sink=sink, store=store, spool=spool)
    for number in (1, 2):
        assert await emitter.emit([event(number)]) == "kept"
    sink.up = True
    await emitter.emit([event(3), event(4)])
    assert sink.sent == subjects(1, 2, 3, 4)
    assert not store.blobs


async def test_events_of_one_instant_keep_their_order(store, spool):
    """Ids are hashes: without a counter in the name, a failure could be sent before its start."""
    same = [event(7, run=f"run-{number}") for number in range(20)]
    sink = RecordingSink(up=False)
    emitter = Emitter(sink=sink, store=store, spool=spool)
    await emitter.emit(same)
    order: list[str] = []

    class Sink:
        async def send(self, events):
            order.extend(each.id for each in events)

    await Emitter(sink=Sink(), store=store, spool=spool).drain()
    assert order == [each.id for each in same]


async def test_what_the_hub_did_not_acknowledge_stays(store, spool):
    down_sink = RecordingSink(up=False)
    await Emitter(sink=down_sink, store=store, spool=spool).emit([event(number) for number in range(5)])
    sink = RecordingSink(capacity=4)
    with pytest.raises(ServiceUnavailableError):
        await Outbox(store, chunk=2).drain(sink)
    assert sink.sent == subjects(0, 1, 2, 3)
    assert [name.rsplit("-", 1)[1] for name in store.blobs] == [f"{event(4).id}.json"]


async def test_two_drainers_at_once_lose_nothing(store, spool):
    await Emitter(sink=RecordingSink(up=False), store=store, spool=spool).emit([event(n) for n in range(50)])
    sinks = RecordingSink(), RecordingSink()
    await asyncio.gather(*(Outbox(store, chunk=3).drain(sink) for sink in sinks))
    assert set(sinks[0].sent) | set(sinks[1].sent) == set(subjects(*range(50)))
    assert not store.blobs


async def test_hub_and_blob_down_keeps_events_on_the_machine_and_in_the_log(store, spool, caplog):
    store.fault = down
    emitter = Emitter(sink=RecordingSink(up=False), store=store, spool=spool)
    assert await emitter.emit([event(1)]) == "spooled"
    errors = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
    assert json.loads(errors[0][errors[0].index("{") :]) == json.loads(event(1).to_json())

    # Blob comes back first: the event moves there; then the hub, and everything goes out in order.
    store.fault = None
    assert await emitter.emit([event(2)]) == "kept"
    assert sorted(store.blobs) == [name_of(event(1)), name_of(event(2))]
    assert not spool.names()
    sink = RecordingSink()
    assert await Emitter(sink=sink, store=store, spool=spool).drain() == 2
    assert sink.sent == subjects(1, 2)


async def test_spooled_events_reach_the_hub_while_blob_is_still_down(store, spool):
    store.fault = down
    sink = RecordingSink(up=False)
    emitter = Emitter(sink=sink, store=store, spool=spool)
    await emitter.emit([event(1)])
    sink.up = True
    assert await emitter.emit([event(2)]) == "spooled"
    assert sink.sent == subjects(1, 2)
    assert not spool.names()


async def test_an_alert_goes_out_while_blob_is_down(store, spool):
    store.fault = down
    sink = RecordingSink()
    assert await Emitter(sink=sink, store=store, spool=spool).emit([event(1)]) == "sent"


async def test_without_a_container_events_wait_on_the_machine(spool):
    sink = RecordingSink(up=False)
    emitter = Emitter(sink=sink, store=None, spool=spool)
    assert await emitter.emit([event(1)]) == "spooled"
    sink.up = True
    await emitter.emit([])
    assert sink.sent == subjects(1)


async def test_a_full_disk_leaves_the_log_line(tmp_path, caplog):
    (tmp_path / "file").write_text("a file where the folder should be")
    emitter = Emitter(sink=RecordingSink(up=False), store=None, spool=LocalSpool(tmp_path / "file"))
    assert await emitter.emit([event(1)]) == "logged"
    assert event(1).to_json().decode() in caplog.text


async def test_a_lost_answer_of_blob_loses_nothing(store, spool):
    """The event is stored, but the client hears an error: it is kept twice, with one id."""

    def lose(phase: str, operation: str, name: str) -> None:
        if (phase, operation) == ("after", "put"):
            down(phase, operation, name)

    store.fault = lose
    emitter = Emitter(sink=RecordingSink(up=False), store=store, spool=spool)
    assert await emitter.emit([event(1)]) == "spooled"
    store.fault = None
    sink = RecordingSink()
    await Emitter(sink=sink, store=store, spool=spool).emit([])
    assert sink.sent == subjects(1)
    assert not store.blobs
    assert not spool.names()


async def test_a_foreign_file_in_the_outbox_blocks_nobody(store, spool, caplog):
    await store.put("outbox/00-notes.txt", b"hello")
    sink = RecordingSink()
    emitter = Emitter(sink=sink, store=store, spool=spool)
    await emitter.emit([event(1)])
    assert sink.sent == subjects(1)
    assert list(store.blobs) == ["outbox/00-notes.txt"]
    assert "outbox/00-notes.txt is no event" in caplog.text


async def test_cancelling_keeps_the_event(store, spool):
    class Hanging:
        async def send(self, events):
            await asyncio.sleep(60)

    task = asyncio.create_task(Emitter(sink=Hanging(), store=store, spool=spool).emit([event(1)]))
    await asyncio.sleep(0.05)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert spool.names() == [name_of(event(1))]


async def test_an_unforeseen_error_is_swallowed_and_the_event_kept(store, spool, monkeypatch):
    emitter = Emitter(sink=RecordingSink(), store=store, spool=spool)
    monkeypatch.setattr(spool, "names", lambda prefix="": 1 / 0)
    assert await emitter.emit([event(1)]) == "spooled"


@pytest.mark.parametrize("waiting", [False, True])
async def test_a_hanging_blob_and_a_hanging_hub_cost_a_bounded_time(spool, monkeypatch, waiting):
    """The limits are scaled down by ten: 0.15 s a step, 0.3 s for the hub; 6 s become 0.6 s."""
    monkeypatch.setattr(emitter_module, "BLOB_LIMIT", 0.15)
    monkeypatch.setattr(Emitter.drain, "__defaults__", (0.3,))

    class HangingStore(MemoryBlobStore):
        async def put(self, *args, **kwargs):
            await asyncio.sleep(60)

        async def list(self, prefix, *, metadata=False):
            await asyncio.sleep(60)
            yield

    class HangingSink:
        async def send(self, events):
            await asyncio.sleep(0.3)
            raise ServiceUnavailableError("The hub is down.", service="eventhubs")

    if waiting:
        spool.write(name_of(event(0)), event(0).to_json())
    started = time.monotonic()
    emitter = Emitter(sink=HangingSink(), store=HangingStore(), spool=spool)
    assert await emitter.emit([event(1)]) == "spooled"
    assert time.monotonic() - started < 0.75
    assert name_of(event(1)) in spool.names()

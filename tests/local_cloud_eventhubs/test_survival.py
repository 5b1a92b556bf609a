"""What happens to events when the server stops, dies, or cannot start."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import threading
import time

import pytest
from azure.eventhub import EventData, EventHubProducerClient

from include.local_cloud.process import free_port, module
from tests.local_cloud_eventhubs.reading import read, texts

pytestmark = pytest.mark.integration


def producer(server, **options):
    options = {"retry_total": 0} | options
    return EventHubProducerClient.from_connection_string(server.info["connection_string"], **options)


def test_events_survive_a_restart_and_numbers_go_on(eventhubs_server):
    with producer(eventhubs_server) as client:
        client.send_batch([EventData("a"), EventData("b")], partition_id="0")
        before = client.get_eventhub_properties()
    eventhubs_server.stop()
    eventhubs_server.start()
    with producer(eventhubs_server) as client:
        client.send_batch([EventData("c")], partition_id="0")
        assert client.get_eventhub_properties() == before
    got = read(eventhubs_server.info["connection_string"], 3)
    assert [(event.sequence_number, event.body_as_str()) for event in got] == [(0, "a"), (1, "b"), (2, "c")]


def test_a_client_that_is_open_goes_on_after_a_restart(eventhubs_server):
    with producer(eventhubs_server, retry_total=5) as client:
        client.send_batch([EventData("before")], partition_id="0")
        eventhubs_server.stop()
        eventhubs_server.start()
        client.send_batch([EventData("after")], partition_id="0")
    assert texts(read(eventhubs_server.info["connection_string"], 2)) == ["before", "after"]


def test_a_killed_server_keeps_every_event_that_it_acknowledged_and_no_half_batch(eventhubs_server):
    acknowledged = []

    def send():
        with producer(eventhubs_server) as client:
            for number in range(100_000):
                try:
                    client.send_batch(
                        [EventData(f"{number}/{part}" + "x" * 900) for part in range(50)], partition_id="0"
                    )
                except Exception:
                    return
                acknowledged.append(number)

    sender = threading.Thread(target=send)
    sender.start()
    while len(acknowledged) < 40:
        time.sleep(0.01)
    eventhubs_server.kill()
    sender.join()
    eventhubs_server.start()
    connection = eventhubs_server.info["connection_string"]
    with producer(eventhubs_server) as client:
        kept = client.get_partition_properties("0")["last_enqueued_sequence_number"] + 1
    got = [text.rstrip("x") for text in texts(read(connection, kept))]
    assert len(got) % 50 == 0
    assert got == [f"{number}/{part}" for number in range(len(got) // 50) for part in range(50)]
    assert len(got) // 50 >= len(acknowledged)


def test_a_reader_is_told_when_the_server_stops(eventhubs_server):
    with socket.create_connection(("127.0.0.1", int(eventhubs_server.info["url"].rpartition(":")[2]))) as peer:
        eventhubs_server.stop()
        peer.settimeout(5)
        assert peer.recv(1) == b""


@pytest.mark.parametrize(
    "garbage", [b"GET / HTTP/1.1\r\n\r\n", b"AMQP\x00\x01\x00\x00", b"AMQP\x03\x01\x00\x00\xff" * 3]
)
def test_a_peer_that_speaks_something_else_is_turned_away_and_harms_nobody(eventhubs_server, garbage):
    with socket.create_connection(("127.0.0.1", int(eventhubs_server.info["url"].rpartition(":")[2]))) as peer:
        peer.sendall(garbage)
        peer.settimeout(5)
        answer = b""
        while piece := peer.recv(4096):
            answer += piece
    assert answer.startswith(b"AMQP\x03\x01\x00\x00")
    with producer(eventhubs_server) as client:
        client.send_batch([EventData("fine")])
    assert texts(read(eventhubs_server.info["connection_string"], 1)) == ["fine"]


def run_to_its_end(*arguments):
    command = module("include.local_cloud.eventhubs", *arguments)
    return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)


def test_a_port_that_is_taken_is_one_sentence(eventhubs_server, tmp_path):
    port = eventhubs_server.info["url"].rpartition(":")[2]
    done = run_to_its_end("--port", port, "--state", str(tmp_path / "other"))
    assert done.returncode == 2
    assert done.stderr == (
        f"Event Hubs cannot listen on 127.0.0.1:{port}: the port is taken. Stop what uses it, or choose another port.\n"
    )


def test_a_second_server_on_the_same_state_is_one_sentence(eventhubs_server):
    done = run_to_its_end("--port", str(free_port()), "--state", str(eventhubs_server.state))
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("Another Event Hubs server uses the state folder")
    assert done.stderr.count("\n") == 1


def test_a_damaged_log_is_one_sentence_and_is_left_alone(eventhubs_server, tmp_path):
    with producer(eventhubs_server) as client:
        for _ in range(3):
            client.send_batch([EventData("x" * 1000)], partition_id="0")
    eventhubs_server.stop()
    state = shutil.copytree(eventhubs_server.state, tmp_path / "copy")
    log = state / "drive-backup" / "0.log"
    data = bytearray(log.read_bytes())
    data[200] ^= 1
    log.write_bytes(data)
    done = run_to_its_end("--port", "0", "--state", str(state))
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "is damaged at byte 0" in done.stderr
    assert log.read_bytes() == data


def test_the_key_is_kept_and_only_its_owner_can_read_it(eventhubs_server):
    first = eventhubs_server.info["connection_string"]
    eventhubs_server.stop()
    eventhubs_server.start()
    assert eventhubs_server.info["connection_string"] == first
    assert (eventhubs_server.state / "shared-access-key").stat().st_mode & 0o777 == 0o600
    assert first not in eventhubs_server.service.log.read_text()


def test_sigint_ends_it_as_sigterm_does(eventhubs_server):
    os.kill(eventhubs_server.service.pid, signal.SIGINT)
    deadline = time.monotonic() + 5
    while eventhubs_server.service.alive and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not eventhubs_server.service.alive

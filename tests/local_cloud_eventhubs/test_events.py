"""What users of the real, synchronous client see."""

from __future__ import annotations

import time
from datetime import UTC, datetime

import pytest
from azure.core.credentials import AccessToken, AzureNamedKeyCredential, AzureSasCredential
from azure.eventhub import EventData, EventHubConsumerClient, EventHubProducerClient, parse_connection_string
from azure.eventhub._pyamqp.utils import generate_sas_token
from azure.eventhub.amqp import AmqpAnnotatedMessage, AmqpMessageBodyType
from azure.eventhub.exceptions import AuthenticationError, ConnectError, ConnectionLostError, EventDataSendError

from tests.local_cloud_eventhubs.reading import read, texts

pytestmark = pytest.mark.integration


def producer(connection, **options):
    return EventHubProducerClient.from_connection_string(connection, retry_total=0, **options)


def send(connection, *bodies, **where):
    with producer(connection) as client:
        client.send_batch([EventData(body) for body in bodies], **where)


def test_an_event_comes_back_with_everything_that_was_put_on_it(event_hub):
    event = EventData(b"\x00body\xff")
    event.properties = {"text": "Ünï", "number": 7, "float": 1.5, "bytes": b"\x01", "yes": True}
    event.content_type = "application/cloudevents+json; charset=utf-8"
    event.message_id = "id-1"
    event.correlation_id = "cor-1"
    before = datetime.now(UTC)
    with producer(event_hub) as client:
        client.send_event(event, partition_id="1")
    (got,) = read(event_hub, 1)
    assert b"".join(got.body) == b"\x00body\xff"
    assert got.properties == {
        b"text": b"\xc3\x9cn\xc3\xaf",
        b"number": 7,
        b"float": 1.5,
        b"bytes": b"\x01",
        b"yes": True,
    }
    assert (got.content_type, got.message_id, got.correlation_id) == (event.content_type, "id-1", "cor-1")
    assert (got.partition, got.sequence_number, got.partition_key) == ("1", 0, None)
    assert abs((got.enqueued_time - before).total_seconds()) < 5
    assert got.offset.isdigit()


def test_a_batch_comes_back_in_order_from_one_partition(event_hub):
    bodies = [f"event {number}" for number in range(500)]
    send(event_hub, *bodies)
    got = read(event_hub, 500)
    assert texts(got) == bodies
    assert [event.sequence_number for event in got] == list(range(500))
    assert len({event.partition for event in got}) == 1
    assert [int(event.offset) for event in got] == sorted({int(event.offset) for event in got})


def test_batches_without_a_key_go_round_all_partitions(event_hub):
    for number in range(8):
        send(event_hub, f"{number}")
    assert {event.partition for event in read(event_hub, 8)} == {"0", "1", "2", "3"}


def test_a_partition_key_is_kept_and_always_leads_to_the_same_partition(event_hub):
    for _ in range(3):
        send(event_hub, "a", "b", partition_key="run-7")
    with producer(event_hub) as client:
        client.send_event(EventData("single"), partition_key="run-7")
    got = read(event_hub, 7)
    assert {event.partition_key for event in got} == {b"run-7"}
    assert len({event.partition for event in got}) == 1


def test_other_body_kinds_and_annotations_survive(event_hub):
    message = AmqpAnnotatedMessage(value_body={"a": [1, "two"]}, annotations={"mine": "kept"})
    with producer(event_hub) as client:
        client.send_batch([message])
        client.send_event(AmqpAnnotatedMessage(sequence_body=[[1, 2], [3]]))
    got = read(event_hub, 2)
    by_type = {event.body_type: event for event in got}
    assert by_type[AmqpMessageBodyType.VALUE].body == {b"a": [1, b"two"]}
    assert by_type[AmqpMessageBodyType.VALUE].raw_amqp_message.annotations[b"mine"] == b"kept"
    assert list(by_type[AmqpMessageBodyType.SEQUENCE].body) == [[1, 2], [3]]


def test_an_event_larger_than_a_frame_comes_back_whole(event_hub):
    body = bytes(range(256)) * 3900
    with producer(event_hub) as client:
        client.send_event(EventData(body))
    (got,) = read(event_hub, 1)
    assert b"".join(got.body) == body


def test_the_client_learns_the_size_limit_and_fills_batches_to_it(event_hub):
    with producer(event_hub) as client:
        batch = client.create_batch()
        assert batch.max_size_in_bytes == 1_048_576
        for _ in range(104):
            batch.add(EventData(b"x" * 10_000))
        with pytest.raises(ValueError, match="size limit"):
            batch.add(EventData(b"x" * 10_000))
        client.send_batch(batch)
    assert len(read(event_hub, len(batch))) == len(batch)


def test_an_event_over_one_megabyte_is_refused_in_the_services_words_and_the_link_goes_on(event_hub):
    with producer(event_hub) as client:
        with pytest.raises(EventDataSendError, match=r"exceeds the limit \(1048576 bytes\) currently allowed"):
            client.send_event(EventData(b"x" * 1_048_577))
        client.send_event(EventData("small"))
    assert texts(read(event_hub, 1)) == ["small"]


def test_reading_starts_where_it_is_told(event_hub):
    send(event_hub, "0", "1", "2", partition_id="0")
    time.sleep(0.05)
    middle = datetime.now(UTC)
    time.sleep(0.05)
    send(event_hub, "3", "4", partition_id="0")
    every = read(event_hub, 5)
    options = {"partition_id": "0"}
    assert texts(read(event_hub, 3, starting_position=1, **options)) == ["2", "3", "4"]
    inclusive = {"starting_position": 1, "starting_position_inclusive": True}
    assert texts(read(event_hub, 4, **inclusive, **options)) == ["1", "2", "3", "4"]
    assert texts(read(event_hub, 2, starting_position=every[2].offset, **options)) == ["3", "4"]
    assert texts(read(event_hub, 2, starting_position=middle, **options)) == ["3", "4"]


def test_a_reader_that_starts_at_the_latest_gets_only_what_comes_later(event_hub):
    send(event_hub, "old", partition_id="0")
    client = EventHubConsumerClient.from_connection_string(event_hub, "$Default")
    got = []

    def on_event(_, event):
        if event is None and not got:
            send(event_hub, "new", partition_id="0")
        elif event is not None:
            got.append(event.body_as_str())
            client.close()

    client.receive(on_event, partition_id="0", starting_position="@latest", max_wait_time=1)
    assert got == ["new"]


def test_a_checkpoint_of_another_life_is_refused_as_the_service_does(event_hub):
    send(event_hub, "0", partition_id="0")
    with pytest.raises(ConnectError, match=r"The supplied sequence number '99' is invalid. The last .* is '0'"):
        read(event_hub, 1, partition_id="0", starting_position=99)


def test_the_hub_and_its_partitions_tell_about_themselves(event_hub):
    with producer(event_hub) as client:
        hub = client.get_eventhub_properties()
        empty = client.get_partition_properties("2")
        client.send_batch([EventData("a"), EventData("b")], partition_id="2")
        filled = client.get_partition_properties("2")
    assert hub["eventhub_name"] == parse_connection_string(event_hub).eventhub_name
    assert hub["partition_ids"] == ["0", "1", "2", "3"]
    assert datetime.now(UTC).timestamp() - hub["created_at"].timestamp() < 600
    assert (empty["is_empty"], empty["last_enqueued_sequence_number"]) == (True, -1)
    assert (filled["is_empty"], filled["last_enqueued_sequence_number"]) == (False, 1)
    (*_, last) = read(event_hub, 2)
    assert filled["last_enqueued_offset"] == last.offset
    assert filled["last_enqueued_time_utc"] == last.enqueued_time


def test_a_reader_may_track_the_last_event_of_its_partition(event_hub):
    send(event_hub, *"abc", partition_id="0")
    client = EventHubConsumerClient.from_connection_string(event_hub, "$Default")
    seen = []

    def on_event(context, event):
        seen.append((event.body_as_str(), context.last_enqueued_event_properties))
        client.close()

    client.receive(on_event, partition_id="0", starting_position="-1", track_last_enqueued_event_properties=True)
    assert seen[0][0] == "a"
    assert seen[0][1]["sequence_number"] == 2


def test_consumer_groups_read_independently(event_hub):
    send(event_hub, "x")
    assert texts(read(event_hub, 1)) == texts(read(event_hub, 1, group="archive")) == ["x"]


def test_an_exclusive_reader_ends_those_of_lower_epoch(event_hub):
    send(event_hub, "x", partition_id="0")
    errors = []
    first = EventHubConsumerClient.from_connection_string(event_hub, "$Default", retry_total=0)
    second = EventHubConsumerClient.from_connection_string(event_hub, "$Default")

    def take_over(_, event):
        if event is not None:
            assert texts(read(event_hub, 1, partition_id="0", owner_level=2)) == ["x"]

    def on_error(_, error):
        errors.append(error)
        first.close()

    options = {"partition_id": "0", "starting_position": "-1", "max_wait_time": 1}
    first.receive(take_over, on_error=on_error, owner_level=1, **options)
    second.close()
    assert isinstance(errors[0], ConnectionLostError)
    assert "New receiver with higher epoch of '2'" in str(errors[0])


def test_a_reader_of_lower_epoch_is_refused_while_a_higher_one_reads(event_hub):
    send(event_hub, "x", partition_id="0")
    outcome = []
    holder = EventHubConsumerClient.from_connection_string(event_hub, "$Default", retry_total=0)

    def while_reading(_, event):
        with pytest.raises(ConnectionLostError, match="epoch of '5'"):
            read(event_hub, 1, partition_id="0", owner_level=4)
        with pytest.raises(ConnectionLostError, match="epoch of '5'"):
            read(event_hub, 1, partition_id="0")
        outcome.append(event.body_as_str())
        holder.close()

    holder.receive(while_reading, partition_id="0", starting_position="-1", owner_level=5)
    assert outcome == ["x"]


def test_a_sixth_reader_of_a_partition_is_refused(event_hub):
    send(event_hub, "x", partition_id="0")

    def reading(depth):
        client = EventHubConsumerClient.from_connection_string(event_hub, "$Default", retry_total=0)
        results = []

        def on_event(_, event):
            results.append(reading(depth - 1) if depth > 1 else read(event_hub, 1, partition_id="0"))
            client.close()

        errors = []
        client.receive(
            on_event,
            on_error=lambda _, error: (errors.append(error), client.close()),
            partition_id="0",
            starting_position="-1",
        )
        if errors:
            raise errors[0]
        return results[0]

    assert texts(reading(4)) == ["x"]
    with pytest.raises(ConnectionLostError, match="maximum number of allowed receivers"):
        reading(5)


class TestAccess:
    def test_a_wrong_key_is_refused(self, event_hub):
        key = parse_connection_string(event_hub).shared_access_key
        with pytest.raises(AuthenticationError, match="InvalidSignature"):
            send(event_hub.replace(key, "d3Jvbmc="), "x")
        with pytest.raises(AuthenticationError, match="InvalidSignature"):
            read(event_hub.replace(key, "d3Jvbmc="), 1)

    def test_an_unknown_key_name_is_refused(self, event_hub):
        with pytest.raises(AuthenticationError, match="InvalidSignature"):
            send(event_hub.replace("RootManageSharedAccessKey", "Other"), "x")

    def test_a_hub_that_does_not_exist_is_refused(self, event_hub):
        name = parse_connection_string(event_hub).eventhub_name
        wrong = event_hub.replace(f"EntityPath={name}", "EntityPath=no-such-hub")
        with pytest.raises(ConnectionLostError, match="'no-such-hub' could not be found"):
            send(wrong, "x")
        with producer(wrong) as client, pytest.raises(ConnectError, match="Status code: 404"):
            client.get_eventhub_properties()

    def test_a_consumer_group_that_does_not_exist_is_refused(self, event_hub):
        with pytest.raises(ConnectionLostError, match="ConsumerGroups/nobody' could not be found"):
            read(event_hub, 1, group="nobody", partition_id="0")

    @pytest.fixture
    def parsed(self, event_hub):
        parts = parse_connection_string(event_hub)
        return parts.fully_qualified_namespace, parts.eventhub_name, parts.shared_access_key

    def client(self, parsed, credential):
        namespace, hub, _ = parsed
        return EventHubProducerClient(namespace, hub, credential, use_tls=False, retry_total=0)

    def test_a_named_key_and_a_ready_made_signature_are_good_credentials(self, event_hub, parsed):
        namespace, hub, key = parsed
        signature = generate_sas_token(f"sb://{namespace}/{hub}", "RootManageSharedAccessKey", key)
        for credential in (AzureNamedKeyCredential("RootManageSharedAccessKey", key), AzureSasCredential(signature)):
            with self.client(parsed, credential) as client:
                client.send_event(EventData("x"))
        assert texts(read(event_hub, 2)) == ["x", "x"]

    def test_an_expired_signature_is_refused(self, parsed):
        namespace, hub, key = parsed
        signature = generate_sas_token(
            f"sb://{namespace}/{hub}", "RootManageSharedAccessKey", key, int(time.time()) - 1
        )
        client = EventHubProducerClient.from_connection_string(
            f"Endpoint=sb://{namespace};SharedAccessSignature={signature};UseDevelopmentEmulator=true;EntityPath={hub}",
            retry_total=0,
        )
        with client, pytest.raises(AuthenticationError, match="xpired"):
            client.send_event(EventData("x"))

    def test_a_signature_for_another_hub_is_refused(self, parsed):
        namespace, _, key = parsed
        signature = generate_sas_token(f"sb://{namespace}/another", "RootManageSharedAccessKey", key)
        with (
            self.client(parsed, AzureSasCredential(signature)) as client,
            pytest.raises(AuthenticationError, match="InvalidAudience"),
        ):
            client.send_event(EventData("x"))

    def test_a_token_that_is_none_is_refused(self, parsed):
        class Nonsense:
            def get_token(self, *scopes, **_):
                return AccessToken("nonsense", int(time.time()) + 3600)

        with self.client(parsed, Nonsense()) as client, pytest.raises(AuthenticationError, match="InvalidToken"):
            client.send_event(EventData("x"))

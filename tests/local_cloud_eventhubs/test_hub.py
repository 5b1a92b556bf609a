from __future__ import annotations

import pytest

from include.local_cloud.eventhubs.codec import Described, Symbol
from include.local_cloud.eventhubs.frames import AmqpError
from include.local_cloud.eventhubs.hub import Hub, StateError, lock
from include.local_cloud.eventhubs.log import PartitionLog
from include.local_cloud.eventhubs.selector import FILTER, start_of


def test_a_partition_that_does_not_exist_is_refused_in_the_services_words(tmp_path):
    with pytest.raises(AmqpError, match="between 0 and 3") as refused:
        Hub("h", tmp_path, 4).partition("4")
    assert refused.value.condition == "com.microsoft:argument-out-of-range"


def test_a_hub_keeps_its_partitions_and_its_birthday_for_life(tmp_path):
    born = Hub("h", tmp_path, 4).created_at
    assert Hub("h", tmp_path, 4).created_at == born
    with pytest.raises(StateError, match="has 4 partitions, not 8"):
        Hub("h", tmp_path, 8)


def test_two_servers_never_share_a_state_folder(tmp_path):
    lock(tmp_path)
    with pytest.raises(StateError, match="Another Event Hubs server uses"):
        lock(tmp_path)


def selector(text):
    return {FILTER: Described(Symbol(FILTER), text)}


@pytest.fixture
def log(tmp_path):
    log = PartitionLog(tmp_path / "0.log")
    for moment in (1000, 2000, 3000):
        log.append([b"a", b"b"], moment)
    yield log
    log.close()


@pytest.mark.parametrize(
    ("text", "start"),
    [
        ("amqp.annotation.x-opt-offset > '-1'", 0),
        ("amqp.annotation.x-opt-offset > '@latest'", 6),
        ("amqp.annotation.x-opt-sequence-number > '2'", 3),
        ("amqp.annotation.x-opt-sequence-number >= '2'", 2),
        ("amqp.annotation.x-opt-sequence-number > '-1'", 0),
        ("amqp.annotation.x-opt-sequence-number > '5'", 6),
        ("amqp.annotation.x-opt-enqueued-time > '1000'", 2),
        ("amqp.annotation.x-opt-enqueued-time >= '1000'", 0),
        ("amqp.annotation.x-opt-enqueued-time > '9000'", 6),
    ],
)
def test_a_selector_says_where_to_start(log, text, start):
    assert start_of(selector(text), log) == start


def test_without_a_selector_everything_is_delivered(log):
    assert start_of(None, log) == 0
    assert start_of({}, log) == 0


@pytest.mark.parametrize(
    ("text", "condition"),
    [
        ("amqp.annotation.x-opt-publisher = 'me'", "amqp:invalid-field"),
        ("amqp.annotation.x-opt-offset > 'far'", "com.microsoft:argument-error"),
        ("amqp.annotation.x-opt-sequence-number > '6'", "com.microsoft:argument-error"),
        ("amqp.annotation.x-opt-offset > '99999'", "com.microsoft:argument-error"),
    ],
)
def test_a_selector_that_means_nothing_is_refused(log, text, condition):
    with pytest.raises(AmqpError) as refused:
        start_of(selector(text), log)
    assert refused.value.condition == condition

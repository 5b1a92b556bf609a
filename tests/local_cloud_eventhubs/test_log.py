from __future__ import annotations

import errno
import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from include.local_cloud.eventhubs.log import LogCorruptError, PartitionLog

BATCHES = [[b"one", b"two"], [b"", b"\x00\xff"], [b"x" * 5000]]


def messages(log):
    return [log.read(sequence).message for sequence in range(log.next_sequence)]


def written(path, batches=BATCHES):
    log = PartitionLog(path)
    ends = []
    for batch in batches:
        log.append(batch, 1000)
        ends.append(path.stat().st_size)
    log.close()
    return ends


def test_events_are_read_as_they_were_appended(tmp_path):
    log = PartitionLog(tmp_path / "0.log")
    assert [log.append(batch, 1000 + number) for number, batch in enumerate(BATCHES)] == [0, 2, 4]
    assert messages(log) == [b"one", b"two", b"", b"\x00\xff", b"x" * 5000]
    assert [log.read(sequence).enqueued for sequence in range(5)] == [1000, 1000, 1001, 1001, 1002]
    assert log.last == (4, log.read(4).offset, 1002)
    log.close()


def test_a_log_that_is_opened_again_goes_on_where_it_ended(tmp_path):
    written(tmp_path / "0.log")
    log = PartitionLog(tmp_path / "0.log")
    assert log.append([b"later"], 2000) == 5
    log.close()
    log = PartitionLog(tmp_path / "0.log")
    assert messages(log)[-1] == b"later"
    assert log.next_sequence == 6
    log.close()


def test_wherever_the_file_was_cut_whole_batches_are_there_and_nothing_else(tmp_path):
    whole = tmp_path / "whole.log"
    ends = written(whole, [[b"one", b"two"], [b"three"], [b"four", b"five", b"six"]])
    data = whole.read_bytes()
    kept = [[], [b"one", b"two"], [b"one", b"two", b"three"], [b"one", b"two", b"three", b"four", b"five", b"six"]]
    for size in range(len(data) + 1):
        path = tmp_path / "cut.log"
        path.write_bytes(data[:size])
        log = PartitionLog(path)
        whole_batches = sum(end <= size for end in ends)
        assert messages(log) == kept[whole_batches], size
        assert path.stat().st_size == ([0, *ends])[whole_batches]
        log.append([b"after"], 5)
        log.close()
        log = PartitionLog(path)
        assert messages(log)[-1] == b"after"
        log.close()


def test_blocks_that_a_power_cut_left_empty_are_cut_off(tmp_path):
    path = tmp_path / "0.log"
    written(path)
    with path.open("ab") as file:
        file.write(bytes(9000))
    log = PartitionLog(path)
    assert log.next_sequence == 5
    log.close()


def test_a_torn_last_batch_that_has_its_full_length_is_cut_off(tmp_path):
    path = tmp_path / "0.log"
    written(path)
    data = bytearray(path.read_bytes())
    data[-100:] = bytes(100)
    path.write_bytes(data)
    log = PartitionLog(path)
    assert messages(log) == [b"one", b"two", b"", b"\x00\xff"]
    log.close()


def test_damage_in_the_middle_is_never_cut_off(tmp_path):
    path = tmp_path / "0.log"
    ends = written(path)
    data = bytearray(path.read_bytes())
    data[ends[0] + 22] ^= 1
    path.write_bytes(data)
    with pytest.raises(LogCorruptError, match=f"byte {ends[0]}"):
        PartitionLog(path)
    assert path.read_bytes() == data


def test_a_batch_that_the_disk_refuses_leaves_no_trace(tmp_path, monkeypatch):
    path = tmp_path / "0.log"
    written(path)
    log = PartitionLog(path)
    real = os.pwrite

    def half_then_full(file, data, position):
        real(file, data[: len(data) // 2], position)
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "pwrite", half_then_full)
    with pytest.raises(OSError, match="No space"):
        log.append([b"too much"], 5000)
    monkeypatch.undo()
    assert log.append([b"fits"], 5000) == 5
    log.close()
    assert messages(PartitionLog(path))[4:] == [b"x" * 5000, b"fits"]


@settings(deadline=None)
@given(st.lists(st.lists(st.binary(max_size=50), min_size=1, max_size=4), min_size=1, max_size=6), st.data())
def test_positions_by_offset_and_time_find_the_event_itself(tmp_path_factory, batches, draw):
    log = PartitionLog(tmp_path_factory.mktemp("log") / "0.log")
    for number, batch in enumerate(batches):
        log.append(batch, 10 * number)
    sequence = draw.draw(st.integers(0, log.next_sequence - 1))
    entry = log.read(sequence)
    assert log.from_offset(entry.offset, inclusive=True) == sequence
    assert log.from_offset(entry.offset, inclusive=False) == sequence + 1
    assert log.read(log.from_time(entry.enqueued, inclusive=True)).enqueued == entry.enqueued
    after = log.from_time(entry.enqueued, inclusive=False)
    assert after == log.next_sequence or log.read(after).enqueued > entry.enqueued
    log.close()


def test_a_clock_that_goes_back_does_not_take_the_events_with_it(tmp_path):
    log = PartitionLog(tmp_path / "0.log")
    log.append([b"a"], 2000)
    log.append([b"b"], 1000)
    assert [log.read(sequence).enqueued for sequence in (0, 1)] == [2000, 2000]
    log.close()

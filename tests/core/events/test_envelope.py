"""Events are valid CloudEvents whatever goes in, small enough, and the same fact has the same id."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from include.drive_backup.events.envelope import (
    MAX_BYTES,
    SEVERITY,
    Event,
    Fact,
    Kind,
    event_id,
    make_event,
)

SCHEMA = json.loads(Path("include/schemas/event-v1.json").read_text())
VALIDATOR = Draft202012Validator(SCHEMA)
WHEN = datetime(2026, 11, 23, 1, 2, 3, 4, tzinfo=UTC)

anything = st.text(alphabet=st.characters(exclude_categories=()), max_size=300)
facts = st.builds(
    Fact,
    kind=st.sampled_from(get_args(Kind)),
    dag_id=anything.filter(bool),
    run_id=anything.filter(bool),
    clear_number=st.integers(0, 9),
    task_id=st.none() | anything,
    map_index=st.none() | st.integers(-1, 2000),
    try_number=st.none() | st.integers(0, 99),
    object=st.none() | anything,
    severity=st.none() | st.sampled_from(["info", "warning", "error", "critical"]),
    message=anything,
    log_url=st.none() | anything,
    error_class=st.none() | anything,
    error_reason=st.none() | anything,
    counts=st.dictionaries(anything, st.integers(-(2**63), 2**63 - 1), max_size=5),
)


def fact(kind: Kind = "task.failed", **values) -> Fact:
    defaults = {"dag_id": "backup", "run_id": "run", "task_id": "copy", "map_index": 3, "try_number": 2}
    return Fact(kind=kind, **(defaults | values))


def test_the_schema_is_a_schema():
    Draft202012Validator.check_schema(SCHEMA)


def test_the_schema_knows_every_kind():
    assert set(SCHEMA["properties"]["type"]["enum"]) == {f"dev.drivebackup.backup.{kind}" for kind in get_args(Kind)}
    assert set(SEVERITY) == set(get_args(Kind))


@given(facts)
def test_every_event_is_valid_and_survives_the_wire(any_fact):
    event = make_event(any_fact, when=WHEN)
    encoded = event.to_json()
    VALIDATOR.validate(json.loads(encoded))
    assert len(encoded) <= MAX_BYTES
    assert Event.from_json(encoded) == event
    # CloudEvents: a URI reference has no blanks and nothing outside ASCII.
    assert re.fullmatch(r"/airflow/[\x21-\x7e]+", event.source)
    for attribute in (event.subject, event.data.dag_id, event.data.run_id):
        assert not any(ord(c) < 32 or 127 <= ord(c) < 160 or ord(c) & 0xFFFE == 0xFFFE for c in attribute)


@given(facts, st.datetimes())
def test_the_id_depends_on_the_fact_alone(any_fact, when):
    assert make_event(any_fact, when=when.replace(tzinfo=UTC)).id == make_event(any_fact, when=WHEN).id


@pytest.mark.parametrize(
    "told_again",
    [
        {"message": "another wording", "error_class": "OSError", "log_url": "http://x", "severity": "critical"},
        {"try_number": None},  # the reporter does not know the try
        {"counts": {"files": 1}},
    ],
)
def test_a_failed_task_told_twice_is_one_event(told_again):
    assert event_id(fact()) == event_id(fact(**told_again))


@pytest.mark.parametrize(
    "other",
    [
        {"map_index": 4},
        {"task_id": "commit"},
        {"run_id": "next"},
        {"dag_id": "other"},
        {"clear_number": 1},
        {"kind": "task.retried"},
        {"object": "x"},
    ],
)
def test_another_fact_is_another_event(other):
    assert event_id(fact()) != event_id(fact(**other))


def test_each_retry_is_news():
    assert event_id(fact("task.retried", try_number=1)) != event_id(fact("task.retried", try_number=2))


def test_a_run_fails_once_whichever_task_says_so():
    assert event_id(fact("run.failed")) == event_id(fact("run.failed", task_id="report", map_index=-1, try_number=1))


def test_ids_stay_what_they_are():
    """Consumers may have stored them: a changed recipe would send every waiting event twice."""
    assert event_id(fact()) == "239453acfca4e82be2abd74359d84e53"


def test_attributes_of_a_task_event():
    event = make_event(fact(message="It broke."), when=WHEN.astimezone(timezone(timedelta(hours=5))), origin="/berlin/")
    assert (event.source, event.subject, event.time) == ("/berlin/backup", "run/copy[3]", "2026-11-23T01:02:03.000004Z")
    assert (event.data.severity, event.data.message) == ("error", "It broke.")


def test_a_huge_message_is_cut_and_says_so():
    event = make_event(fact(message="🦊" * 100_000), when=WHEN)
    assert event.data.truncated == ("message",)
    assert event.data.message.endswith("…")
    assert len(event.to_json()) <= MAX_BYTES


def test_the_largest_event_fits():
    """Every string at its limit, in characters that cost most bytes on the wire."""
    for filler in ("🦊", '"', "\n", "\x00"):
        counts = {f"{filler * 50}{number}": 2**60 for number in range(2_000)}
        names = dict.fromkeys(("task_id", "object", "log_url", "error_class", "error_reason"), filler * 5_000)
        big = Fact(
            kind="task.failed", dag_id=filler * 999, run_id=filler * 999, message=filler * 9_999, counts=counts, **names
        )
        event = make_event(big, when=WHEN)
        assert len(event.to_json()) <= MAX_BYTES
        assert event.data.truncated == ("message", "counts")
        VALIDATOR.validate(json.loads(event.to_json()))


def test_counts_travel_when_they_fit():
    assert make_event(fact(counts={"copied": 5}), when=WHEN).data.counts == {"copied": 5}

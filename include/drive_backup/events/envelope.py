"""CloudEvents 1.0, structured JSON. Pure: facts in, events out.

An id is a hash of what happened, never of when it was told: the same fact told twice (Airflow calls some callbacks
twice, the reporter repeats what a callback said) is the same event to whoever de-duplicates on ``source`` and ``id``.
"""

from __future__ import annotations

import hashlib
import re
from datetime import UTC, datetime
from typing import Literal
from urllib.parse import quote

import msgspec

from include.drive_backup.model import Struct
from include.drive_backup.printing import BREAKING
from include.drive_backup.values import decode_json

Severity = Literal["info", "warning", "error", "critical"]
Kind = Literal[
    "run.started",
    "run.succeeded",
    "run.failed",
    "task.retried",
    "task.failed",
    "batch.copied",
    "snapshot.committed",
    "item.failed",
    "approval.needed",
    "verify.damaged",
]

SEVERITY: dict[Kind, Severity] = {
    "run.started": "info",
    "run.succeeded": "info",
    "run.failed": "critical",
    "task.retried": "warning",
    "task.failed": "error",
    "batch.copied": "info",
    "snapshot.committed": "info",
    "item.failed": "warning",
    "approval.needed": "warning",
    "verify.damaged": "critical",
}

TYPE_PREFIX = "dev.drivebackup.backup."
SCHEMA = "urn:drivebackup:event:1"
CONTENT_TYPE = "application/cloudevents+json; charset=utf-8"

#: Every intermediary must forward an event of this size (CloudEvents 1.0, "Size Limits"), in bytes.
MAX_BYTES = 64 * 1024
_MAX_MESSAGE = 8_000  # characters; JSON in UTF-8 needs at most four bytes for each that is allowed
_MAX_NAME = 250  # Airflow's own limit for DAG, run and task ids
_MAX_OBJECT = 1_024  # Blob's limit for names
_MAX_URL = 2_048

# What a CloudEvents attribute may not hold: control characters, lone surrogates, non-characters.
_CONTROLS, _REST = (
    "\x00-\x1f\x7f-\x9f",
    "\ud800-\udfff\ufdd0-\ufdef"
    + "".join(chr(plane * 0x10000 + last) for plane in range(17) for last in (0xFFFE, 0xFFFF)),
)
_FORBIDDEN = re.compile(f"[{_CONTROLS}{_REST}{BREAKING}]")
# A message may have lines and tabs.
_FORBIDDEN_IN_MESSAGE = re.compile(f"(?![\n\t])[{_CONTROLS}{_REST}{BREAKING}]")
_SURROGATES = re.compile("[\ud800-\udfff]")

# What makes two tellings of one kind the same fact, beside DAG, run, the run's clear number and the object.
# `task.failed` leaves the try out: a task fails for good once per clearing, and the reporter does not know the try.
_IDENTITY: dict[Kind, tuple[str, ...]] = {
    "task.failed": ("task_id", "map_index"),
    "task.retried": ("task_id", "map_index", "try_number"),
    "batch.copied": ("task_id", "map_index", "try_number"),
    # A manifest, the object, is committed once, whichever try tells of it.
    "snapshot.committed": (),
}


class Fact(Struct, frozen=True):
    """Something that happened in a run.

    :param clear_number: how often the run was cleared, so that a second failure is news.
    :param object: what it is about, when it is more than a task: a source, a blob name, a file id.
    :param severity: None takes the kind's own.
    """

    kind: Kind
    dag_id: str
    run_id: str
    clear_number: int = 0
    task_id: str | None = None
    map_index: int | None = None
    try_number: int | None = None
    object: str | None = None
    severity: Severity | None = None
    message: str = ""
    log_url: str | None = None
    error_class: str | None = None
    error_reason: str | None = None
    counts: dict[str, int] = {}


class EventData(Struct, frozen=True):
    """The payload. ``truncated`` names what was cut or left out to keep the event small."""

    dag_id: str
    run_id: str
    severity: Severity
    message: str
    clear_number: int = 0
    task_id: str | None = None
    map_index: int | None = None
    try_number: int | None = None
    object: str | None = None
    log_url: str | None = None
    error_class: str | None = None
    error_reason: str | None = None
    counts: dict[str, int] = {}
    truncated: tuple[str, ...] = ()


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """One CloudEvent; the fields are its attributes."""

    id: str
    source: str
    type: str
    subject: str
    time: str
    data: EventData
    specversion: str = "1.0"
    datacontenttype: str = "application/json"
    dataschema: str = SCHEMA

    def to_json(self) -> bytes:
        """The structured form, at most :data:`MAX_BYTES` long."""
        return msgspec.json.encode(self)

    @classmethod
    def from_json(cls, data: bytes) -> Event:
        """The inverse of :meth:`to_json`.

        :raises ValueError: when the bytes are no such event.
        """
        return decode_json(data, cls)


def make_event(fact: Fact, *, when: datetime, origin: str = "/airflow") -> Event:
    """The event for a fact.

    :param when: when it happened; does not go into the id.
    :param origin: names the Airflow deployment in ``source``, as a URI reference. Two deployments that share a hub
        need different ones, because their run ids may be equal.
    """
    return _fit(
        Event(
            id=event_id(fact),
            source=f"{origin.rstrip('/')}/{quote(clean(fact.dag_id, _MAX_NAME), safe='')}",
            type=TYPE_PREFIX + fact.kind,
            subject=clean(_subject(fact), _MAX_OBJECT),
            time=when.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z"),
            data=_data(fact),
        )
    )


def event_id(fact: Fact) -> str:
    """128 bits of SHA-256 over what identifies the fact, as hex."""
    identity = [getattr(fact, name) for name in _IDENTITY.get(fact.kind, ())]
    text = [fact.kind, fact.dag_id, fact.run_id, fact.clear_number, fact.object, *identity]
    encoded = msgspec.json.encode([_SURROGATES.sub("�", part) if isinstance(part, str) else part for part in text])
    return hashlib.sha256(encoded).hexdigest()[:32]


def clean(text: str, limit: int) -> str:
    """``text`` without what CloudEvents forbids in attributes, at most ``limit`` characters long."""
    text = _FORBIDDEN.sub("�", text)
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _subject(fact: Fact) -> str:
    if fact.object:
        return fact.object
    if fact.task_id is None:
        return fact.run_id
    mapped = fact.map_index is not None and fact.map_index >= 0
    return f"{fact.run_id}/{fact.task_id}" + (f"[{fact.map_index}]" if mapped else "")


def _data(fact: Fact) -> EventData:
    message = _FORBIDDEN_IN_MESSAGE.sub("�", fact.message)
    cut = len(message) > _MAX_MESSAGE
    return EventData(
        dag_id=clean(fact.dag_id, _MAX_NAME),
        run_id=clean(fact.run_id, _MAX_NAME),
        severity=fact.severity or SEVERITY[fact.kind],
        message=message[: _MAX_MESSAGE - 1] + "…" if cut else message,
        clear_number=fact.clear_number,
        task_id=_optional(fact.task_id, _MAX_NAME),
        map_index=fact.map_index,
        try_number=fact.try_number,
        object=_optional(fact.object, _MAX_OBJECT),
        log_url=_optional(fact.log_url, _MAX_URL),
        error_class=_optional(fact.error_class, _MAX_NAME),
        error_reason=_optional(fact.error_reason, _MAX_NAME),
        counts={clean(name, 100): count for name, count in fact.counts.items()},
        truncated=("message",) if cut else (),
    )


def _optional(text: str | None, limit: int) -> str | None:
    return None if text is None else clean(text, limit)


def _fit(event: Event) -> Event:
    # Every string above has a limit of its own, and together they stay below MAX_BYTES; only `counts` can grow.
    if len(event.to_json()) <= MAX_BYTES:
        return event
    data = msgspec.structs.replace(event.data, counts={}, truncated=(*event.data.truncated, "counts"))
    return msgspec.structs.replace(event, data=data)

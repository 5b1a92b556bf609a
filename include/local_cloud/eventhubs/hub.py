"""Hubs, partitions, consumer groups: what lasts, and who reads."""

from __future__ import annotations

import fcntl
import json
import os
import time
import zlib
from collections.abc import Callable, Sequence
from itertools import count
from pathlib import Path
from typing import Any, Protocol

from include.local_cloud.eventhubs.frames import AmqpError
from include.local_cloud.eventhubs.log import PartitionLog

#: "Five non-epoch readers per partition and group" (Event Hubs quotas).
MAX_READERS = 5


class StateError(Exception):
    """The state folder cannot be used; a sentence says why and what to do."""


class Reader(Protocol):
    """A link that reads a partition. ``epoch`` is None for a reader that shares it."""

    epoch: int | None

    def wake(self) -> None:
        """There may be something new."""

    def steal(self, epoch: int) -> None:
        """Another reader with this epoch took over."""


class Partition:
    """One partition: its log, and who waits for its events."""

    def __init__(self, ident: str, path: Path) -> None:
        self.id = ident
        self.log = PartitionLog(path)
        self._readers: dict[str, list[Reader]] = {}

    def append(self, events: Sequence[bytes]) -> None:
        """Keep a batch and wake the readers.

        :raises OSError: when the disk refuses it.
        """
        self.log.append(events, time.time_ns() // 1_000_000)
        for readers in self._readers.values():
            for reader in readers:
                reader.wake()

    def join(self, group: str, reader: Reader) -> None:
        """Admit a reader. One with an epoch reads alone: it ends those of lower, equal or no epoch.

        :raises AmqpError: ``amqp:link:stolen`` when a higher epoch reads, ``amqp:resource-limit-exceeded`` when
            five read already.
        """
        readers = self._readers.setdefault(group, [])
        highest = max((other.epoch for other in readers if other.epoch is not None), default=None)
        if highest is not None and (reader.epoch is None or reader.epoch < highest):
            raise AmqpError(
                "amqp:link:stolen",
                f"At least one receiver for the endpoint is created with epoch of '{highest}', "
                "and so a receiver with a lower or no epoch is not allowed.",
            )
        if reader.epoch is not None:
            while readers:
                readers.pop().steal(reader.epoch)
        elif len(readers) >= MAX_READERS:
            raise AmqpError(
                "amqp:resource-limit-exceeded",
                f"Exceeded the maximum number of allowed receivers per partition in a consumer group, {MAX_READERS}.",
            )
        readers.append(reader)

    def leave(self, group: str, reader: Reader) -> None:
        """Forget a reader."""
        readers = self._readers.get(group, [])
        if reader in readers:
            readers.remove(reader)


class Hub:
    """One event hub.

    :param folder: holds ``hub.json`` and a log per partition.
    :param groups: consumer groups besides ``$Default``.
    :raises StateError: when the folder holds a hub with another number of partitions.
    """

    def __init__(self, name: str, folder: Path, partitions: int, groups: Sequence[str] = ()) -> None:
        self.name = name
        self.groups = {"$default", *(group.lower() for group in groups)}
        folder.mkdir(parents=True, exist_ok=True)
        self.created_at = _settle(folder / "hub.json", name, partitions)
        self.partitions = {str(i): Partition(str(i), folder / f"{i}.log") for i in range(partitions)}
        self._turn = count()

    def route(self, partition: str | None, key: str | None) -> Partition:
        """Where a batch goes: the partition asked for, the key's own, or the next in turn."""
        if partition is not None:
            return self.partition(partition)
        number = next(self._turn) if key is None else zlib.crc32(key.encode())
        return self.partitions[str(number % len(self.partitions))]

    def partition(self, ident: str) -> Partition:
        """One partition.

        :raises AmqpError: as the service words it.
        """
        if ident not in self.partitions:
            raise AmqpError(
                "com.microsoft:argument-out-of-range",
                f"The specified partition is invalid for an EventHub partition sender or receiver. It should be "
                f"between 0 and {len(self.partitions) - 1}.",
            )
        return self.partitions[ident]

    def check_group(self, group: str) -> None:
        """:raises AmqpError: when there is no such consumer group."""
        if group.lower() not in self.groups:
            raise not_found(f"{self.name}/ConsumerGroups/{group}")

    def each_log(self, action: Callable[[PartitionLog], None]) -> None:
        """Do something with every log."""
        for partition in self.partitions.values():
            action(partition.log)


def _settle(record: Path, name: str, partitions: int) -> int:
    """When the hub was created, in milliseconds; it keeps its number of partitions for life."""
    if record.exists():
        known: dict[str, Any] = json.loads(record.read_text())
        if known["partitions"] != partitions:
            raise StateError(
                f"The event hub {name} in {record.parent} has {known['partitions']} partitions, not {partitions}. "
                "Ask for that number, or use another state folder."
            )
        return int(known["created_at"])
    created = time.time_ns() // 1_000_000
    temporary = record.with_suffix(".tmp")
    temporary.write_text(json.dumps({"name": name, "partitions": partitions, "created_at": created}))
    temporary.replace(record)
    return created


def not_found(entity: str) -> AmqpError:
    """The service's words for an unknown hub or group."""
    return AmqpError("amqp:not-found", f"The messaging entity '{entity}' could not be found.")


def lock(state: Path) -> int:
    """Take the state folder for this process, until it ends. The descriptor that holds it.

    :raises StateError: when another server has it.
    """
    state.mkdir(parents=True, exist_ok=True)
    handle = os.open(state / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(handle)
        raise StateError(
            f"Another Event Hubs server uses the state folder {state}. Stop it, or name another folder with --state."
        ) from error
    return handle

"""Events that wait, in the order in which they happened."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence

from include.drive_backup.errors import ContainerMissingError
from include.drive_backup.events.envelope import MAX_BYTES, Event
from include.drive_backup.events.sink import EventSink, OutboxStore

PREFIX = "outbox/"
_JSON = "application/json"
_ODD = "%s is no event of ours and stays unsent: look at it, then delete it. %s"

log = logging.getLogger(__name__)


def name_of(event: Event, index: int = 0) -> str:
    """``outbox/<time>-<index>-<id>.json``: sorts by time, then by the place in the call that emitted it."""
    time = event.time.replace("-", "").replace(":", "")
    return f"{PREFIX}{time}-{index:06d}-{event.id}.json"


class Outbox:
    """A queue under ``outbox/``. Several writers and drainers at once are harmless: an event may then be sent twice,
    with one id.

    :param store: where it is; its errors come through.
    :param chunk: how many events go to the sink in one call.
    """

    def __init__(self, store: OutboxStore, *, chunk: int = 100) -> None:
        self._store = store
        self._chunk = chunk

    async def is_empty(self) -> bool:
        """Whether nothing waits."""
        try:
            async for _ in self._store.list(PREFIX):
                return False
        except ContainerMissingError:
            # The first run makes it, after it has said that it begins.
            return True
        return True

    async def keep(self, events: Sequence[Event]) -> bool:
        """Queue behind what waits already.

        :return: true, once all are stored.
        """
        named = [(name_of(event, index), event.to_json()) for index, event in enumerate(events)]
        for start in range(0, len(named), self._chunk):
            part = named[start : start + self._chunk]
            await asyncio.gather(*(self._store.put(name, data, content_type=_JSON) for name, data in part))
        return True

    async def drain(self, sink: EventSink) -> int:
        """Send everything, oldest first. What the sink has not acknowledged stays.

        :return: how many were sent.
        :raises DriveBackupError: the sink's or the store's, at the first chunk that fails.
        """
        sent = 0
        async for names in self._chunks():
            found = [event for event in await asyncio.gather(*map(self._event, names)) if event is not None]
            await sink.send([event for _, event in found])
            await self._store.delete([name for name, _ in found])
            sent += len(found)
        return sent

    async def move_to(self, other: OutboxStore) -> bool:
        """Hand everything over to another store, under the same names. What cannot have its name there stays.

        :return: true, once that is done.
        """
        async for names in self._chunks():
            for name in names:
                data = await self._store.read(name)
                try:
                    if data is not None:
                        await other.put(name, data, content_type=_JSON)
                        await self._store.delete([name])
                except ValueError as error:
                    log.warning(_ODD, name, error)
        return True

    async def _chunks(self) -> AsyncIterator[list[str]]:
        chunk: list[str] = []
        async for blob in self._store.list(PREFIX):
            chunk.append(blob.name)
            if len(chunk) == self._chunk:
                yield chunk
                chunk = []
        if chunk:
            yield chunk

    async def _event(self, name: str) -> tuple[str, Event] | None:
        data = await self._store.read(name)
        if data is None:
            return None  # another drainer was faster
        if len(data) > MAX_BYTES:
            log.warning(_ODD, name, f"It has more than {MAX_BYTES} bytes.")
            return None
        try:
            return name, Event.from_json(data)
        except ValueError as error:
            log.warning(_ODD, name, error)
            return None

"""Events to Azure Event Hubs, within a time limit that holds whatever the hub does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from itertools import groupby
from typing import TYPE_CHECKING, Any

from include.drive_backup.errors import CredentialsError, DriveBackupError, ServiceUnavailableError
from include.drive_backup.events.envelope import CONTENT_TYPE, Event

if TYPE_CHECKING:
    from azure.eventhub import EventData, EventDataBatch
    from azure.eventhub.aio import EventHubProducerClient

#: Seconds for connecting, sending and closing together. The SDK's own limits add up to 24 s.
SEND_LIMIT = 3.0

#: Options for the producer: one quick second attempt, as everything must fit into SEND_LIMIT.
PRODUCER_OPTIONS: dict[str, Any] = {"retry_total": 1, "retry_backoff_factor": 0.2, "auth_timeout": SEND_LIMIT}

Connect = Callable[[], "AbstractAsyncContextManager[EventHubProducerClient]"]

_MAX_PARTITION_KEY = 128


class EventHubSink:
    """Implements :class:`~include.drive_backup.events.sink.EventSink`.

    One connection per call: events are rare, and the service drops idle links.

    :param connect: opens a producer (the SDK's client is such a context manager); called once per :meth:`send`, may
        raise ``ConfigError``.
    :param limit: seconds for one call in all.
    """

    def __init__(self, connect: Connect, *, limit: float = SEND_LIMIT) -> None:
        self._connect = connect
        self._limit = limit

    async def send(self, events: Sequence[Event]) -> None:
        """Deliver all; the partition key is the run id, which keeps the order within a run.

        :raises CredentialsError: the hub refuses the credential.
        :raises ServiceUnavailableError: the hub did not acknowledge everything in time.
        """
        if not events:
            return
        # `wait`, not `wait_for`: it returns on time even if the SDK is slow to let itself be cancelled.
        work = asyncio.ensure_future(self._deliver(events))
        try:
            await asyncio.wait({work}, timeout=self._limit)
        finally:
            finished = work.done()
            work.cancel()
        if not finished:
            work.add_done_callback(_forget)
            raise _unavailable(f"did not acknowledge {len(events)} event(s) within {self._limit:g} s")
        work.result()

    async def _deliver(self, events: Sequence[Event]) -> None:
        try:
            async with self._connect() as producer:
                async for batch in _batches(producer, events):
                    await producer.send_batch(batch)
        except DriveBackupError:
            raise
        except Exception as error:
            raise _translate(error) from error


async def _batches(producer: EventHubProducerClient, events: Sequence[Event]) -> AsyncIterator[EventDataBatch]:
    for run_id, group in groupby(events, key=lambda event: event.data.run_id):
        key = run_id[:_MAX_PARTITION_KEY]
        batch = await producer.create_batch(partition_key=key)
        for message in map(_message, group):
            try:
                batch.add(message)
            except ValueError:  # the batch is full; an event of 64 KiB fits into an empty one in every tier
                yield batch
                batch = await producer.create_batch(partition_key=key)
                batch.add(message)
        yield batch


def _message(event: Event) -> EventData:
    from azure.eventhub import EventData  # noqa: PLC0415 - 0.3 s of import, needed by few processes

    message = EventData(event.to_json())
    message.content_type = CONTENT_TYPE
    message.message_id = event.id
    return message


def _translate(error: Exception) -> DriveBackupError:
    from azure.core.exceptions import ClientAuthenticationError  # noqa: PLC0415 - as above
    from azure.eventhub.exceptions import AuthenticationError  # noqa: PLC0415 - as above

    if isinstance(error, (AuthenticationError, ClientAuthenticationError)):
        return CredentialsError(
            "Event Hubs refuses the credential. Check the connection's key, or give the identity the role "
            f"'Azure Event Hubs Data Sender' on the namespace. The answer was: {_first_line(error)}."
        )
    return _unavailable(f"could not be reached or refused the events: {_first_line(error)}")


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")


def _unavailable(what: str) -> ServiceUnavailableError:
    return ServiceUnavailableError(
        f"Event Hubs {what}. Check the namespace, the hub's name and the network; the events wait in the outbox.",
        service="eventhubs",
    )


def _forget(work: asyncio.Future[None]) -> None:
    # Fetch the exception of an abandoned send, or asyncio complains that nobody did.
    if not work.cancelled():
        work.exception()

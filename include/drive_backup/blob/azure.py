"""The Blob container behind ``ports.BlobStore``, over Microsoft's SDK, and past it where it costs most.

The SDK's own retries are switched off for every call, because a retry that it hides cannot be told from a conflict:
when the answer to a successful create gets lost, the second try meets the blob of the first. Here the second try
knows that it is one, looks at what is there, and says "created" when it is ours.
"""

from __future__ import annotations

import asyncio
import copy
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import datetime
from email.utils import parsedate_to_datetime
from functools import partial
from typing import Self

from azure.core.exceptions import AzureError, HttpResponseError
from azure.storage.blob import BlobBlock, ContentSettings, StandardBlobTier
from azure.storage.blob.aio import ContainerClient

from include.drive_backup.blob import rules
from include.drive_backup.blob.calls import Calls, CallSettings
from include.drive_backup.blob.conditions import CREATE, Condition, still
from include.drive_backup.blob.errors import error_code, is_missing, is_taken, why_kept, why_not_moved
from include.drive_backup.blob.gate import Watch
from include.drive_backup.blob.leases import Leases
from include.drive_backup.blob.pages import page_query, read_page
from include.drive_backup.blob.properties import info_of, is_same
from include.drive_backup.blob.reading import first_range, pieces
from include.drive_backup.blob.sending import Body, Sender
from include.drive_backup.errors import ContainerMissingError, CorruptStoreError
from include.drive_backup.hashing import md5_of
from include.drive_backup.model import Priority, Refused, Tier
from include.drive_backup.ports import BlobInfo, Clock, Guard

_PAGE = 5000
#: Requests at once, when many blobs are deleted or moved.
_AT_ONCE = 32

#: The letters that a SAS has to have for a backup, and for whoever looks into it and restores from it.
_BACKUP, _READER = "rcwdl", "rl"


class AzureBlobStore:
    """Implements :class:`include.drive_backup.ports.BlobStore`. An async context manager; the caller closes the client.

    :param container: the SDK's asynchronous client of the container.
    :param settings: time-outs, and how often and after how many seconds a call is tried again.
    """

    #: Under which condition a blob is written. A backup only ever creates.
    _only_if: Condition = CREATE

    def __init__(self, container: ContainerClient, clock: Clock, settings: CallSettings | None = None) -> None:
        settings = settings or CallSettings()
        self._container = container
        self._calls = Calls(container, clock, settings)
        self._sender = Sender(container, clock, settings.line, settings.connection_timeout)
        self._leases = Leases(self._calls, self._sender)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._sender.close()

    @property
    def account(self) -> str:
        """The storage account's name."""
        return str(self._container.account_name)

    @property
    def container(self) -> str:
        """The container's name."""
        return str(self._container.container_name)

    @property
    def strain(self) -> int:
        """See :attr:`include.drive_backup.ports.BlobStore.strain`."""
        return self._calls.strain

    @property
    def url(self) -> str:
        """The container's URL, without a SAS."""
        return self._calls.url

    @property
    def writes(self) -> int:
        """Requests sent that write. See the port."""
        return self._calls.writes

    async def ensure_container(self, *, create: bool) -> None:
        """Check that the container can be listed, or make it. See the port.

        A listing is the test, because a SAS of the container may list but never read the container's properties.
        """

        async def look() -> None:
            pages = self._container.list_blobs(results_per_page=1, **self._calls.options()).by_page()
            await anext(pages)

        try:
            await self._calls.run("list blobs", look, needs=_BACKUP if create else _READER)
        except ContainerMissingError:
            if not create:
                raise
            await self._calls.run("create the container", self._create_container)

    async def _create_container(self) -> None:
        try:
            await self._container.create_container(**self._calls.options())
        except HttpResponseError as error:
            if error_code(error) != "ContainerAlreadyExists":
                raise

    async def put(
        self,
        name: str,
        data: bytes | bytearray,
        *,
        content_type: str = "application/octet-stream",
        metadata: dict[str, str] | None = None,
        md5: bytes | None = None,
        tier: Tier | None = None,
        guard: Guard | None = None,
    ) -> bool:
        """Create a blob in one request. See the port."""
        rules.check_put(name, len(data))
        md5 = md5 or await md5_of(data)
        mime_type, encoded = rules.content_type(content_type), rules.encode_metadata(metadata or {})
        watch = Watch(guard)
        body = Body(data, md5, self._calls.timeout(len(data)), watch)

        async def send() -> None:
            self._calls.writes += 1
            await self._sender.put_blob(name, body, mime_type, encoded, tier, only_if=self._only_if.headers)

        ours = BlobInfo(name=name, size=len(data), md5=md5.hex(), metadata=metadata or {})
        return await self._create(send, ours, watch)

    async def stage_block(self, name: str, index: int, data: bytes | bytearray, *, upload_key: str) -> None:
        """Stage one block; its MD5 is checked in transit. See the port."""
        rules.check_block(name, len(data))
        ident = rules.block_id(upload_key, index)
        body = Body(data, await md5_of(data), self._calls.timeout(len(data)))

        async def send() -> None:
            self._calls.writes += 1
            await self._sender.put_block(name, ident, body)

        await self._calls.run(f"stage block {index} of '{name}'", send)

    async def commit_blocks(
        self,
        name: str,
        count: int,
        *,
        upload_key: str,
        md5: bytes,
        content_type: str = "application/octet-stream",
        metadata: dict[str, str] | None = None,
        tier: Tier | None = None,
    ) -> bool:
        """Make the blob of its blocks. See the port.

        :raises BrokenBodyError: reason ``InvalidBlockList`` when staged blocks are gone; stage them again.
        """
        rules.check_name(name)
        blocks = [BlobBlock(rules.block_id(upload_key, index)) for index in range(count)]
        if not blocks:
            raise ValueError("A blob of no blocks is an empty blob; put it.")
        client = self._calls.blob(name)

        async def send() -> None:
            self._calls.writes += 1
            await client.commit_block_list(
                blocks,
                **self._only_if.options,
                # The service stores this value unchecked, and without it stores none.
                content_settings=ContentSettings(
                    content_type=rules.content_type(content_type), content_md5=bytearray(md5)
                ),
                metadata=rules.encode_metadata(metadata or {}),
                standard_blob_tier=StandardBlobTier(tier.title()) if tier else None,
                **self._calls.options(),
            )

        return await self._create(send, BlobInfo(name=name, size=-1, md5=md5.hex(), metadata=metadata or {}))

    async def _create(self, send: Callable[[], Awaitable[None]], ours: BlobInfo, watch: Watch | None = None) -> bool:
        """Run a create-only write; false when the name was in use before our first attempt.

        :param ours: what the blob is if it is ours; a size of -1 is not known.
        """
        attempts = 0

        async def attempt() -> bool:
            nonlocal attempts
            attempts += 1
            try:
                await send()
            except AzureError as error:
                if is_taken(error):
                    return False
                raise
            return True

        if await self._calls.run(f"write '{ours.name}'", attempt, watch):
            return True
        return attempts > 1 and is_same(await self.head(ours.name), ours)

    async def head(self, name: str) -> BlobInfo | None:
        """Properties and metadata. See the port."""
        rules.check_name(name)
        client = self._calls.blob(name)

        async def look() -> BlobInfo | None:
            try:
                return info_of(await client.get_blob_properties(**self._calls.options()), name)
            except AzureError as error:
                if is_missing(error):
                    return None
                raise

        return await self._calls.run(f"look at '{name}'", look, needs="r")

    async def read(self, name: str) -> bytes | None:
        """The whole of a small blob. See the port.

        :raises CorruptStoreError: the bytes are not those of the blob's Content-MD5.
        """
        first = await first_range(self._calls, name)
        if first is None:
            return None
        return b"".join([piece async for piece in pieces(self._calls, name, first)])

    async def stream(self, name: str) -> AsyncIterator[bytes]:
        """The bytes in pieces of at most 4 MiB, each checked in transit. See the port.

        :raises CorruptStoreError: the blob is missing, or at the end: its bytes are not those of its Content-MD5.
        """
        first = await first_range(self._calls, name)
        if first is None:
            raise CorruptStoreError(f"The blob '{name}' is not there.", reason="blobMissing")
        async for piece in pieces(self._calls, name, first):
            yield piece

    async def list(self, prefix: str, *, metadata: bool = False) -> AsyncIterator[BlobInfo]:
        """Blobs under a prefix, 5,000 a call; the next page is on its way while one is looked at. See the port."""

        async def page(marker: str) -> tuple[list[BlobInfo], str]:
            query = page_query(prefix, marker, metadata=metadata)
            return read_page(await self._sender.list_blobs(query, self._calls.timeout()))

        def ask(marker: str) -> asyncio.Task[tuple[list[BlobInfo], str]]:
            return asyncio.create_task(self._calls.run(f"list '{prefix}'", partial(page, marker), needs="l"))

        coming = ask("")
        try:
            while True:
                found, marker = await coming
                if marker:
                    coming = ask(marker)
                    await asyncio.sleep(0)  # so that it is sent
                # Each is let go before the next: a page takes 20 MB, and the next one comes beside it.
                found.reverse()
                while found:
                    yield found.pop()
                if not marker:
                    return
        finally:
            coming.cancel()
            await asyncio.gather(coming, return_exceptions=True)

    async def delete(self, names: Sequence[str], *, guard: Guard | None = None) -> dict[str, Refused]:
        """Delete blobs, some at once. See the port."""
        watch = Watch(guard)
        return await _each(names, lambda name: self._delete(name, watch))

    async def lease(self, name: str, *, seconds: int | None = None, epoch: int = 0) -> bool:
        """Keep a blob from being deleted. See the port."""
        return await self._leases.take(name, seconds, epoch)

    async def end_lease(self, name: str, *, epoch: int = 0) -> None:
        """End the lease without an end. See the port."""
        await self._leases.end(name, epoch)

    async def set_tier(
        self, names: Sequence[str], tier: Tier, *, priority: Priority | None = None
    ) -> dict[str, Refused]:
        """Set the tier of blobs, some at once. See the port."""
        return await _each(names, lambda name: self._set_tier(name, tier, priority))

    async def _set_tier(self, name: str, tier: Tier, priority: Priority | None) -> Refused | None:
        async def move() -> Refused | None:
            self._calls.writes += 1
            try:
                await self._sender.set_tier(name, tier, priority, self._calls.timeout())
            except AzureError as error:
                refused = why_not_moved(error)
                if refused is None and not is_missing(error):
                    raise
                return refused
            return None

        return await self._calls.run(f"move '{name}' to the {tier} tier", move, needs="w")

    async def _delete(self, name: str, watch: Watch) -> Refused | None:
        async def remove() -> Refused | None:
            try:
                await self._sender.delete_blob(name, self._calls.timeout(), watch)
            except AzureError as error:
                refused = why_kept(error)
                if refused is None and not is_missing(error):
                    raise
                return refused
            return None

        return await self._calls.run(f"delete '{name}'", remove, watch, needs="d")

    def _over(self, found: BlobInfo) -> Self:
        """The same container, where a write takes the place of a blob; a backup's own store never offers it."""
        store = copy.copy(self)
        store._only_if = still(found.etag or "")  # noqa: SLF001 - of our own class
        return store

    async def now(self) -> datetime:
        """The ``Date`` of an answer. See the port."""
        dates: list[str] = []

        async def look() -> datetime:
            options = self._calls.options() | {
                "raw_response_hook": lambda answer: dates.append(answer.http_response.headers["Date"])
            }
            await anext(self._container.list_blobs(results_per_page=1, **options).by_page())
            return parsedate_to_datetime(dates[-1])

        return await self._calls.run("ask for the time", look, needs="l")


async def _each(names: Sequence[str], do: Callable[[str], Awaitable[Refused | None]]) -> dict[str, Refused]:
    """Do the same with many blobs, some at once.

    :return: what the service refused.
    """
    for name in names:
        rules.check_name(name)
    refusals: dict[str, Refused] = {}
    waiting = iter(names)

    async def worker() -> None:
        for name in waiting:
            refused = await do(name)
            if refused is not None:
                refusals[name] = refused

    ended = await asyncio.gather(*(worker() for _ in range(min(_AT_ONCE, len(names)))), return_exceptions=True)
    for error in ended:
        if error is not None:
            raise error
    return refusals

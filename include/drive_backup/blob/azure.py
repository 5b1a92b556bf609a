"""The Blob container behind ``ports.BlobStore``, over Microsoft's SDK.

The SDK's own retries are switched off for every call, because a retry that it hides cannot be told from a conflict:
when the answer to a successful create gets lost, the second try meets the blob of the first. Here the second try
knows that it is one, looks at what is there, and says "created" when it is ours.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any, TypeVar

from azure.core import MatchConditions
from azure.core.exceptions import AzureError, HttpResponseError
from azure.storage.blob import BlobBlock, BlobProperties, ContentSettings
from azure.storage.blob.aio import BlobClient, ContainerClient

from include.drive_backup.blob import rules
from include.drive_backup.blob.errors import error_code, is_missing, is_taken, translate
from include.drive_backup.errors import ContainerMissingError, CorruptStoreError, ServiceUnavailableError
from include.drive_backup.pacing import Backoff, retry
from include.drive_backup.ports import BlobInfo, Clock

T = TypeVar("T")

#: Bytes of one GET; the service gives a checksum of the range up to this size.
RANGE = 4 * 1024**2
#: Bytes a second that a slow line is granted before a write counts as hanging.
_SLOWEST = 128 * 1024
_PAGE = 5000
_DEFAULT_BACKOFF = Backoff(attempts=6, first=1.0, cap=30.0)


class AzureBlobStore:
    """Implements :class:`include.drive_backup.ports.BlobStore`. The caller closes the client.

    :param container: the SDK's asynchronous client of the container.
    :param backoff: how often and after how many seconds a call is tried again.
    :param connection_timeout: seconds to connect.
    :param read_timeout: seconds without a byte from the service; writes are granted more by their size.
    """

    def __init__(
        self,
        container: ContainerClient,
        clock: Clock,
        *,
        backoff: Backoff = _DEFAULT_BACKOFF,
        connection_timeout: float = 20.0,
        read_timeout: float = 60.0,
    ) -> None:
        self._container = container
        self._clock = clock
        self._backoff = backoff
        self._connection_timeout = connection_timeout
        self._read_timeout = read_timeout

    @property
    def account(self) -> str:
        """The storage account's name."""
        return str(self._container.account_name)

    @property
    def container(self) -> str:
        """The container's name."""
        return str(self._container.container_name)

    @property
    def url(self) -> str:
        """The container's URL, without a SAS."""
        return str(self._container.url).partition("?")[0]

    async def ensure_container(self, *, create: bool) -> None:
        """Check that the container can be listed, or make it. See the port.

        A listing is the test, because a SAS of the container may list but never read the container's properties.
        """

        async def look() -> None:
            pages = self._container.list_blobs(results_per_page=1, **self._options()).by_page()
            await anext(pages)

        try:
            await self._run("list blobs", look)
        except ContainerMissingError:
            if not create:
                raise
            await self._run("create the container", self._create_container)

    async def _create_container(self) -> None:
        try:
            await self._container.create_container(**self._options())
        except HttpResponseError as error:
            if error_code(error) != "ContainerAlreadyExists":
                raise

    async def put(
        self,
        name: str,
        data: bytes,
        *,
        content_type: str = "application/octet-stream",
        metadata: dict[str, str] | None = None,
    ) -> bool:
        """Create a blob in one request. See the port."""
        rules.check_put(name, len(data))
        md5 = hashlib.md5(data, usedforsecurity=False).digest()
        client = self._blob(name)

        async def send() -> None:
            answer = await client.upload_blob(
                data,
                length=len(data),
                overwrite=False,
                validate_content="md5",
                content_settings=ContentSettings(content_type=rules.content_type(content_type)),
                metadata=rules.encode_metadata(metadata or {}),
                **self._options(len(data)),
            )
            _check_stored(name, answer.get("content_md5"), md5)

        return await self._create(send, BlobInfo(name=name, size=len(data), md5=md5.hex(), metadata=metadata or {}))

    async def stage_block(self, name: str, index: int, data: bytes, *, upload_key: str) -> None:
        """Stage one block; its MD5 is checked in transit. See the port."""
        rules.check_block(name, len(data))
        client, ident = self._blob(name), rules.block_id(upload_key, index)

        async def send() -> None:
            options = self._options(len(data))
            await client.stage_block(ident, data, length=len(data), validate_content="md5", **options)

        await self._run(f"stage block {index} of '{name}'", send)

    async def commit_blocks(
        self,
        name: str,
        count: int,
        *,
        upload_key: str,
        md5: bytes,
        content_type: str = "application/octet-stream",
        metadata: dict[str, str] | None = None,
    ) -> bool:
        """Make the blob of its blocks. See the port.

        :raises BrokenBodyError: reason ``InvalidBlockList`` when staged blocks are gone; stage them again.
        """
        rules.check_name(name)
        blocks = [BlobBlock(rules.block_id(upload_key, index)) for index in range(count)]
        if not blocks:
            raise ValueError("A blob of no blocks is an empty blob; put it.")
        client = self._blob(name)

        async def send() -> None:
            await client.commit_block_list(
                blocks,
                match_condition=MatchConditions.IfMissing,
                # The service stores this value unchecked, and without it stores none.
                content_settings=ContentSettings(
                    content_type=rules.content_type(content_type), content_md5=bytearray(md5)
                ),
                metadata=rules.encode_metadata(metadata or {}),
                **self._options(),
            )

        return await self._create(send, BlobInfo(name=name, size=-1, md5=md5.hex(), metadata=metadata or {}))

    async def _create(self, send: Callable[[], Awaitable[None]], ours: BlobInfo) -> bool:
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

        if await self._run(f"write '{ours.name}'", attempt):
            return True
        return attempts > 1 and _same(await self.head(ours.name), ours)

    async def head(self, name: str) -> BlobInfo | None:
        """Properties and metadata. See the port."""
        rules.check_name(name)
        client = self._blob(name)

        async def look() -> BlobInfo | None:
            try:
                return _info(await client.get_blob_properties(**self._options()), name)
            except AzureError as error:
                if is_missing(error):
                    return None
                raise

        return await self._run(f"look at '{name}'", look)

    async def read(self, name: str) -> bytes | None:
        """The whole of a small blob. See the port.

        :raises CorruptStoreError: the bytes are not those of the blob's Content-MD5.
        """
        first = await self._range(name, 0, None)
        if first is None:
            return None
        return b"".join([piece async for piece in self._pieces(name, first)])

    async def stream(self, name: str) -> AsyncIterator[bytes]:
        """The bytes in pieces of at most 4 MiB, each checked in transit. See the port.

        :raises CorruptStoreError: the blob is missing, or at the end: its bytes are not those of its Content-MD5.
        """
        first = await self._range(name, 0, None)
        if first is None:
            raise CorruptStoreError(f"The blob '{name}' is not there.", reason="blobMissing")
        async for piece in self._pieces(name, first):
            yield piece

    async def _pieces(self, name: str, first: tuple[bytes, BlobProperties]) -> AsyncIterator[bytes]:
        piece, properties = first
        size, offset = int(str(properties.content_range).rpartition("/")[2]), 0
        digest = hashlib.md5(usedforsecurity=False)
        while piece:
            digest.update(piece)
            offset += len(piece)
            yield piece
            more = await self._range(name, offset, properties.etag) if offset < size else None
            piece = more[0] if more else b""
        stored = properties.content_settings.content_md5
        if offset != size or (stored and digest.digest() != bytes(stored)):
            raise CorruptStoreError(f"The blob '{name}' does not have the length or the bytes of its Content-MD5.")

    async def _range(self, name: str, offset: int, etag: str | None) -> tuple[bytes, BlobProperties] | None:
        """At most :data:`RANGE` bytes from ``offset``; None when there is no such blob."""
        rules.check_name(name)
        client = self._blob(name)
        same = {"etag": etag, "match_condition": MatchConditions.IfNotModified} if etag else {}
        # Without a range the SDK asks for the first part, and copes with an empty blob, which has no range.
        span = {"offset": offset, "length": RANGE} if offset else {}
        options: dict[str, Any] = {"validate_content": "md5", **span, **same, **self._options()}

        async def get() -> tuple[bytes, BlobProperties] | None:
            try:
                answer = await client.download_blob(**options)
                return await answer.read(RANGE), answer.properties
            except AzureError as error:
                if is_missing(error):
                    return None
                raise

        return await self._run(f"read '{name}'", get)

    async def list(self, prefix: str, *, metadata: bool = False) -> AsyncIterator[BlobInfo]:
        """Blobs under a prefix, 5,000 a call. See the port."""
        token: str | None = None
        include = ["metadata"] if metadata else None

        async def page() -> tuple[list[BlobInfo], str | None]:
            pages: Any = self._container.list_blobs(
                name_starts_with=prefix or None, include=include, results_per_page=_PAGE, **self._options()
            ).by_page(token)
            found = [_info(blob, blob.name) async for blob in await anext(pages)]
            return found, pages.continuation_token

        while True:
            found, token = await self._run(f"list '{prefix}'", page)
            for info in found:
                yield info
            if not token:
                return

    async def delete(self, names: Sequence[str]) -> None:
        """Delete blobs one by one. See the port."""
        for name in names:
            rules.check_name(name)
            client = self._blob(name)

            async def remove(client: BlobClient = client) -> None:
                try:
                    await client.delete_blob(**self._options())
                except AzureError as error:
                    if not is_missing(error):
                        raise

            await self._run(f"delete '{name}'", remove)

    def _blob(self, name: str) -> BlobClient:
        return self._container.get_blob_client(name)

    def _options(self, size: int = 0) -> dict[str, Any]:
        return {
            "retry_total": 0,
            "connection_timeout": self._connection_timeout,
            "read_timeout": self._read_timeout + size / _SLOWEST,
        }

    async def _run(self, doing: str, call: Callable[[], Awaitable[T]]) -> T:
        async def attempt() -> T:
            try:
                return await call()
            except AzureError as error:
                raise translate(error, doing=doing, container=self.url) from error
            except TimeoutError as error:
                message = f"Could not {doing} in {self.url}: no answer in time."
                raise ServiceUnavailableError(message, service="blob", reason="timeout") from error

        return await retry(attempt, backoff=self._backoff, clock=self._clock)


def _info(properties: BlobProperties, name: str) -> BlobInfo:
    settings = properties.content_settings
    return BlobInfo(
        name=name,
        size=properties.size,
        md5=bytes(settings.content_md5).hex() if settings.content_md5 else None,
        content_type=settings.content_type,
        metadata=rules.decode_metadata(properties.metadata),
        modified=properties.last_modified,
    )


def _same(found: BlobInfo | None, ours: BlobInfo) -> bool:
    if found is None or found.md5 != ours.md5 or found.metadata != ours.metadata:
        return False
    return ours.size in (-1, found.size)


def _check_stored(name: str, stored: object, md5: bytes) -> None:
    if isinstance(stored, (bytes, bytearray)) and bytes(stored) != md5:
        raise CorruptStoreError(f"Blob Storage took other bytes for '{name}' than were sent. Check proxies on the way.")

"""One content version from Drive to Blob. Its bytes are checked before the blob exists.

What Drive says of a file (size, MD5, SHA-256) must match what was read. When it does not, either the file changed
meanwhile (then its new head is copied, under its own name) or the body was damaged (then it is read again). An export
has no checksum: what its format tells was checked as it came (``drive/bodies.py``), and it counts when the document's
modified time is the same before and after. ``version`` would not do: it also grows when somebody opens or shares the
document.
"""

from __future__ import annotations

import random
import re
import secrets
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import TypeVar

from msgspec.structs import replace

from include.drive_backup.blob.metadata import content_metadata, stored_file
from include.drive_backup.blob.names import content_identity
from include.drive_backup.errors import (
    BrokenBodyError,
    CorruptStoreError,
    DriveBackupError,
    ItemChangedError,
    ItemUnavailableError,
)
from include.drive_backup.model import Checked, CopyOrder, CopyResult, Item, Revision, StoredContent, Tier, human_bytes
from include.drive_backup.pacing import Backoff, retry
from include.drive_backup.ports import BlobStore, Clock, Drive
from include.drive_backup.transfer.budget import MemoryBudget
from include.drive_backup.transfer.job import Job
from include.drive_backup.transfer.past import (
    NO_REVISION,
    as_revision,
    believed,
    check_can_be_read,
    from_revision,
    head_instead,
    is_head,
    order_then,
    revision_at,
    stored_revision,
)
from include.drive_backup.transfer.ranges import read_in_ranges
from include.drive_backup.transfer.upload import Upload, memory_of

T = TypeVar("T")

#: How often the bytes of one file are read before it is left for the task's next try.
READS = Backoff(attempts=4, first=1.0, cap=30.0)

_CONTENT_TYPE = re.compile(r"[\w.+-]+/[\x21-\x7e]+", re.ASCII)


class ContentCopier:
    """Copies content versions of one source.

    :param memory: for the contents of all files in flight.
    :param instant: T of the snapshot; content that was modified later is ``head-later``.
    :param tier: of the blobs that are written; None: the account's default.
    :param reads: how often a body is read, and the waits between.
    :param chance: random numbers in [0, 1) for the jitter of waits.
    """

    def __init__(
        self,
        drive: Drive,
        store: BlobStore,
        *,
        clock: Clock,
        instant: datetime,
        memory: MemoryBudget,
        tier: Tier | None = None,
        reads: Backoff = READS,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._drive = drive
        self._store = store
        self._clock = clock
        self._instant = instant
        self._memory = memory
        self._tier = tier
        self._reads = reads
        self._chance = chance

    async def copy(self, order: CopyOrder) -> CopyResult:
        """Copy, or say that Drive will not give it.

        :raises BrokenBodyError: the bytes never matched what Drive says of them.
        :raises ItemChangedError: the item changed during each read.
        :raises CorruptStoreError: the blob's name holds other bytes.
        """
        job = Job(order)
        try:
            if order.fidelity == "head-later":
                return await self._copy_past(order)
            worth = _worth_another_look if order.failing else _worth_another_read
            return await self._again(lambda: self._read_once(job), worth)
        except ItemUnavailableError as error:
            return job.result("unavailable", reason=error.reason, message=str(error))

    async def _copy_past(self, order: CopyOrder) -> CopyResult:
        """The version at the instant, as far as Drive tells and gives it, else the head."""
        try:
            revisions = believed(await self._drive.revisions(order.item), order.before)
            found = revision_at(revisions, order.item.modified, self._instant)
            if found is None:
                return await self._copy_head(order, NO_REVISION)
            revision, until = found
            content = stored_revision(order, revision)
            if content is not None and await self.still_stored(content):
                return from_revision(order, revision, content, stored=True)
            if is_head(order, revision):
                # Renaming moves the modified time and makes no revision.
                return as_revision(await self._copy_head(order, NO_REVISION), revision)
            mime_type = check_can_be_read(order, revision)
            return await self._again(
                lambda: self._read_revision(order, revision, mime_type, until), _worth_another_read
            )
        except ItemUnavailableError as error:
            return await self._copy_head(order, str(error))

    async def _copy_head(self, order: CopyOrder, why: str) -> CopyResult:
        if order.head is not None and await self.still_stored(order.head):
            return head_instead(order, order.head, why)
        job = Job(order)
        result = await self._again(lambda: self._read_once(job), _worth_another_read)
        return replace(result, message=why)

    async def _read_revision(
        self, order: CopyOrder, revision: Revision, mime_type: str | None, until: datetime
    ) -> CopyResult:
        order, read = order_then(order, revision), self._clock.now()
        size = order.item.size if mime_type is None else None
        async with self._memory.hold(memory_of(size)), self._upload(order, size) as upload:
            async with self._drive.open_revision(order.item, revision, mime_type) as body:
                async for piece in body:
                    await upload.write(piece)
            await upload.finish()
            mismatch = _mismatch(order.item, upload.size, upload.md5, upload.sha256)
            if mismatch is not None:
                raise BrokenBodyError(f"A revision of '{order.item.name}' came damaged: {mismatch}.")
            content = await self._store_it(order, upload, body.checked, until, read)
        return from_revision(order, revision, content, downloaded=upload.size)

    def _upload(self, order: CopyOrder, size: int | None) -> Upload:
        return Upload(self._store, order.blob, size, self._tier)

    async def already_stored(self, order: CopyOrder) -> StoredContent | None:
        """What an earlier try stored for an order, if it is there and sound."""
        info = await self._store.head(order.blob)
        found = stored_file(info) if info is not None else None
        if found is None or found.file_id != order.item.id or found.content.format != order.format:
            return None
        content = found.content
        same = order.export_mime_type or _mismatch(order.item, content.size, content.md5, content.sha256) is None
        return content if same else None

    async def still_stored(self, content: StoredContent) -> bool:
        """Whether a blob is there and is what was recorded."""
        info = await self._store.head(content.blob)
        return info is not None and (info.size, info.md5) == (content.size, content.md5)

    async def _again(self, call: Callable[[], Awaitable[T]], retryable: Callable[[DriveBackupError], bool]) -> T:
        """Call as often as bytes may be read."""
        return await retry(call, backoff=self._reads, clock=self._clock, retryable=retryable, chance=self._chance)

    async def _read_once(self, job: Job) -> CopyResult:
        job.began = self._clock.now()
        if job.in_ranges:
            return await self._transfer(job, self._by_ranges)
        # The bytes of a small file are held until they are stored.
        async with self._memory.hold(memory_of(job.size)):
            return await self._transfer(job, self._by_stream)

    async def _transfer(self, job: Job, read: Callable[[Job, Upload], Awaitable[None]]) -> CopyResult:
        item = job.order.item
        async with self._upload(job.order, job.size) as upload:
            await read(job, upload)
            await upload.finish()
            job.downloaded += upload.size
            mismatch = _mismatch(item, upload.size, upload.md5, upload.sha256)
            if mismatch is not None or not _has_checksum(item):
                await self._check_unchanged(job, mismatch, upload.sha256)
            return await self._commit(job, upload)

    async def _by_stream(self, job: Job, upload: Upload) -> None:
        async with self._drive.open_content(job.order.item, job.order.export_mime_type) as body:
            async for piece in body:
                await upload.write(piece)
                if job.size is not None and upload.size > job.size:
                    break
            job.checked = body.checked

    async def _by_ranges(self, job: Job, upload: Upload) -> None:
        try:
            await read_in_ranges(
                self._drive, job.order.item, upload, self._memory, lambda read: self._again(read, _is_broken_range)
            )
        except ItemChangedError as error:
            job.downloaded += upload.size
            await self._check_unchanged(job, str(error), secrets.token_hex(8))
            raise
        except BrokenBodyError as error:
            job.one_stream = error.reason == "rangeIgnored"
            raise

    async def _check_unchanged(self, job: Job, mismatch: str | None, sha256: str) -> None:
        now = await self._drive.get_item(job.order.item.id, job.order.item.resource_key)
        if content_identity(now) != content_identity(job.order.item):
            job.turn_to(now)
            raise ItemChangedError(f"'{now.name}' changes while it is read. The next try copies it as it is then.")
        if mismatch is not None:
            raise job.broken(mismatch, sha256)

    async def _commit(self, job: Job, upload: Upload) -> CopyResult:
        return job.result("copied", content=await self._store_it(job.order, upload, job.checked, None, job.began))

    async def _store_it(
        self, order: CopyOrder, upload: Upload, checked: Checked, until: datetime | None, read: datetime | None
    ) -> StoredContent:
        content = StoredContent(
            blob=order.blob,
            format=order.format,
            mime_type=_content_type(order),
            size=upload.size,
            md5=upload.md5,
            sha256=upload.sha256,
            checked=_checked(order.item, checked),
        )
        metadata = content_metadata(order, content, until=until, read=read)
        if await upload.commit(content_type=content.mime_type, metadata=metadata):
            return content
        return await self._taken(order, content)

    async def _taken(self, order: CopyOrder, ours: StoredContent) -> StoredContent:
        """Somebody stored this content version before us: compare.

        Two exports of one version differ in their bytes (zip time stamps): the first that was stored is the one.
        """
        info = await self._store.head(order.blob)
        if info is None:
            raise BrokenBodyError(f"The blob '{order.blob}' was there and is gone. It is copied again.")
        found = stored_file(info)
        if found is not None and found.file_id == order.item.id and found.content.format == order.format:
            if (found.content.size, found.content.md5, found.content.sha256) == (ours.size, ours.md5, ours.sha256):
                return found.content
            if order.export_mime_type is not None:
                return found.content
        raise CorruptStoreError(
            f"The blob '{order.blob}' does not hold the bytes of '{order.item.name}': it was overwritten or damaged. "
            "Run the backup again: it gives the copy another name. `drive-backup verify` tells what else is damaged."
        )


def _worth_another_read(error: DriveBackupError) -> bool:
    return isinstance(error, BrokenBodyError | ItemChangedError)


def _worth_another_look(error: DriveBackupError) -> bool:
    """Of content that failed in the run before: its bytes are read once, unless they are other ones now."""
    return isinstance(error, ItemChangedError)


def _is_broken_range(error: DriveBackupError) -> bool:
    return isinstance(error, BrokenBodyError) and error.reason != "rangeIgnored"


def _has_checksum(item: Item) -> bool:
    return item.kind == "file" and (item.md5 is not None or item.sha256 is not None)


def _checked(item: Item, body: Checked) -> Checked:
    """What the bytes of an item were held against.

    :param body: what they were when they came.
    """
    if _has_checksum(item):
        return "checksum"
    return "length" if item.kind == "file" and item.size is not None else body


def _mismatch(item: Item, size: int, md5: str, sha256: str) -> str | None:
    """How bytes differ from what Drive says of a file; None when they do not, or it says nothing."""
    if item.kind != "file":
        return None
    if item.size is not None and item.size != size:
        return f"{human_bytes(size)} ({size} bytes) instead of {item.size} bytes"
    if item.md5 is not None and item.md5 != md5:
        return f"MD5 {md5} instead of {item.md5}"
    if item.sha256 is not None and item.sha256 != sha256:
        return f"SHA-256 {sha256} instead of {item.sha256}"
    return None


def _content_type(order: CopyOrder) -> str:
    """Drive's MIME type when it is fit for a header: clients may set it to any text."""
    mime_type = order.export_mime_type or order.item.mime_type
    return mime_type if _CONTENT_TYPE.fullmatch(mime_type) else "application/octet-stream"

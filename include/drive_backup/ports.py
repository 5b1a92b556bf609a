"""What the core needs of the world. Adapters implement these; tests run one contract suite against each of them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Any, Protocol

from include.drive_backup.model import ApiUse, Checked, Detail, Item, Priority, Refused, Revision, Source, Struct, Tier


class Clock(Protocol):
    """Time, as an argument."""

    def now(self) -> datetime:
        """Aware UTC time of day."""

    def monotonic(self) -> float:
        """Seconds that only ever grow."""

    async def sleep(self, seconds: float) -> None:
        """Wait without blocking the loop."""


class Outside(Struct, frozen=True):
    """A folder that Drive lists but that is no part of the source, and what follows for items of the source in it.

    :param trashed: it is in the trash, or in a folder that is.
    :param closed: Drive does not list to this account what it holds.
    """

    id: str
    trashed: bool = False
    closed: bool = False


class Page(Struct, frozen=True):
    """One page of a listing. ``incomplete`` is Drive's ``incompleteSearch``: never read absence as deletion."""

    items: tuple[Item, ...]
    incomplete: bool = False
    outside: tuple[Outside, ...] = ()


class ChangePage(Struct, frozen=True):
    """One page of a change feed, oldest first: items as they are now, and ids that are gone from it or out of reach.

    ``elsewhere`` has those of the removed ones that the account can still see, in another drive. ``times`` says when
    each item changed, where Drive tells. ``token`` is the feed's end, on the last page only. With ``corpus_changed``
    the shared drive itself changed (settings, members): what Drive says of its items may have changed without an entry
    of theirs.
    """

    items: tuple[Item, ...]
    removed: tuple[str, ...] = ()
    elsewhere: tuple[Item, ...] = ()
    times: dict[str, datetime] = {}
    token: str | None = None
    corpus_changed: bool = False


class Account(Struct, frozen=True):
    """A user of the domain. ``suspended``: Google lets nobody act as this user. ``id``: the Directory's, for good."""

    email: str
    id: str | None = None
    suspended: bool = False
    org_unit: str = "/"


class SharedDrive(Struct, frozen=True):
    """A shared drive. ``readable``: the backup's own account is a member."""

    id: str
    name: str
    readable: bool = True


class Directory(Protocol):
    """Who and what there is to back up.

    Methods may raise what :class:`Drive` raises.

    :ivar admin: below, an administrator to ask as; None: the user that the connection acts as.
    """

    async def me(self) -> str:
        """The address of the user that the connection acts as."""

    async def permission_id(self, address: str) -> str | None:
        """Drive's id of the user who has an address; None when the connection cannot act as this user."""

    def deleted_users(self, *, admin: str | None) -> AsyncIterator[Account]:
        """Accounts that were deleted lately and can still be brought back.

        :raises CredentialsError: ``admin`` may not list users.
        """

    def users(self, *, domain: str | None, admin: str | None) -> AsyncIterator[Account]:
        """Everybody in the organisation, or in one of its domains.

        :raises CredentialsError: ``admin`` may not list users.
        """

    def shared_drives(self, *, admin: str | None) -> AsyncIterator[SharedDrive]:
        """Every shared drive of the organisation.

        :raises CredentialsError: ``admin`` may not list shared drives.
        """


class Body:
    """The bytes of one content as they come, in pieces.

    :ivar checked: what they were held against; true once all of them have come. Checksums are the caller's business.
    """

    def __init__(self, pieces: AsyncIterator[bytes], checked: Checked = "nothing") -> None:
        self.checked = checked
        self._pieces = pieces

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self._pieces


class Drive(Protocol):
    """Google Drive as one credential sees it. Implementations pace and retry; what they raise is final.

    Every method may raise :class:`~include.drive_backup.errors.CredentialsError`,
    ``RateLimitError``, ``ServiceUnavailableError`` and ``DailyQuotaError``.
    """

    @property
    def use(self) -> ApiUse:
        """What was spent so far."""

    @property
    def strain(self) -> int:
        """How often Drive has said so far that it is asked too much, or is down: a sign to ask for less at once."""

    async def user_email(self) -> str:
        """The address that this credential acts as."""

    async def user_id(self) -> str | None:
        """Drive's ``permissionId`` of the user that this credential acts as; None when Drive does not tell it."""

    async def root(self, source: Source) -> Item:
        """The folder that a source starts at. Of a source without one, something without an id stands for it.

        :raises SourceNotFoundError: when it does not exist or may not be read, or is no folder, or no file.
        """

    async def change_token(self, source: Source) -> str:
        """The change feed's position now. Take it before a listing."""

    def list_items(self, source: Source) -> AsyncIterator[Page]:
        """Every item of the corpus that holds the source, flat and in no order; trashed ones included.

        Of a single file: that item alone.
        """

    def list_shared(self, source: Source) -> AsyncIterator[Page]:
        """Every item that others share with the source's user, with what is below shared folders."""

    def changes(self, source: Source, token: str) -> AsyncIterator[ChangePage]:
        """What changed in the corpus that holds the source, whoever owns it, since a position of its feed.

        Drive tells of direct changes alone: not of what follows from a change of the folder above.

        :raises FeedLostError: Drive does not take the position, or the corpus has no feed that can be relied on.
        """

    def children(self, source: Source, folder_id: str) -> AsyncIterator[Page]:
        """What is directly in a folder of the corpus, trashed items included."""

    async def belonging(
        self, source: Source, items: Sequence[Item], decided: Mapping[str, bool]
    ) -> dict[str, bool | None]:
        """Whether each item is one that :meth:`list_items` would give; None when that cannot be told.

        :param decided: the same answer for folders that are known.
        """

    async def get_item(self, item_id: str, resource_key: str | None = None) -> Item:
        """One item as it is now.

        :raises ItemUnavailableError: reason ``notFound`` when it is gone or out of reach.
        """

    async def get_item_as(self, owner: str, item_id: str) -> Item:
        """One item as its owner sees it, where the credential may act for others.

        :raises ItemUnavailableError: reason ``notFound`` when the owner does not find it.
        :raises DriveBackupError: the credential cannot act for this owner.
        """

    async def details(self, item: Item, detail: Detail) -> list[dict[str, Any]]:
        """What Drive keeps beside an item, all pages of it.

        :raises ItemUnavailableError: Drive will not give it to this account, with a reason.
        """

    async def shared_drive(self, drive_id: str) -> dict[str, Any]:
        """The settings of a shared drive: a ``drive#drive`` resource.

        :raises ItemUnavailableError: reason ``notFound`` when it is gone or out of reach.
        """

    async def revisions(self, item: Item) -> tuple[Revision, ...]:
        """The versions of a file or document that Drive lists, the head among them; it may leave out some.

        :raises ItemUnavailableError: Drive does not list them to this account, or has none of such an item.
        """

    def open_revision(
        self, item: Item, revision: Revision, export_mime_type: str | None
    ) -> AbstractAsyncContextManager[Body]:
        """Stream a version: the bytes of a file, if it is kept forever, or an export that it has a link for.

        Raises what :meth:`open_content` raises.
        """

    def open_content(
        self, item: Item, export_mime_type: str | None, span: tuple[int, int] | None = None
    ) -> AbstractAsyncContextManager[Body]:
        """Stream the head's bytes, or an export of a native. One attempt; the caller decides on another.

        An export has been checked, as deep as its format allows, when its last piece has come.

        :param span: of a file's own bytes, only those from the first number to before the second.
        :raises ItemUnavailableError: Drive will not give it, with Drive's reason.
        :raises BrokenBodyError: the body ended early, or an export is not what was asked for; reason
            ``rangeIgnored``: Drive gives the whole, not the span.
        :raises ItemChangedError: the file is no longer of the item's size. Seen only with a span.
        """


#: Called right before each HTTP request of a call is sent, repeated ones too. It may raise: then nothing more is sent,
#: and what it raised comes through as it is.
Guard = Callable[[], None]


class BlobInfo(Struct, frozen=True):
    """A blob as listings and HEAD show it. ``md5`` is hex, from Content-MD5. Metadata values are decoded text.

    :param etag: another one after each write.
    :param tier: in lower case, as the service says it: a ``Tier``, or a word that is none of ours; None: it has none.
    :param tier_changed: when it was last given a tier; None, or when it was written: then.
    :param rehydrating: it is in ``archive``, and on its way out.
    """

    name: str
    size: int
    md5: str | None = None
    content_type: str | None = None
    metadata: dict[str, str] = {}
    modified: datetime | None = None
    etag: str | None = None
    tier: str | None = None
    tier_changed: datetime | None = None
    rehydrating: bool = False

    @property
    def archived(self) -> bool:
        """Whether its bytes cannot be read now."""
        return self.tier == "archive"


class BlobStore(Protocol):
    """One container. Everything is create-only.

    Implementations retry what is transient; what they raise is final: ``ServiceUnavailableError`` (service ``blob``),
    ``CredentialsError``, ``ContainerMissingError``. A conflict that is anything but "this name is taken" raises.
    """

    @property
    def url(self) -> str:
        """The container's address, without a SAS."""

    @property
    def strain(self) -> int:
        """How often Blob has said so far that it is busy, or has not answered: a sign to ask for less at once."""

    @property
    def writes(self) -> int:
        """Requests sent so far that create or write, repeated ones too: Azure bills each of them."""

    async def now(self) -> datetime:
        """The service's own time, to the second: what its Last-Modified times are to be compared with."""

    async def ensure_container(self, *, create: bool) -> None:
        """Check that the container can be used.

        :param create: make it when it is missing.
        :raises ContainerMissingError: it is missing and ``create`` is false.
        """

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
        """Create a blob in one request; its Content-MD5 is checked in transit and stored.

        :param md5: of the data, from a caller who knows it.
        :param tier: None: the account's default.
        :param guard: for a write that must not be made any more when it raises.
        :return: true when this call created it, false when the name was taken (what is there is left as it is). When
            the HTTP client sends a PUT twice by itself, false may speak of our own blob: compare with :meth:`head`.
        """

    async def stage_block(self, name: str, index: int, data: bytes | bytearray, *, upload_key: str) -> None:
        """Stage block ``index`` of a large blob. Same name, key and index again replaces the piece.

        :param upload_key: names the content version, so that writers of other bytes never mix with ours.
        """

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
        """Make the blob of the staged blocks 0 … count-1, with ``md5`` of the whole stored as Content-MD5.

        :param tier: None: the account's default.
        :return: as for :meth:`put`.
        """

    async def head(self, name: str) -> BlobInfo | None:
        """Properties and metadata, or None when there is no such blob."""

    async def read(self, name: str) -> bytes | None:
        """The whole of a small blob, or None when there is no such blob.

        :raises ContentArchivedError: it is in the archive tier.
        """

    def stream(self, name: str) -> AsyncIterator[bytes]:
        """The bytes of a blob of any size, in pieces.

        :raises ContentArchivedError: it is in the archive tier.
        """

    def list(self, prefix: str, *, metadata: bool = False) -> AsyncIterator[BlobInfo]:
        """Blobs under a prefix in lexical order."""

    async def delete(self, names: Sequence[str], *, guard: Guard | None = None) -> dict[str, Refused]:
        """Delete by name, several at once and in no order; a missing one is no error.

        Of ``content/`` and ``snapshots/`` only retention deletes, and an erasure that a person asked for.

        :param guard: when it raises, nothing more is deleted.
        :return: what the service keeps, and why: an immutability policy, a legal hold, a snapshot or a lease of it.
        """

    async def lease(self, name: str, *, seconds: int | None = None, epoch: int = 0) -> bool:
        """Make the service refuse to delete a blob, whoever asks.

        All callers share the same leases: one that ends by itself, which another call extends, and those without an
        end, which take its place and are never shortened. Of these a later epoch's takes the place of an earlier one's.

        :param seconds: 15 to 60; None: until :meth:`end_lease`.
        :param epoch: of a lease without an end.
        :return: false when there is no such blob.
        :raises TransientError: another program holds a lease of its own for a while, and one without an end is wanted.
        """

    async def end_lease(self, name: str, *, epoch: int = 0) -> None:
        """End a lease without an end.

        One that ends by itself stays, and so does one of a later epoch; no lease and no such blob are no error.

        :param epoch: of the lease, at most.
        """

    async def set_tier(
        self, names: Sequence[str], tier: Tier, *, priority: Priority | None = None
    ) -> dict[str, Refused]:
        """Move blobs to a tier, several at once and in no order; a missing one is no error.

        Leaving ``archive`` takes hours: until then they are ``rehydrating``. Last-Modified stays as it is.

        :param priority: how soon archived blobs shall be readable.
        :return: which the service left where they were, and why.
        """


class Earlier(Struct, frozen=True):
    """What a storage account keeps of a blob beside, or instead of, what has its name now.

    :param info: with its metadata; a deleted one cannot be read before it is brought back.
    :param version: the id of a version.
    :param snapshot: the time of a Blob snapshot.
    """

    info: BlobInfo
    version: str | None = None
    snapshot: str | None = None
    deleted: bool = False

    def __str__(self) -> str:
        kind = f"the version {self.version}" if self.version else f"the Blob snapshot {self.snapshot}"
        kind = kind if self.version or self.snapshot else "the blob"
        return f"{kind}, which is deleted" if self.deleted else kind


class RepairStore(BlobStore, Protocol):
    """The container of a backup, for a repair: it sees what the account keeps, and may put that back."""

    async def earlier(self, name: str) -> Sequence[Earlier]:
        """What the account keeps of a blob, the newest first, without the one that has its name now."""

    def stream_earlier(self, earlier: Earlier) -> AsyncIterator[bytes]:
        """The bytes of a version or a snapshot that is not deleted.

        :raises CorruptStoreError: it is not there, or its bytes are not those of its Content-MD5.
        """

    async def undelete(self, name: str, *, guard: Guard | None = None) -> bool:
        """Bring back all that is deleted of a blob and still kept.

        :param guard: nothing is brought back when it raises.
        :return: false when there is nothing.
        """

    async def discard(self, earlier: Earlier, *, guard: Guard | None = None) -> None:
        """Delete a Blob snapshot, which soft delete keeps. While a blob has one, the service does not delete the blob.

        :param guard: nothing is deleted when it raises.
        """

    def over(self, found: BlobInfo) -> BlobStore:
        """The same container, where a write takes the place of a blob, or returns false when that is another by now.

        :param found: from :meth:`head`.
        """


class TargetStore(BlobStore, Protocol):
    """A container that a restore writes into. It is no backup: what is in it may be replaced, if a person says so."""

    def over(self, found: BlobInfo) -> BlobStore:
        """The same container, where a write takes the place of a blob, or returns false when that is another by now.

        :param found: from :meth:`head`.
        """

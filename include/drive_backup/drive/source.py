"""Google Drive as :class:`include.drive_backup.ports.Drive` wants it."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

from include.drive_backup.drive import content
from include.drive_backup.drive.changes import read_changes
from include.drive_backup.drive.client import DEFAULT_ENDPOINT, DriveClient, DriveSettings
from include.drive_backup.drive.corpus import Corpus, MyDriveFilter, belonging, corpus_of
from include.drive_backup.drive.details import fetch_details
from include.drive_backup.drive.directory import shared_drives
from include.drive_backup.drive.errors import UnexpectedAnswerError
from include.drive_backup.drive.fields import DRIVE_FIELDS, FILE_FIELDS, LIST_FIELDS
from include.drive_backup.drive.pages import entries_of, next_token, senseless
from include.drive_backup.drive.ranges import Life, Part, list_in_ranges
from include.drive_backup.drive.revisions import list_revisions, open_revision
from include.drive_backup.drive.shared import SHARED_ROOT, shared_with_me
from include.drive_backup.drive.single import check_file, file_root
from include.drive_backup.drive.tokens import Tokens
from include.drive_backup.drive.writing import DriveWriter
from include.drive_backup.errors import ItemUnavailableError, SourceNotFoundError
from include.drive_backup.model import ApiUse, Detail, Item, Revision, Source
from include.drive_backup.pacing import LIST_UNITS, QuotaLimiter
from include.drive_backup.ports import Body, ChangePage, Clock, Page
from include.drive_backup.values import read_id, read_object, read_text

log = logging.getLogger(__name__)

#: How often a listing starts over when Drive rejects its own page token, before it fails.
_RESTARTS = 3
#: Folders that are listed at once when a tree is walked.
_WALKERS = 8
_PAGE_KEYS = frozenset({"kind", "files", "nextPageToken", "incompleteSearch"})


class GoogleDrive:
    """One credential's view of Drive. An async context manager.

    :param tokens: where the bearer tokens come from.
    :param limiter: the quota budget; one for all the Drives that a process opens for the same user.
    :param api_endpoint: root of the API.
    :param settings: attempts, time-outs, abuse flag.
    :param chance: random numbers in [0, 1) for the jitter of waits.
    :param stands_for: the address of the user whose source is read, where the source has another name.
    """

    def __init__(
        self,
        tokens: Tokens,
        *,
        limiter: QuotaLimiter,
        clock: Clock,
        api_endpoint: str = DEFAULT_ENDPOINT,
        settings: DriveSettings | None = None,
        chance: Callable[[], float] = random.random,
        stands_for: str | None = None,
    ) -> None:
        self._client = DriveClient(
            tokens, limiter=limiter, clock=clock, api_endpoint=api_endpoint, settings=settings, chance=chance
        )
        self._me: dict[str, Any] | None = None
        self._stands_for = stands_for
        self._roots: dict[Source, Item] = {}
        self._files: dict[Source, Item] = {}
        self._others: dict[str, Tokens] = {}

    async def __aenter__(self) -> Self:
        await self._client.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._client.__aexit__(kind, error, trace)

    @property
    def use(self) -> ApiUse:
        """What was spent so far."""
        return self._client.use

    @property
    def strain(self) -> int:
        """See :attr:`include.drive_backup.ports.Drive.strain`."""
        return self._client.strain

    @property
    def writer(self) -> DriveWriter:
        """The calls that write, for a restore: the credential needs a scope of its own for them."""
        return DriveWriter(self._client)

    async def user_email(self) -> str:
        """The address that this credential acts as, in lower case; empty when Drive does not tell it. Asked once."""
        return (read_text((await self._about_me()).get("emailAddress")) or "").lower()

    async def user_id(self) -> str | None:
        """See :meth:`include.drive_backup.ports.Drive.user_id`. Asked once, with the address."""
        return read_id((await self._about_me()).get("permissionId"))

    async def _about_me(self) -> dict[str, Any]:
        if self._me is None:
            query = {"fields": "user(emailAddress,permissionId)"}
            about = await self._client.get_json("about", query, what="the account")
            self._me = read_object(about.get("user"))
        return self._me

    async def root(self, source: Source) -> Item:
        """See :meth:`include.drive_backup.ports.Drive.root`. Asked once per source; a single file each time.

        :raises SourceNotFoundError: also when the credential acts as another user than the source names.
        """
        if source.kind == "file":
            self._files[source] = item = await self._find_file(source)
            return file_root(item)
        if source not in self._roots:
            self._roots[source] = await self._find_root(source)
        return self._roots[source]

    async def change_token(self, source: Source) -> str:
        """See :meth:`include.drive_backup.ports.Drive.change_token`. A shared drive has a feed of its own."""
        corpus = await self._corpus(source)
        params = {"supportsAllDrives": "true"}
        if corpus.drive_id:
            params["driveId"] = corpus.drive_id
        answer = await self._client.get_json("changes/startPageToken", params, what=f"the change feed of {source}")
        token = read_text(answer.get("startPageToken"))
        if not token:
            raise senseless(f"the change feed of {source}")
        return token

    async def list_items(self, source: Source) -> AsyncIterator[Page]:
        """See :meth:`include.drive_backup.ports.Drive.list_items`.

        Items may come twice: when Drive rejects a page token, the listing starts over.
        """
        if source.kind == "file":
            # What the question for its root just told is not asked again: a file costs one call.
            known = self._files.pop(source) if source in self._files else await self._find_file(source)
            yield Page(items=(known,))
            return
        corpus = await self._corpus(source)
        try:
            async for page in self._list(corpus, f"the listing of {source}"):
                yield page
        except ItemUnavailableError as error:
            raise SourceNotFoundError(f"{source} cannot be listed. {error}", reason=error.reason) from error

    async def list_shared(self, source: Source) -> AsyncIterator[Page]:
        """See :meth:`include.drive_backup.ports.Drive.list_shared`. Items may come twice."""
        await self.root(source)
        async for page in shared_with_me(self._whole_pages, f"the listing of {source}"):
            yield page

    def shared_drives(self, *, as_admin: bool) -> AsyncIterator[tuple[str, str]]:
        """Id and name of the shared drives that the account is a member of, or of all in its organisation."""
        return shared_drives(self._client, as_admin=as_admin)

    async def changes(self, source: Source, token: str) -> AsyncIterator[ChangePage]:
        """See :meth:`include.drive_backup.ports.Drive.changes`."""
        async for page in read_changes(self._client, await self._corpus(source), token, f"the changes of {source}"):
            yield page

    async def children(self, source: Source, folder_id: str) -> AsyncIterator[Page]:
        """See :meth:`include.drive_backup.ports.Drive.children`."""
        corpus = await self._corpus(source)
        for page in await self._children(folder_id, f"the listing of {source}", corpus):
            yield page

    async def belonging(
        self, source: Source, items: Sequence[Item], decided: Mapping[str, bool]
    ) -> dict[str, bool | None]:
        """See :meth:`include.drive_backup.ports.Drive.belonging`."""
        return belonging(await self._corpus(source), items, decided)

    async def get_item(self, item_id: str, resource_key: str | None = None) -> Item:
        """See :meth:`include.drive_backup.ports.Drive.get_item`."""
        return await self._get(item_id, f"{item_id}/{resource_key}" if resource_key else None)

    async def get_item_as(self, owner: str, item_id: str) -> Item:
        """See :meth:`include.drive_backup.ports.Drive.get_item_as`."""
        if owner not in self._others:
            self._others[owner] = self._client.tokens.acting_as(owner)
        return await self._get(item_id, tokens=self._others[owner])

    async def _get(self, item_id: str, resource_keys: str | None = None, tokens: Tokens | None = None) -> Item:
        resource = await self._client.get_json(
            f"files/{quote(item_id, safe='')}",
            {"fields": FILE_FIELDS, "supportsAllDrives": "true"},
            what=f"the item {item_id}",
            resource_keys=resource_keys,
            tokens=tokens,
        )
        return _item(resource)

    async def details(self, item: Item, detail: Detail) -> list[dict[str, Any]]:
        """See :meth:`include.drive_backup.ports.Drive.details`."""
        return await fetch_details(self._client, item, detail)

    async def shared_drive(self, drive_id: str) -> dict[str, Any]:
        """See :meth:`include.drive_backup.ports.Drive.shared_drive`."""
        return await self._client.get_json(
            f"drives/{quote(drive_id, safe='')}", {"fields": DRIVE_FIELDS}, what=f"the shared drive {drive_id}"
        )

    async def revisions(self, item: Item) -> tuple[Revision, ...]:
        """See :meth:`include.drive_backup.ports.Drive.revisions`."""
        return await list_revisions(self._client, item)

    def open_revision(
        self, item: Item, revision: Revision, export_mime_type: str | None
    ) -> AbstractAsyncContextManager[Body]:
        """See :meth:`include.drive_backup.ports.Drive.open_revision`."""
        return open_revision(self._client, item, revision, export_mime_type)

    def open_content(
        self, item: Item, export_mime_type: str | None, span: tuple[int, int] | None = None
    ) -> AbstractAsyncContextManager[Body]:
        """See :meth:`include.drive_backup.ports.Drive.open_content`."""
        return content.open_content(self._client, item, export_mime_type, span)

    async def _find_root(self, source: Source) -> Item:
        if source.user is not None:
            await self._check_user(source)
        if source.kind == "shared":
            return SHARED_ROOT
        item = await self._find(source, "root" if source.kind == "user" else source.id)
        _check_root(source, item)
        return item

    async def _find_file(self, source: Source) -> Item:
        item = await self._find(source, source.id)
        check_file(source, item)
        return item

    async def _find(self, source: Source, item_id: str) -> Item:
        try:
            return await self.get_item(item_id)
        except ItemUnavailableError as error:
            raise SourceNotFoundError(
                f"{source} does not exist, or the account that the backup acts as cannot see it. Share it with that "
                f"account (a shared drive: add it as a member) or correct the source. {error}",
                reason=error.reason,
            ) from error

    async def _check_user(self, source: Source) -> None:
        """Never store one user's files under another's name."""
        email = await self.user_email()
        wanted = (self._stands_for or source.id).lower()
        if email and email != wanted:
            raise SourceNotFoundError(
                f"The Google connection acts as {email}, not as {wanted}. Name the source {source.kind}/{email}, or "
                "use a service account with domain-wide delegation, which can act as each user.",
                reason="otherUser",
            )

    async def _corpus(self, source: Source) -> Corpus:
        return corpus_of(source, await self.root(source))

    def _list(self, corpus: Corpus, what: str) -> AsyncIterator[Page]:
        if corpus.kind == "walk":
            return self._walk(corpus, what)
        return self._list_drive(corpus, what) if corpus.drive_id else self._list_my_drive(corpus, what)

    async def _list_drive(self, corpus: Corpus, what: str) -> AsyncIterator[Page]:
        async for page in self._flat(_query(corpus), corpus, what):
            yield page

    async def _list_my_drive(self, corpus: Corpus, what: str) -> AsyncIterator[Page]:
        sieve = MyDriveFilter(corpus.root_id)
        async for page in self._flat(_query(corpus), corpus, what):
            yield Page(items=sieve.sift(page.items), incomplete=page.incomplete)
        rest = sieve.rest()
        if rest or sieve.outside:
            yield Page(items=rest, outside=sieve.outside)

    def _flat(self, query: dict[str, str], corpus: Corpus, what: str) -> AsyncIterator[Page]:
        def read(within: str) -> AsyncGenerator[Part, None]:
            return self._pages({**query, "q": within} if within else query, what)

        now = self._client.clock.now()
        return list_in_ranges(read, self._exists, Life(since=corpus.since or now, now=now), what)

    async def _exists(self, item: Item) -> bool:
        try:
            await self.get_item(item.id, item.resource_key)
        except ItemUnavailableError:
            return False
        return True

    async def _walk(self, corpus: Corpus, what: str) -> AsyncIterator[Page]:
        """Folder by folder, some at once; each folder once, so that a loop ends."""
        seen, queue = {corpus.root_id}, [corpus.root_id]
        while queue:
            now, queue = queue[:_WALKERS], queue[_WALKERS:]
            for pages in await asyncio.gather(*(self._children(folder, what, corpus) for folder in now)):
                for page in pages:
                    yield page
                    below = [item.id for item in page.items if item.kind == "folder" and item.id not in seen]
                    seen.update(below)
                    queue.extend(below)

    async def _children(self, folder_id: str, what: str, corpus: Corpus) -> list[Page]:
        query = {**_query(corpus), "q": f"'{folder_id}' in parents"}
        return [page async for page in self._whole_pages(query, what)]

    async def _whole_pages(self, query: dict[str, str], what: str) -> AsyncIterator[Page]:
        async for part in self._pages(query, what):
            yield part.page

    async def _pages(self, query: dict[str, str], what: str) -> AsyncGenerator[Part, None]:
        """All pages of one listing. Only a missing token ends it: short and empty pages do not."""
        token, seen, restarts = "", set[str](), 0
        while True:
            try:
                answer = await self._page(query, token, what)
            except UnexpectedAnswerError as error:
                # The parameters are those of the first page, so it is the token that Drive no longer takes.
                if not token or error.status not in {400, 410} or restarts == _RESTARTS:
                    raise
                token, seen, restarts = "", set(), restarts + 1
                log.warning("Drive rejects the page token of %s; the listing starts over", what)
                continue
            token = next_token(answer, what)
            yield Part(_read_page(answer, what), more=bool(token))
            if not token:
                return
            if token in seen:
                raise senseless(what)
            seen.add(token)

    async def _page(self, query: dict[str, str], token: str, what: str) -> dict[str, Any]:
        params = {
            **query,
            "spaces": "drive",
            "pageSize": "1000",
            "supportsAllDrives": "true",
            "fields": LIST_FIELDS,
            **({"pageToken": token} if token else {}),
        }
        answer = await self._client.get_json("files", params, units=LIST_UNITS, what=what)
        if not _PAGE_KEYS & answer.keys():
            # An empty object is not an empty Drive.
            raise senseless(what)
        return answer


def _query(corpus: Corpus) -> dict[str, str]:
    if corpus.drive_id is None:
        return {"corpora": "user"}
    return {"corpora": "drive", "driveId": corpus.drive_id, "includeItemsFromAllDrives": "true"}


def _check_root(source: Source, item: Item) -> None:
    if item.kind != "folder":
        raise SourceNotFoundError(
            f"{source} is not a folder but '{item.name}' ({item.mime_type}). Name the folder itself"
            + (", not a shortcut to it." if item.kind == "shortcut" else f", or this file alone: file/{item.id}."),
            reason="notAFolder",
        )
    if source.kind == "drive" and item.drive_id not in {None, item.id}:
        raise SourceNotFoundError(
            f"{source} is a folder inside a shared drive. Write folder/{item.id}, or drive/{item.drive_id} for all of "
            "the shared drive.",
            reason="notADrive",
        )


def _read_page(answer: dict[str, Any], what: str = "a listing") -> Page:
    items = [_item_or_none(resource) for resource in entries_of(answer, "files", what)]
    known = tuple(item for item in items if item is not None)
    if items and not known:
        # A page without a single item is not a page with an odd one.
        raise senseless(what)
    # Nobody knows what that was, so it may be one that is missing.
    incomplete = bool(answer.get("incompleteSearch", False)) or len(known) < len(items)
    return Page(items=known, incomplete=incomplete)


def _item_or_none(resource: Any) -> Item | None:
    try:
        return Item.from_resource(resource)
    except ValueError:
        log.warning("Drive lists something without an id, so the listing counts as incomplete: %.200r", resource)
        return None


def _item(resource: dict[str, Any]) -> Item:
    try:
        return Item.from_resource(resource)
    except ValueError as error:
        raise senseless(f"the item {resource.get('id', '')}") from error

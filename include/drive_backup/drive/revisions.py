"""Earlier versions of one file, as far as Drive keeps and gives them.

Drive lists a file's revisions to those who may edit it, and may leave some out: of a document with a long history, and
of other files after 30 days unless they are kept forever. Only the latter can be downloaded; a document's revision is
exported by the links that it carries (guides "Manage file revisions", "Changes and revisions overview").
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager, suppress
from typing import Any
from urllib.parse import quote

from include.drive_backup.drive.bodies import body_of
from include.drive_backup.drive.client import DriveClient
from include.drive_backup.drive.content import open_route, resource_keys
from include.drive_backup.drive.errors import UnexpectedAnswerError
from include.drive_backup.drive.pages import entries_of, next_token
from include.drive_backup.errors import CredentialsError, ItemUnavailableError, ServiceUnavailableError
from include.drive_backup.model import Item, Revision
from include.drive_backup.pacing import LIST_UNITS
from include.drive_backup.ports import Body

_FIELDS = "kind,nextPageToken,revisions(id,modifiedTime,size,md5Checksum,keepForever,exportLinks)"


async def list_revisions(client: DriveClient, item: Item) -> tuple[Revision, ...]:
    """See :meth:`include.drive_backup.ports.Drive.revisions`."""
    if item.may("canReadRevisions") is False:
        raise ItemUnavailableError(
            f"The account that the backup acts as may not read revisions of '{item.name}'. Give it the role Editor.",
            reason="cannotReadRevisions",
        )
    what = f"the revisions of '{item.name}'"
    found: list[dict[str, Any]] = []
    params, seen = {"fields": _FIELDS, "pageSize": "1000"}, set[str]()
    while True:
        path = f"files/{quote(item.id, safe='')}/revisions"
        answer = await client.get_json(path, params, units=LIST_UNITS, what=what, resource_keys=resource_keys(item))
        found += entries_of(answer, "revisions", what)
        token = next_token(answer, what)
        if not token or token in seen:
            return tuple(_readable(found))
        seen.add(token)
        params = {**params, "pageToken": token}


def _readable(resources: Iterable[dict[str, Any]]) -> Iterator[Revision]:
    """Those that say when they were made; of the others nobody can tell where they belong."""
    for resource in resources:
        with suppress(ValueError):
            yield Revision.from_resource(resource)


@asynccontextmanager
async def open_revision(
    client: DriveClient, item: Item, revision: Revision, export_mime_type: str | None
) -> AsyncIterator[Body]:
    """See :meth:`include.drive_backup.ports.Drive.open_revision`."""
    if export_mime_type is None:
        path = f"files/{quote(item.id, safe='')}/revisions/{quote(revision.id, safe='')}"
        response = await open_route(client, path, {"alt": "media"}, item, None)
    else:
        try:
            response = await open_route(client, revision.export_links[export_mime_type], None, item, export_mime_type)
        except (CredentialsError, UnexpectedAnswerError) as error:
            # docs.google.com is not the API: what it refuses says nothing about the credential.
            raise ServiceUnavailableError(
                f"The export link of a revision of '{item.name}' did not work. {error}",
                service="drive",
                reason="exportLink",
            ) from error
    async with body_of(response, client, item, export_mime_type) as body:
        yield body

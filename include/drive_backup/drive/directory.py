"""Who and what there is in a Google Workspace: users by the Directory API, shared drives by Drive itself."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Mapping
from typing import Any

from include.drive_backup.drive.client import DEFAULT_ENDPOINT, DriveClient
from include.drive_backup.drive.errors import READ_SCOPE
from include.drive_backup.drive.pages import entries_of, next_token
from include.drive_backup.errors import CredentialsError, ItemUnavailableError, ServiceUnavailableError
from include.drive_backup.pacing import LIST_UNITS
from include.drive_backup.ports import Account
from include.drive_backup.values import read_id, read_object, read_text

log = logging.getLogger(__name__)

#: For reading the list of users, and nothing else (discovery document ``admin.directory_v1``, ``users.list``).
DIRECTORY_SCOPE = "https://www.googleapis.com/auth/admin.directory.user.readonly"
DIRECTORY_SERVICE = "admin/directory/v1"

_DIRECTORY_ENDPOINT = "https://admin.googleapis.com"
_USER_FIELDS = "nextPageToken,users(id,primaryEmail,suspended,orgUnitPath)"
_DRIVE_FIELDS = "nextPageToken,drives(id,name)"


def directory_endpoint(api_endpoint: str | None) -> str:
    """Where the Directory API is: at Google it has a host of its own, elsewhere it is where Drive is."""
    own = api_endpoint is not None and api_endpoint.rstrip("/") != DEFAULT_ENDPOINT
    return api_endpoint if own and api_endpoint else _DIRECTORY_ENDPOINT


async def list_users(client: DriveClient, *, domain: str | None, deleted: bool = False) -> AsyncIterator[Account]:
    """All users of the organisation, or of one of its domains; 500 a call.

    :param client: of the Directory API, as an administrator.
    :param deleted: instead those whose account was deleted, as long as it can be brought back.
    :raises CredentialsError: the account may not list users.
    """
    whose = {"domain": domain} if domain else {"customer": "my_customer"}
    # No Drive quota units: the Directory API has a quota of its own, 2,400 calls a minute.
    whose = {**whose, **({"showDeleted": "true"} if deleted else {})}
    query = {**whose, "maxResults": "500", "orderBy": "email", "fields": _USER_FIELDS}
    try:
        async for answer in _pages(client, "users", query, units=0, what="the users of the organisation"):
            for user in entries_of(answer, "users", "the users of the organisation"):
                if (account := _account(read_object(user))) is not None:
                    yield account
                else:
                    log.warning("The directory lists a user without an address, which is passed over: %.200r", user)
    except (CredentialsError, ItemUnavailableError) as error:
        raise CredentialsError(
            f"The users of the organisation cannot be listed. {error} Listing them needs an administrator (the "
            "connection's subject, or 'admin' in the source), the Admin SDK API enabled in the Google Cloud project, "
            f"and the scope {DIRECTORY_SCOPE} allowed under domain-wide delegation.",
            reason=error.reason,
        ) from error


def _account(user: Mapping[str, Any]) -> Account | None:
    email = read_text(user.get("primaryEmail"))
    if not email:
        return None
    unit = read_text(user.get("orgUnitPath")) or "/"
    return Account(email=email, id=read_id(user.get("id")), suspended=user.get("suspended") is True, org_unit=unit)


async def shared_drives(client: DriveClient, *, as_admin: bool) -> AsyncIterator[tuple[str, str]]:
    """Id and name of each shared drive: those that the account is a member of, or all of the organisation.

    :param as_admin: sees all, and gives no access to what is in them.
    :raises CredentialsError: the account may not list all of them.
    """
    query = {"pageSize": "100", "fields": _DRIVE_FIELDS, "useDomainAdminAccess": "true" if as_admin else "false"}
    try:
        async for answer in _pages(client, "drives", query, units=LIST_UNITS, what="the shared drives"):
            for drive in entries_of(answer, "drives", "the shared drives"):
                if ident := read_id(read_object(drive).get("id")):
                    yield ident, read_text(drive.get("name")) or ident
                else:
                    log.warning("Drive lists a shared drive without an id, which is passed over: %.200r", drive)
    except (CredentialsError, ItemUnavailableError) as error:
        if not as_admin:
            raise
        raise CredentialsError(
            f"The shared drives of the organisation cannot be listed. {error} Listing all of them needs an account "
            "with the administrator privilege 'Drive and Docs' (the connection's subject, or 'admin' in the source) "
            f"and the scope {READ_SCOPE}.",
            reason=error.reason,
        ) from error


async def _pages(
    client: DriveClient, path: str, query: Mapping[str, str], *, units: int, what: str
) -> AsyncIterator[dict[str, Any]]:
    """All pages. Only a missing token ends them."""
    token, seen = "", set[str]()
    while True:
        more = {"pageToken": token} if token else {}
        answer = await client.get_json(path, {**query, **more}, units=units, what=what)
        yield answer
        token = next_token(answer, what)
        if not token:
            return
        if token in seen:
            raise ServiceUnavailableError(
                f"The answer for {what} makes no sense: a page leads back to itself. It is asked again later.",
                service="drive",
                reason="badAnswer",
            )
        seen.add(token)

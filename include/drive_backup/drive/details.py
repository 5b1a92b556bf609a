"""What Drive keeps beside a file: permissions, comments, labels, revisions. One resource of the API each.

Masks ask for what a person would want back, and for nothing that expires or that is derived from the id.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from include.drive_backup.drive.client import DriveClient
from include.drive_backup.drive.content import resource_keys
from include.drive_backup.drive.fields import FILE_USER
from include.drive_backup.drive.pages import next_token, senseless
from include.drive_backup.errors import ItemUnavailableError, ServiceUnavailableError
from include.drive_backup.model import Detail, Item
from include.drive_backup.pacing import GET_UNITS, LIST_UNITS

_PERMISSION = (
    "id,type,role,emailAddress,domain,displayName,allowFileDiscovery,expirationTime,deleted,pendingOwner,view,"
    "inheritedPermissionsDisabled,permissionDetails"
)
_REPLY = (
    f"id,action,content,htmlContent,createdTime,modifiedTime,deleted,author({FILE_USER}),mentionedEmailAddresses,"
    "assigneeEmailAddress"
)


@dataclass(frozen=True)
class _List:
    """How a detail is listed.

    :param right: the capability without which Drive refuses; ``refused`` is the reason then.
    """

    path: str
    key: str
    fields: str
    size: str
    most: int
    right: str | None = None
    refused: str = ""
    shared_drives: bool = False


_LISTS: dict[Detail, _List] = {
    "permissions": _List("permissions", "permissions", _PERMISSION, "pageSize", 100, shared_drives=True),
    "comments": _List(
        "comments",
        "comments",
        f"id,content,htmlContent,createdTime,modifiedTime,resolved,deleted,anchor,quotedFileContent,author({FILE_USER}),"
        f"mentionedEmailAddresses,assigneeEmailAddress,replies({_REPLY})",
        "pageSize",
        100,
    ),
    "labels": _List(
        "listLabels", "labels", "id,revisionId,fields", "maxResults", 100, "canReadLabels", "cannotReadLabels"
    ),
    "revisions": _List(
        "revisions",
        "revisions",
        f"id,mimeType,modifiedTime,keepForever,md5Checksum,size,originalFilename,lastModifyingUser({FILE_USER}),"
        "published,publishAuto,publishedLink,publishedOutsideDomain",
        "pageSize",
        1000,
        "canReadRevisions",
        "cannotReadRevisions",
    ),
}


async def fetch_details(client: DriveClient, item: Item, detail: Detail) -> list[dict[str, Any]]:
    """See :meth:`include.drive_backup.ports.Drive.details`."""
    if detail == "permissions" and item.drive_id is None:
        return await _my_drive_permissions(client, item)
    how = _LISTS[detail]
    if how.right is not None and item.may(how.right) is False:
        raise ItemUnavailableError(
            f"The account that the backup acts as may not read the {detail} of '{item.name}'. Give it a role that may.",
            reason=how.refused,
        )
    return await _all_pages(client, item, detail, how)


async def _my_drive_permissions(client: DriveClient, item: Item) -> list[dict[str, Any]]:
    """A file of My Drive has its permissions as a field, which costs a twentieth of a list."""
    answer = await client.get_json(
        f"files/{quote(item.id, safe='')}",
        {"fields": f"id,permissions({_PERMISSION})", "supportsAllDrives": "true"},
        units=GET_UNITS,
        what=f"the permissions of '{item.name}'",
        resource_keys=resource_keys(item),
    )
    if "permissions" not in answer:
        raise ItemUnavailableError(
            f"Drive shows the permissions of '{item.name}' only to accounts that may share it. Give the account that "
            "the backup acts as the role Editor.",
            reason="cannotShare",
        )
    return _entries(answer["permissions"], f"the permissions of '{item.name}'")


def _entries(value: object, what: str) -> list[dict[str, Any]]:
    """A list of objects; half of one is not taken for all of it."""
    if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
        raise senseless(what)
    return value


async def _all_pages(client: DriveClient, item: Item, detail: Detail, how: _List) -> list[dict[str, Any]]:
    what = f"the {detail} of '{item.name}'"
    params = {"fields": f"kind,nextPageToken,{how.key}({how.fields})", how.size: str(how.most)}
    if how.shared_drives:
        params["supportsAllDrives"] = "true"
    found: list[dict[str, Any]] = []
    seen: set[str] = set()
    while True:
        answer = await client.get_json(
            f"files/{quote(item.id, safe='')}/{how.path}",
            params,
            units=LIST_UNITS,
            what=what,
            resource_keys=resource_keys(item),
        )
        found += _entries(answer.get(how.key, []), what)
        token = next_token(answer, what)
        if not token:
            return found
        if token in seen:
            raise ServiceUnavailableError(
                f"Drive's pages of {what} have no end; they are asked for again later.",
                service="drive",
                reason="badAnswer",
            )
        seen.add(token)
        params = {**params, "pageToken": token}

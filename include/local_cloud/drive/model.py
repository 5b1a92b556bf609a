"""The nouns: users, shared drives, items with their revisions and permissions."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from include.local_cloud.drive.content import Content

NATIVE = "application/vnd.google-apps."
FOLDER = NATIVE + "folder"
SHORTCUT = NATIVE + "shortcut"


@dataclass(slots=True)
class Permission:
    """Who may do what. ``since`` is in milliseconds since 1970."""

    id: str
    type: str
    role: str
    email: str | None = None
    domain: str | None = None
    discovery: bool = False
    since: int = 0


@dataclass(slots=True)
class Revision:
    """One content version. ``modified`` is in milliseconds since 1970."""

    id: str
    modified: int
    content: Content
    mime_type: str
    by: str
    name: str = ""
    keep: bool = False


@dataclass(slots=True, eq=False)
class Item:
    """A file, folder, shortcut or native document. Times are milliseconds since 1970.

    ``fields`` holds what Drive keeps just as it is given: description, properties, folderColorRgb and the like.
    ``comments`` and ``labels`` are resources as the API gives them.
    ``born`` is when the stand-in first had it, whatever ``created`` says: listing lag counts from there.
    """

    id: str
    name: str
    mime_type: str
    parents: list[str]
    owner: str | None
    created: int
    modified: int
    by: str = ""
    drive_id: str | None = None
    revisions: list[Revision] = field(default_factory=list)
    permissions: list[Permission] = field(default_factory=list)
    fields: dict[str, Any] = field(default_factory=dict)
    version: int = 1
    born: int = 0
    trashed: bool = False
    explicitly_trashed: bool = False
    trashed_at: int = 0
    target: str | None = None
    target_mime: str | None = None
    resource_key: str | None = None
    key_required: bool = False
    starred: bool = False
    viewed: dict[str, int] = field(default_factory=dict)
    abusive: bool = False
    downloadable: bool = True
    listable: bool = True
    limited: bool = False
    checksums: tuple[str, ...] = ("md5", "sha1", "sha256")
    comments: list[dict[str, Any]] = field(default_factory=list)
    labels: list[dict[str, Any]] = field(default_factory=list)
    labels_readable: bool = True

    @property
    def content(self) -> Content | None:
        """The head's content; folders and shortcuts have none."""
        return self.revisions[-1].content if self.revisions else None

    @property
    def native(self) -> bool:
        """A Google type: no bytes to download."""
        return self.mime_type.startswith(NATIVE)


@dataclass(slots=True)
class User:
    """Someone with a Drive."""

    email: str
    name: str
    permission_id: str
    root_id: str
    admin: bool = False
    suspended: bool = False
    drive_enabled: bool = True
    org_unit: str = "/"

    @property
    def directory_id(self) -> str:
        """The Directory's id, which is not that of Drive."""
        return f"1{self.permission_id[::-1]}"


@dataclass(slots=True)
class SharedDrive:
    """A shared drive; its members are the permissions of its root folder, whose id is the drive's."""

    id: str
    name: str
    created: int
    hidden: bool = False


@dataclass(slots=True, frozen=True)
class Operation:
    """A ``files.download`` that is under way. ``ready`` is in milliseconds since 1970."""

    name: str
    file_id: str
    email: str
    mime_type: str | None
    revision_id: str | None
    ready: int

"""Which container a restore may go into: never one that holds a backup, this one or another."""

from __future__ import annotations

import re

from include.drive_backup.blob.names import parse_content, parse_snapshot
from include.drive_backup.blob.rules import check_name
from include.drive_backup.blob.segments import units
from include.drive_backup.errors import ConfigError
from include.drive_backup.model import Struct
from include.drive_backup.ports import BlobInfo, BlobStore

#: How a place in a container begins, where ``user/…`` or ``folder/…`` would be one in Drive.
KIND = "container/"

#: UTF-16 code units and segments that a prefix may take of a blob's name.
_MAX_PREFIX = 200
_MAX_SEGMENTS = 8
#: The first segments of a backup's own names; see docs/format.md, "The container".
_AREAS = frozenset(
    {
        *("content", "damaged", "erased", "holds", "locks", "outbox", "people", "quota", "reading", "retention"),
        *("snapshots", "stopped", "verified", "work"),
    }
)
_LOCK = re.compile(r"locks/[a-z]+/[^/]+/\d{10}")


class ContainerPlace(Struct, frozen=True):
    """A container, and what the names of the blobs in it begin with.

    :param prefix: empty, or ending with a slash.
    """

    container: str
    prefix: str = ""

    @classmethod
    def parse(cls, text: str) -> ContainerPlace:
        """Read ``container/NAME`` or ``container/NAME/some/prefix``.

        :raises ConfigError: with what is allowed.
        """
        name, _, prefix = text.strip().removeprefix(KIND).partition("/")
        if not text.strip().startswith(KIND) or not name:
            raise ConfigError(f"'{text}' is no container. Write container/NAME or container/NAME/some/prefix.")
        return cls(container=name, prefix=clean_prefix(prefix))


def clean_prefix(text: str) -> str:
    """A prefix as a person writes it, as blob names need it: empty, or with one slash at its end.

    :raises ConfigError: Blob cannot hold it, it leaves too little of a name, or it is one of a backup's own.
    """
    prefix = text.strip("/")
    if not prefix:
        return ""
    segments = prefix.split("/")
    try:
        check_name(prefix)
    except ValueError as error:
        raise ConfigError(f"The prefix cannot be part of a blob's name. {error}") from None
    if units(prefix) > _MAX_PREFIX or len(segments) > _MAX_SEGMENTS:
        raise ConfigError(f"A prefix may have {_MAX_PREFIX} characters and {_MAX_SEGMENTS} folders; shorten it.")
    if segments[0] in _AREAS:
        raise ConfigError(f"'{segments[0]}/' is where a backup keeps its own blobs; restore under another prefix.")
    return f"{prefix}/"


async def check_target(backup: BlobStore, target: BlobStore) -> None:
    """Look whether a restore may write into a container.

    The address alone does not tell: an account has several names. What lies in the container does.

    :raises ConfigError: it is the backup itself, or holds another one.
    :raises ContainerMissingError: there is no such container.
    """
    await target.ensure_container(create=False)
    found = target.url if target.url == backup.url else await _backup_in(target)
    if found:
        raise ConfigError(
            f"{target.url} holds a backup ({found}), and nothing may be written into one but by the backup itself. "
            "Restore into another container."
        )


async def _backup_in(target: BlobStore) -> str | None:
    """The name of a blob that only a backup has."""
    for area in ("snapshots/", "content/", "locks/"):
        async for info in target.list(area, metadata=True):
            if _is_of_backup(info):
                return info.name
    return None


def _is_of_backup(info: BlobInfo) -> bool:
    # A Drive may have a folder with a copy of a backup in it, and that be restored here.
    if "snapshot" in info.metadata:
        return False
    return bool(parse_snapshot(info.name) or parse_content(info.name) or _LOCK.fullmatch(info.name))

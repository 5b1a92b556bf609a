"""The nouns. Frozen structs that serialise to plain JSON; nothing here does I/O.

msgspec is used because one run encodes and decodes each item several times (work area, catalogue), and it does
that with types checked at a fraction of the cost of dataclasses and ``json``.
"""

from __future__ import annotations

import hashlib
import re
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, get_args

import msgspec

from include.drive_backup.errors import ConfigError
from include.drive_backup.values import (
    read_flag,
    read_hex,
    read_id,
    read_integer,
    read_links,
    read_object,
    read_objects,
    read_text,
    read_texts,
    read_time,
)

FOLDER = "application/vnd.google-apps.folder"
SHORTCUT = "application/vnd.google-apps.shortcut"
NATIVE_PREFIX = "application/vnd.google-apps."

SourceKind = Literal["user", "drive", "folder", "file", "shared"]
SOURCE_KINDS: tuple[SourceKind, ...] = get_args(SourceKind)
ItemKind = Literal["file", "folder", "shortcut", "native"]
Mode = Literal["incremental", "full"]

#: What became of an item (one per catalogue row).
#: ``copied``       its content was downloaded in this run
#: ``unchanged``    its content was stored by an earlier run
#: ``known``        the same bytes are stored already for another item or path
#: ``metadata``     it has no content (folder, shortcut …)
#: ``unavailable``  Drive will not give its content; ``reason`` says why
#: ``failed``       its content could not be had this time; makes the snapshot partial
Outcome = Literal["copied", "unchanged", "known", "metadata", "unavailable", "failed"]

#: How true a row is for the instant T: ``exact``; ``head-later`` (the content is from after T, the one at T could
#: not be had); ``earlier`` (it is gone from Drive: this is how a snapshot made on time before T had it);
#: ``revision`` (of the versions that Drive still lists, the newest not after T; there may have been others
#: between); ``unproven`` (Drive counts changes of a document since it was exported, and its modified time is the same);
#: ``unavailable`` (there is no content).
Fidelity = Literal["exact", "head-later", "earlier", "revision", "place-later", "unproven", "unavailable"]


#: What Drive keeps beside an item, and what a job may ask to be saved of it.
Detail = Literal["permissions", "comments", "labels", "revisions"]
#: The ``format`` of orders and results that are about details, not about content.
DETAILS = "details"


#: Two right clocks may differ by this much. What claims to be of a later time than that is not believed.
CLOCKS = timedelta(minutes=5)
#: Drive's clock and the container's may differ by this much.
DRIFT = timedelta(seconds=5)

_INSTANT = re.compile(r"\d{8}T\d{6}\.\d{3}Z", re.ASCII)


class Struct(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Base of the model: frozen, by keyword, defaults left out of the JSON."""

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values, fit for XCom (which would turn a tuple into text)."""
        result: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(self))
        return result

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Any:
        """The inverse of :meth:`to_dict`; unknown keys are ignored."""
        return msgspec.convert(data, cls)


class Source(Struct, frozen=True):
    """What is backed up as one: ``user/<email>``, ``drive/<driveId>``, ``folder/<folderId>``, ``file/<fileId>`` or
    ``shared/<email>``.
    """

    kind: SourceKind
    id: str

    def __str__(self) -> str:
        return f"{self.kind}/{self.id}"

    @property
    def user(self) -> str | None:
        """The address of the user whose eyes this source is seen with; None when any reader will do."""
        return self.id if self.kind in ("user", "shared") else None

    @property
    def rootless(self) -> bool:
        """Whether it starts at no folder, and no change feed tells all of it: a single file, and what others share."""
        return self.kind in ("file", "shared")

    @classmethod
    def parse(cls, text: str) -> Source:
        """Read ``kind/id``.

        :raises ConfigError: with what is allowed.
        """
        match = re.fullmatch(rf"({'|'.join(SOURCE_KINDS)})/([^/\s]+)", text.strip())
        if match is None:
            raise ConfigError(
                f"'{text}' is not a source. Write user/<email address>, shared/<email address>, "
                "drive/<shared drive id>, folder/<folder id> or file/<file id>, e.g. user/ann@example.com."
            )
        kind, ident = match.groups()
        return cls(kind=kind, id=ident.lower() if kind in ("user", "shared") else ident)  # type: ignore[arg-type]


#: The series of a job that nobody gave a name, and what parts a job's name from the mark of a narrowed run.
DEFAULT_SERIES = "default"
_NARROWED = "~"
_SERIES = re.compile(r"[A-Za-z0-9_-]+(?:~[0-9a-f]{8})?")


class Series(Struct, frozen=True):
    """The snapshots of one source that follow each other: those of one job, or of runs that were narrowed alike.

    :param name: the job's name; with ``~`` and a hash of what was selected, for runs whose selection was changed by
        hand.
    """

    source: Source
    name: str = DEFAULT_SERIES

    def __str__(self) -> str:
        return f"{self.source} ({self.name})"

    @property
    def job(self) -> str:
        """The name of the job that made it."""
        return self.name.partition(_NARROWED)[0]

    @property
    def narrowed(self) -> bool:
        """Whether somebody changed by hand what its runs select, so that it does not stand for the job."""
        return _NARROWED in self.name

    @staticmethod
    def narrowed_name(job: str, selection: str) -> str:
        """The name of the series of runs of a job that select something else than the job does.

        :param selection: any text that tells one selection from another.
        """
        return f"{job}{_NARROWED}{hashlib.sha256(selection.encode()).hexdigest()[:8]}"

    @staticmethod
    def is_name(text: str) -> bool:
        """Whether a text can name a series."""
        return _SERIES.fullmatch(text) is not None


def floor_ms(moment: datetime) -> datetime:
    """Drive's clock has milliseconds; an instant has no more than that."""
    moment = moment.astimezone(UTC)
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def format_instant(moment: datetime) -> str:
    """``20261123T000000.000Z``: sorts as text, and is legal in file names everywhere."""
    # Not strftime: its %Y has no leading zeros for the years before 1000, which clients may set.
    text = moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="milliseconds")
    return text.replace("-", "").replace(":", "") + "Z"


def parse_instant(text: str) -> datetime:
    """The inverse of :func:`format_instant`.

    :raises ValueError: when the text is no instant.
    """
    # Not strptime, which takes 20 times as long; what it would refuse is refused here.
    if _INSTANT.fullmatch(text) is None:
        raise ValueError(f"{text!r} is no instant.")
    return datetime.fromisoformat(text)


def is_instant(text: str) -> bool:
    """Whether a text is an instant: others may write what they like under our prefixes."""
    try:
        parse_instant(text)
    except ValueError:
        return False
    return True


class Item(Struct, frozen=True):
    """One Drive file resource, with the fields that decisions need, and the whole of it in ``resource``.

    Times are UTC. ``size`` is in bytes; a native's size is not the size of its export. Checksums are lower-case hex.
    """

    id: str
    name: str
    mime_type: str
    parents: tuple[str, ...] = ()
    created: datetime | None = None
    modified: datetime | None = None
    size: int | None = None
    md5: str | None = None
    sha256: str | None = None
    version: str | None = None
    head_revision_id: str | None = None
    trashed: bool = False
    can_download: bool | None = None
    can_list_children: bool | None = None
    drive_id: str | None = None
    resource_key: str | None = None
    export_links: dict[str, str] = {}
    resource: dict[str, Any] = {}

    @property
    def kind(self) -> ItemKind:
        """What it is: ``folder``, ``shortcut``, ``native`` (Google editor file) or ``file``.

        The name of a type is a claim, and new ones come: what has a checksum or a revision of bytes has bytes.
        """
        if self.mime_type == FOLDER:
            return "folder"
        if self.md5 or self.sha256 or self.head_revision_id:
            return "file"
        if self.mime_type == SHORTCUT or self.mime_type.startswith(NATIVE_PREFIX + "drive-sdk"):
            return "shortcut"
        return "native" if self.mime_type.startswith(NATIVE_PREFIX) else "file"

    @property
    def owners(self) -> tuple[dict[str, Any], ...]:
        """Its owners, as Drive gives them; empty in shared drives."""
        return read_objects(self.resource.get("owners"))

    @property
    def owner(self) -> str | None:
        """The address of its first owner, as Drive writes it."""
        return read_text(self.owners[0].get("emailAddress")) if self.owners else None

    def may(self, right: str) -> bool | None:
        """Whether the account has a right (a name of ``capabilities``); None when Drive does not say."""
        return read_flag(read_object(self.resource.get("capabilities")).get(right))

    @classmethod
    def from_resource(cls, resource: dict[str, Any]) -> Item:
        """Read a ``drive#file`` resource (int64 values arrive as strings, absent fields are left out).

        What cannot be read of it is not known; the resource keeps it as it came.

        :raises ValueError: it has no id, so nobody knows what it is of.
        """
        ident = read_id(read_object(resource).get("id"))
        if ident is None:
            raise ValueError("A resource without an id is not an item.")
        name, version = resource.get("name"), read_integer(resource.get("version"))
        rights = read_object(resource.get("capabilities"))
        return cls(
            id=ident,
            name=name if isinstance(name, str) else "",
            mime_type=read_text(resource.get("mimeType")) or "application/octet-stream",
            parents=read_texts(resource.get("parents")),
            created=read_time(resource.get("createdTime")),
            modified=read_time(resource.get("modifiedTime")),
            size=read_integer(resource.get("size")),
            md5=read_hex(resource.get("md5Checksum")),
            sha256=read_hex(resource.get("sha256Checksum")),
            version=None if version is None else str(version),
            head_revision_id=read_text(resource.get("headRevisionId")) or None,
            trashed=resource.get("trashed") is True,
            can_download=read_flag(rights.get("canDownload")),
            can_list_children=read_flag(rights.get("canListChildren")),
            drive_id=read_text(resource.get("driveId")) or None,
            resource_key=read_text(resource.get("resourceKey")) or None,
            export_links=read_links(resource.get("exportLinks")),
            resource=resource,
        )


#: What the bytes of a content were held against before they were stored:
#: ``checksum``  a checksum that Drive has of the file: no byte is another one
#: ``crc``       the checksums inside an export: it is whole, and no byte of what it holds is another one
#: ``whole``     the format of an export: it is whole; a changed byte in it would not have been seen
#: ``length``    a length that Drive told, and nothing else
#: ``nothing``   Drive says nothing of them, and their format has no end
Checked = Literal["checksum", "crc", "whole", "length", "nothing"]
CHECKED: tuple[Checked, ...] = get_args(Checked)


class StoredContent(Struct, frozen=True):
    """A content version that is in Blob.

    ``format`` is ``original`` for a blob's own bytes, else the extension of the export (``docx``, ``pdf`` …).
    ``checked`` is what the bytes were held against; None: nobody wrote it down.
    """

    blob: str
    format: str
    mime_type: str
    size: int
    md5: str
    sha256: str
    checked: Checked | None = None


class Revision(Struct, frozen=True):
    """An earlier version of a file. Size and MD5 are those of a file's own bytes, ``export_links`` a document's."""

    id: str
    modified: datetime
    size: int | None = None
    md5: str | None = None
    kept: bool = False
    export_links: dict[str, str] = {}

    @classmethod
    def from_resource(cls, resource: dict[str, Any]) -> Revision:
        """Read a ``drive#revision`` resource.

        :raises ValueError: it has no id, or no time that can be read.
        """
        ident, modified = read_id(read_object(resource).get("id")), None
        if ident is not None:
            modified = read_time(resource.get("modifiedTime"))
        if ident is None or modified is None:
            raise ValueError("A revision needs an id and a time that can be read.")
        return cls(
            id=ident,
            modified=modified,
            size=read_integer(resource.get("size")),
            md5=read_hex(resource.get("md5Checksum")),
            kept=resource.get("keepForever") is True,
            export_links=read_links(resource.get("exportLinks")),
        )


#: Access tiers of Blob Storage, warmest first. What is in ``archive`` cannot be read before it is rehydrated.
Tier = Literal["hot", "cool", "cold", "archive"]
#: How soon something is rehydrated: within 15 hours, or dearer, for blobs below 10 GB often within one.
Priority = Literal["standard", "high"]


class Refused(Struct, frozen=True):
    """Why Drive or Blob Storage does not do something, for good: a stable word, and a sentence."""

    reason: str
    message: str


class Root(Struct, frozen=True):
    """The folder that the source starts at, which has no row.

    ``drive`` has the settings of a shared drive, ``permissions`` its members, if the job asked for permissions.
    """

    resource: dict[str, Any] = {}
    drive: dict[str, Any] | None = None
    permissions: list[dict[str, Any]] | None = None
    refused: dict[str, Refused] = {}


class Look(Struct, frozen=True):
    """What a snapshot that was over at an instant has of an item: no client sets that.

    ``at``: a moment at which it was the item's head; None when none is known.
    """

    version: str | None = None
    at: datetime | None = None
    modified: datetime | None = None
    size: int | None = None
    md5: str | None = None
    sha256: str | None = None

    def disproves(
        self, modified: datetime | None, size: int | None, md5: str | None, sha256: str | None = None
    ) -> bool:
        """Whether another content of the item was its head after the time at which Drive says that this one came."""
        if self.at is None or modified is None or modified >= self.at - DRIFT:
            return False
        if self.sha256 is not None and sha256 is not None:
            return self.sha256 != sha256
        if self.md5 is not None and md5 is not None:
            return (self.md5, self.size) != (md5, size)
        return self.modified != modified


class CopyOrder(Struct, frozen=True):
    """Copy one content version: one file's bytes, or one export of a native.

    With ``details`` it asks for these instead: ``format`` is :data:`DETAILS` and ``blob`` empty. With fidelity
    ``head-later`` an older version is wanted: ``past`` are those that are stored, ``head`` what is stored of the head,
    ``spoilt`` the content ids that something damaged has. ``failing``: the same was tried and failed in the run before,
    so it is tried once in this one. ``doubt``: why the head, which is wanted, may not be the version of T.
    ``before``: what a snapshot of before T has of it.
    """

    item: Item
    path: str
    blob: str
    format: str = "original"
    export_mime_type: str | None = None
    fidelity: Fidelity = "exact"
    details: tuple[Detail, ...] = ()
    past: tuple[StoredContent, ...] = ()
    head: StoredContent | None = None
    spoilt: tuple[str, ...] = ()
    failing: bool = False
    doubt: str | None = None
    before: Look | None = None


class PlanRow(Struct, frozen=True):
    """What the plan decided for one item. ``copies`` counts the copies it has in batches.

    ``details`` are asked for by a further order. ``place_later`` says why name and place may not be those of T.
    ``failed_since`` is the instant of the first snapshot in a row in which the same content failed.
    """

    item: Item
    path: str
    outcome: Outcome | None = None
    contents: tuple[StoredContent, ...] = ()
    copies: int = 0
    details: tuple[Detail, ...] = ()
    fidelity: Fidelity = "exact"
    reason: str | None = None
    message: str | None = None
    place_later: str | None = None
    failed_since: datetime | None = None


class CopyResult(Struct, frozen=True):
    """What became of one order. ``content`` is there exactly when ``outcome`` is ``copied``.

    ``resource`` is the newer resource when the item had changed since it was listed. Of an order for details,
    ``details`` is what Drive gave, ``refused`` what it did not, and ``outcome`` is ``unavailable`` when anything was
    refused. ``revision`` is the older version that the content is of; ``stored`` says that it was there before.
    ``settled``: it failed, and another try of this run is of no use.
    """

    item_id: str
    format: str
    outcome: Literal["copied", "unavailable", "failed"]
    content: StoredContent | None = None
    fidelity: Fidelity = "exact"
    reason: str | None = None
    message: str | None = None
    resource: dict[str, Any] | None = None
    downloaded: int = 0
    details: dict[Detail, list[dict[str, Any]]] = {}
    refused: dict[Detail, Refused] = {}
    revision: Revision | None = None
    stored: bool = False
    settled: bool = False


class ApiUse(Struct, frozen=True):
    """Calls, quota units and bytes that were spent on Drive."""

    calls: int = 0
    units: int = 0
    bytes: int = 0

    def __add__(self, other: ApiUse) -> ApiUse:
        return ApiUse(calls=self.calls + other.calls, units=self.units + other.units, bytes=self.bytes + other.bytes)


def counted(count: int, noun: str) -> str:
    """``1 file``, ``2,000 files``."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def human_bytes(count: float) -> str:
    """``1.2 GB``: decimal units, as Drive and Azure bill them."""
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if abs(count) < 1000 or unit == "TB":
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    raise AssertionError("unreachable")

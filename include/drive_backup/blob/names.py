"""The layout of the container, format version 1: every blob name is made and read here. Pure.

    content/<kind>/<id>/<folder>/…/<file>/<modified>-<content id><.ext>
    snapshots/<kind>/<id>/<series>/<instant>[.<generation>]/items-00000.parquet, details-00000.parquet, manifest.json,
        void.json
    work/<kind>/<id>/<run>/<token>/…
    damaged/<kind>/<id>/<content id>-<hash>-<state>.json
    verified/<kind>/<id>/<period>-<day>.json
    quota/<connection>/claims/…, days/<date>/…
    stopped/<kind>/<id>/<series>/<instant>[.<generation>].json, ….settled.json
    locks/<kind>/<id>/<number>
    holds/<kind>/<id>/<series>/<instant>[.<generation>]/<tag>, ~<number of releases>
    reading/<kind>/<id>/[<series>/<instant>[.<generation>]/]<token>
    erased/<kind>/<id>/<instant>-<token>/begun.json, done.json

docs/format.md describes the same for readers who do not have this software.
"""

from __future__ import annotations

import hashlib
import re
from datetime import datetime

from include.drive_backup.blob.rules import check_name
from include.drive_backup.blob.segments import (
    MAX_SEGMENT,
    ORPHANS,
    TRASH,
    decode_segment,
    encode_segment,
    sibling_segments,
    units,
)
from include.drive_backup.errors import ConfigError
from include.drive_backup.model import (
    DEFAULT_SERIES,
    SOURCE_KINDS,
    Item,
    Series,
    Source,
    Struct,
    format_instant,
    is_instant,
    parse_instant,
)

__all__ = [
    "MAX_SEGMENT",
    "ORPHANS",
    "REST_OF_PATH",
    "TRASH",
    "UNREAD",
    "ContentName",
    "SnapshotName",
    "content_blob",
    "content_id",
    "content_identity",
    "content_prefix",
    "damaged_prefix",
    "decode_segment",
    "encode_segment",
    "erased_prefix",
    "extension_of",
    "fit_folders",
    "hold_name",
    "holds_prefix",
    "lock_name",
    "lock_prefix",
    "parse_content",
    "parse_snapshot",
    "quota_prefix",
    "reading_name",
    "reading_prefix",
    "released_name",
    "sibling_segments",
    "snapshots_prefix",
    "source_of",
    "source_path",
    "stopped_name",
    "stopped_prefix",
    "verified_prefix",
    "work_prefix",
]

FORMAT_VERSION = 1

#: UTF-16 code units and segments; the service allows 1,024 and 254.
MAX_NAME = 1000
MAX_SEGMENTS = 250
#: What tells one version of an item from another when none of it can be read.
UNREAD = ("modifiedTime", "version")
#: Begins the segment that stands for the rest of a folder path.
REST_OF_PATH = "~path-"

_NO_TIME = "00000000T000000.000Z"
_EXTENSION = re.compile(r"\.?([A-Za-z0-9]{1,16})")
_VERSION = re.compile(r"([0-9]{8}T[0-9]{6}\.[0-9]{3}Z)-([0-9a-f]{16})(\.[A-Za-z0-9]{1,16})?")
_INSTANT = re.compile(r"([0-9]{8}T[0-9]{6}\.[0-9]{3}Z)(?:\.([1-9][0-9]*))?")


class ContentName(Struct, frozen=True):
    """The parts of the name of a content blob. ``folders`` and ``segment`` are encoded."""

    source: Source
    folders: tuple[str, ...]
    segment: str
    modified: datetime | None
    content_id: str
    extension: str


class SnapshotName(Struct, frozen=True):
    """Where one generation of a snapshot is kept."""

    series: Series
    instant: str
    generation: int = 1

    @property
    def source(self) -> Source:
        """What it is a snapshot of."""
        return self.series.source

    @property
    def key(self) -> str:
        """What tells it from all other snapshots of its source: ``<series>/<id>``."""
        return f"{self.series.name}/{self.ident}"

    @property
    def shown(self) -> str:
        """What people read: the id alone means the series that has no name of its own."""
        return self.ident if self.series.name == DEFAULT_SERIES else self.key

    @property
    def ident(self) -> str:
        """What people call it: the instant, and the generation where it is not the first."""
        return self.instant if self.generation == 1 else f"{self.instant}.{self.generation}"

    @property
    def prefix(self) -> str:
        """The virtual folder, with its slash."""
        return f"{snapshots_prefix(self.series)}{self.ident}/"

    @property
    def manifest(self) -> str:
        """The blob that commits the snapshot."""
        return f"{self.prefix}manifest.json"

    @property
    def void(self) -> str:
        """The blob that says that the manifest does not count."""
        return f"{self.prefix}void.json"

    def part(self, number: int) -> str:
        """The blob of one part of the catalogue."""
        return f"{self.prefix}items-{number:05d}.parquet"

    def details(self, number: int) -> str:
        """The blob of one part of the details of items."""
        return f"{self.prefix}details-{number:05d}.parquet"

    def left(self, number: int) -> str:
        """The blob of one part of what the snapshot before had and this one has not."""
        return f"{self.prefix}left-{number:05d}.parquet"


def source_path(source: Source) -> str:
    """``user/ann@example.com``: the two segments of a source."""
    return f"{source.kind}/{encode_segment(source.id)}"


def content_prefix(source: Source) -> str:
    """Everything that is stored of a source's content is under this prefix."""
    return f"content/{source_path(source)}/"


def snapshots_prefix(of: Source | Series) -> str:
    """All snapshots of a source, or of one series of it, are under this prefix."""
    if isinstance(of, Series):
        return f"snapshots/{source_path(of.source)}/{of.name}/"
    return f"snapshots/{source_path(of)}/"


def damaged_prefix(source: Source) -> str:
    """Records of the damaged blobs of a source are under this prefix."""
    return f"damaged/{source_path(source)}/"


def verified_prefix(source: Source) -> str:
    """Records of which share of a source's content was read again are under this prefix."""
    return f"verified/{source_path(source)}/"


def work_prefix(source: Source, run: str, token: str) -> str:
    """The work area of one try of one run (no trailing slash)."""
    return f"work/{source_path(source)}/{encode_segment(run)}/{encode_segment(token)}"


def quota_prefix(group: str) -> str:
    """Where the tasks that share a quota say what they want and what they spent (no trailing slash)."""
    return f"quota/{encode_segment(group)}"


def erased_prefix(source: Source) -> str:
    """Records of what a person erased of a source are under this prefix."""
    return f"erased/{source_path(source)}/"


def lock_prefix(source: Source) -> str:
    """The lock of a source: of the blobs under this prefix the last one counts."""
    return f"locks/{source_path(source)}/"


def lock_name(source: Source, number: int) -> str:
    """One word on the lock of a source; names sort by number."""
    return f"{lock_prefix(source)}{number:010d}"


def holds_prefix(source: Source) -> str:
    """All holds on snapshots of a source are under this prefix."""
    return f"holds/{source_path(source)}/"


def hold_name(snapshot: SnapshotName, tag: str) -> str:
    """The blob that forbids to delete a snapshot."""
    return f"{holds_prefix(snapshot.source)}{snapshot.key}/{encode_segment(tag)}"


def released_name(snapshot: SnapshotName, number: int) -> str:
    """The mark of one release among the holds of a snapshot. No tag begins so: it would be encoded."""
    return f"{holds_prefix(snapshot.source)}{snapshot.key}/~{number:06d}"


def stopped_prefix(source: Source) -> str:
    """Records of when the series of a source ended are under this prefix."""
    return f"stopped/{source_path(source)}/"


def stopped_name(series: Series, ident: str, *, settled: bool = False) -> str:
    """The record that a series ended with a snapshot, or that a person has settled it."""
    return f"{stopped_prefix(series.source)}{series.name}/{ident}{'.settled' if settled else ''}.json"


def reading_prefix(source: Source) -> str:
    """Everything that says who reads snapshots of a source is under this prefix."""
    return f"reading/{source_path(source)}/"


def reading_name(source: Source, place: str, token: str) -> str:
    """The blob that protects a snapshot, or all of a source, while it is read.

    :param place: the snapshot's :attr:`SnapshotName.key`; empty: all of the source.
    """
    return f"{reading_prefix(source)}{place}{'/' if place else ''}{token}"


def extension_of(name: str, content_format: str = "original") -> str:
    """``.pdf``: the extension of an export's format, or of a file's own name; empty when it has no sane one."""
    if content_format != "original":
        return f".{content_format}"
    _, dot, last = name.rpartition(".")
    return f".{last}" if dot and _EXTENSION.fullmatch(last) else ""


def content_identity(item: Item) -> str:
    """What tells one content version of an item from another, by the best that Drive knows.

    A native has no checksum, and its ``version`` also grows when it is only shared or renamed: its modified time is
    all there is. Where that cannot be read, the version has to do.
    """
    modified = _NO_TIME if item.modified is None else format_instant(item.modified)
    if item.kind == "native" and item.modified is not None:
        return f"modified:{modified}"
    if item.kind == "native":
        return f"version:{item.version or _unread(item)}"
    if item.sha256:
        return f"sha256:{item.sha256}"
    if item.md5 and item.size is not None:
        return f"md5:{item.md5}:{item.size}"
    if item.head_revision_id:
        return f"revision:{item.head_revision_id}"
    version = item.version if item.version or item.modified else _unread(item)
    return f"state:{modified}:{item.size}:{version}"


def _unread(item: Item) -> str:
    """Stands for time and version as they came, where neither can be read: other ones mean that it changed."""
    claims = [repr(item.resource.get(key)) for key in UNREAD]
    return hashlib.sha256("\0".join(claims).encode("utf-8", "surrogatepass")).hexdigest()[:32]


def content_id(item: Item, content_format: str, copy: int = 0) -> str:
    """16 hex digits that name one content version of one item in one format, whatever its path.

    :param copy: counts the names that are taken by damaged blobs.
    """
    salt = (f"copy:{copy}",) if copy else ()
    text = "\0".join((item.id, content_format, content_identity(item), *salt))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def content_blob(
    source: Source,
    folder_path: tuple[str, ...],
    segment: str,
    modified: datetime | None,
    content: str,
    extension: str = "",
) -> str:
    """The name of a content blob.

    :param folder_path: encoded segments from the source's root down to the file's folder.
    :param segment: the file's own encoded segment, from :func:`sibling_segments`.
    :param content: from :func:`content_id`.
    :param extension: with or without its dot; left out when it is not 1 to 16 ASCII letters or digits.
    """
    suffix = _EXTENSION.fullmatch(extension)
    stamp = _NO_TIME if modified is None else format_instant(modified)
    tail = f"{segment}/{stamp}-{content}" + (f".{suffix[1]}" if suffix else "")
    prefix = content_prefix(source)
    folders = fit_folders(folder_path, MAX_NAME - units(prefix) - units(tail))
    name = prefix + "".join(f"{folder}/" for folder in folders) + tail
    check_name(name)
    return name


def fit_folders(folders: tuple[str, ...], room: int) -> tuple[str, ...]:
    """Replace the lower end of a path that is too long or too deep by one segment with the path's hash.

    :param room: UTF-16 code units for the path and a slash behind each segment.
    """
    depth = MAX_SEGMENTS - 5  # content, kind, id, file, version
    if len(folders) <= depth and sum(units(folder) + 1 for folder in folders) <= room:
        return folders
    digest = hashlib.sha256("/".join(folders).encode()).hexdigest()[:32]
    rest = f"{REST_OF_PATH}{digest}"
    kept: list[str] = []
    room -= units(rest) + 1
    for folder in folders[: depth - 1]:
        room -= units(folder) + 1
        if room < 0:
            break
        kept.append(folder)
    return (*kept, rest)


def parse_content(name: str) -> ContentName | None:
    """Read the name of a content blob; None when it is none of ours."""
    area, *middle, version = name.split("/")
    match = _VERSION.fullmatch(version)
    source = _source(middle[:2])
    if area != "content" or match is None or source is None or len(middle) < 3:
        return None
    if match[1] != _NO_TIME and not is_instant(match[1]):
        return None
    return ContentName(
        source=source,
        folders=tuple(middle[2:-1]),
        segment=middle[-1],
        modified=None if match[1] == _NO_TIME else parse_instant(match[1]),
        content_id=match[2],
        extension=match[3] or "",
    )


def parse_snapshot(name: str) -> SnapshotName | None:
    """Read the name of any blob of a snapshot; None when it is none."""
    parts = name.split("/")
    if len(parts) != 6 or parts[0] != "snapshots" or not Series.is_name(parts[3]):
        return None
    source, match = _source(parts[1:3]), _INSTANT.fullmatch(parts[4])
    if source is None or match is None or match[2] == "1" or not is_instant(match[1]):
        return None
    return SnapshotName(series=Series(source=source, name=parts[3]), instant=match[1], generation=int(match[2] or 1))


def source_of(name: str) -> Source | None:
    """The source whose name is the second and third segment of a blob's name; None when they name none."""
    return _source(name.split("/")[1:3])


def _source(segments: list[str]) -> Source | None:
    if len(segments) != 2 or segments[0] not in SOURCE_KINDS:
        return None
    try:
        source = Source(kind=segments[0], id=decode_segment(segments[1]))
        # A name that nobody could write as a source (an address with a capital letter, say) is none of ours.
        return source if Source.parse(str(source)) == source else None
    except (ValueError, ConfigError):
        return None

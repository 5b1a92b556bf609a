"""Which items of a snapshot a person wants back: by path or by id. The folders above them come along."""

from __future__ import annotations

from collections.abc import Iterable

from include.drive_backup.errors import SnapshotNotFoundError
from include.drive_backup.globs import compile_globs
from include.drive_backup.manifest.catalogue import read_rows
from include.drive_backup.manifest.manifest import Manifest
from include.drive_backup.model import Struct
from include.drive_backup.ports import BlobStore


class Selection(Struct, frozen=True):
    """What is wanted; nothing said means everything.

    :param paths: globs in gitignore's grammar, on Drive's own names: ``Reports/2026/``, ``*.docx``.
    :param ids: Drive ids of items; a folder's stands for all that it holds.
    """

    paths: tuple[str, ...] = ()
    ids: tuple[str, ...] = ()


class Entry(Struct, frozen=True):
    """As much of an item as naming needs.

    :param path: the catalogue's, unique in the snapshot.
    :param formats: of its stored contents: ``original``, or the extensions of exports.
    """

    item_id: str
    path: str
    name: str
    kind: str
    formats: tuple[str, ...] = ()

    @property
    def folder(self) -> str:
        """The path of the folder that holds it; empty at the top."""
        return self.path.rpartition("/")[0]


async def select(store: BlobStore, manifest: Manifest, selection: Selection) -> dict[str, Entry]:
    """The wanted items and the folders above them, by path, folders before what they hold.

    :raises SnapshotNotFoundError: an id or a path is not in the snapshot.
    :raises ConfigError: a glob is wrong.
    :raises CorruptStoreError: the catalogue is damaged.
    """
    columns = ["item_id", "path", "name", "kind", "contents"]
    found = [_entry(values) async for values in read_rows(store, manifest, columns)]
    entries = {entry.path: entry for entry in sorted(found, key=lambda entry: entry.path.split("/"))}
    if not selection.paths and not selection.ids:
        return entries
    wanted = set(_chosen(entries, selection, manifest))
    for path in tuple(wanted):
        wanted.update(above for above in _above(path) if above in entries)
    return {path: entry for path, entry in entries.items() if path in wanted}


def _entry(values: dict[str, object]) -> Entry:
    contents: list[dict[str, str]] = values.pop("contents") or []  # type: ignore[assignment]
    return Entry(**values, formats=tuple(content["format"] for content in contents))  # type: ignore[arg-type]


def _chosen(entries: dict[str, Entry], selection: Selection, manifest: Manifest) -> Iterable[str]:
    globs = compile_globs(selection.paths) if selection.paths else None
    ids, folders, matched = set(selection.ids), set[str](), False
    for path, entry in entries.items():
        by_id = entry.item_id in ids or any(above in folders for above in _above(path))
        by_path = globs is not None and globs.match_file(drive_path(entries, entry))
        matched = matched or by_path
        if by_id and entry.kind == "folder":
            folders.add(path)
        if by_id or by_path:
            yield path
    missing = sorted(ids - {entry.item_id for entry in entries.values()})
    if missing:
        raise SnapshotNotFoundError(_NOT_THERE.format(what=", ".join(missing), where=manifest.name.manifest))
    if globs is not None and not matched:
        raise SnapshotNotFoundError(_NOT_THERE.format(what=" ".join(selection.paths), where=manifest.name.manifest))


_NOT_THERE = (
    "Nothing in {where} is '{what}'. `drive-backup ls` shows what a snapshot holds, `drive-backup find` looks into all "
    "snapshots of a source."
)


def drive_path(entries: dict[str, Entry], entry: Entry) -> str:
    """``/Reports/2026/``: Drive's own names, for globs and for people; a folder ends with a slash."""
    above = (entries[path].name if path in entries else path.rpartition("/")[2] for path in _above(entry.path))
    return "/" + "/".join((*above, entry.name)) + ("/" if entry.kind == "folder" else "")


def _above(path: str) -> list[str]:
    """The paths of the folders above, from the top down."""
    segments = path.split("/")
    return ["/".join(segments[:end]) for end in range(1, len(segments))]

"""Which items of a snapshot a person wants back: by path or by id. The folders above them come along."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any

from msgspec.structs import replace

from include.drive_backup.errors import SnapshotNotFoundError
from include.drive_backup.glob_watch import GlobWatch, sentences
from include.drive_backup.globs import compile_globs
from include.drive_backup.globs import folded as caseless
from include.drive_backup.manifest.catalogue import read_rows, read_rows_there_are
from include.drive_backup.manifest.manifest import Manifest
from include.drive_backup.model import Struct
from include.drive_backup.paths import ItemPath, item_path, shown_path
from include.drive_backup.ports import BlobStore
from include.drive_backup.printing import visible
from include.drive_backup.restore.folding import folded

log = logging.getLogger(__name__)
#: Paths in a sentence.
_NAMED = 3


class Selection(Struct, frozen=True):
    """What is wanted; nothing said means everything.

    :param paths: globs in gitignore's grammar, on shown paths and on Drive's own names: ``/Reports/2026/``, ``*.docx``.
    :param ids: Drive ids of items; a folder's stands for all that it holds.
    """

    paths: tuple[str, ...] = ()
    ids: tuple[str, ...] = ()


class Entry(Struct, frozen=True):
    """As much of an item as naming needs.

    :param path: the catalogue's, unique in the snapshot.
    :param formats: of its stored contents: ``original``, or the extensions of exports.
    :param size: bytes of all its stored contents.
    :param not_saved: what the backup does not have of it, as a sentence.
    :param twin: another item of its folder in the snapshot may be restored under the same name, wanted or not.
    :param later: an item before it in its folder may have a name that some file system takes for its own.
    :param asked: it was named itself, not only a folder that holds it.
    """

    item_id: str
    path: str
    name: str
    kind: str
    formats: tuple[str, ...] = ()
    size: int = 0
    not_saved: str | None = None
    twin: bool = False
    later: bool = False
    asked: bool = False

    @property
    def folder(self) -> str:
        """The path of the folder that holds it; empty at the top."""
        return self.path.rpartition("/")[0]

    @property
    def shown(self) -> str:
        """The path that people read."""
        return shown_path(self.path, folder=self.kind == "folder")


async def select(
    store: BlobStore, manifest: Manifest, selection: Selection, note: Callable[[str], None] = log.warning
) -> dict[str, Entry]:
    """The wanted items and the folders above them, by path, folders before what they hold.

    :param note: gets a sentence for each glob that may not mean what its author thinks.
    :raises SnapshotNotFoundError: an id is not in the snapshot, or a glob fits nothing there.
    :raises ConfigError: a glob is wrong.
    :raises CorruptStoreError: the catalogue is damaged.
    """
    columns = ["item_id", "path", "name", "kind", "contents", "outcome", "reason", "message"]
    found = [_entry(values) async for values in read_rows(store, manifest, columns)]
    entries = marked_twins(sorted(found, key=lambda entry: entry.path.split("/")))
    if not selection.paths and not selection.ids:
        return entries
    wanted = dict(_chosen(entries, selection, manifest, note))
    entries |= {path: replace(entries[path], asked=True) for path, asked in wanted.items() if asked}
    for path in tuple(wanted):
        wanted.update((above, False) for above in _above(path) if above in entries)
    return {path: entry for path, entry in entries.items() if path in wanted}


def marked_twins(entries: Iterable[Entry]) -> dict[str, Entry]:
    """The entries by path; those that share a name with another one of their folder are marked.

    :param entries: in the catalogue's order.
    """
    exact: dict[tuple[str, str], str] = {}
    alike: dict[tuple[str, str], str] = {}
    found: dict[str, Entry] = {}
    for entry in entries:
        exports = export_names(entry)
        twins = {exact.setdefault((entry.folder, name), entry.path) for name in (entry.name, *exports)} - {entry.path}
        names = {folded(name) for name in exports or (entry.name,)}
        later = {alike.setdefault((entry.folder, name), entry.path) for name in names} - {entry.path}
        found[entry.path] = replace(entry, twin=True, later=True) if twins else replace(entry, later=bool(later))
        found |= {other: replace(found[other], twin=True) for other in twins}
    return found


def twins_of(entries: Iterable[Entry]) -> set[str]:
    """The paths of those that share their name with another item of their folder."""
    return {entry.path for entry in entries if entry.twin}


def export_names(entry: Entry) -> list[str]:
    """What the exports of a Google document are called where they are restored as files."""
    exports = (each for each in entry.formats if each != "original")
    return [f"{entry.name.removesuffix(f'.{each}')}.{each}" for each in exports]


def _entry(values: dict[str, Any]) -> Entry:
    contents: list[dict[str, Any]] = values.pop("contents") or []
    formats = tuple(content["format"] for content in contents)
    said = (values.pop("outcome"), values.pop("reason"), values.pop("message"))
    why = why_not_saved(values["kind"], *said, stored=bool(contents))
    size = sum(content["size"] for content in contents)
    return Entry(**values, formats=formats, size=size, not_saved=None if why is None else why[1])


def why_not_saved(
    kind: str, outcome: str, reason: str | None, message: str | None, *, stored: bool
) -> tuple[str, str] | None:
    """What the backup does not have of an item: a stable word, and a sentence. None: it has all.

    A row says so in several ways: nothing is stored of a file; a folder did not show what it holds; of several exports
    one was refused; something failed.

    :param stored: some content of it is in the backup.
    """
    bare = kind in ("file", "native") and not stored
    if not bare and reason is None and outcome not in ("unavailable", "failed"):
        return None
    without = "some of it" if stored else "without content"
    return reason or outcome, message or f"The snapshot records it as '{outcome}', {without}."


def _chosen(
    entries: dict[str, Entry], selection: Selection, manifest: Manifest, note: Callable[[str], None]
) -> Iterable[tuple[str, bool]]:
    """The paths of what is wanted, and whether each was named itself."""
    fitting = _fitting(entries, selection.paths, manifest, note) if selection.paths else frozenset()
    ids, whole, by_glob = set(selection.ids), set[str](), set[str]()
    for path, entry in entries.items():
        by_id = entry.item_id in ids or any(above in whole for above in _above(path))
        by_path = path in fitting
        if by_id and entry.kind == "folder":
            whole.add(path)
        if by_path and entry.kind == "folder":
            by_glob.add(path)
        if by_id or by_path:
            named = entry.item_id in ids or (by_path and entry.folder not in by_glob)
            yield path, named
    missing = sorted(ids - {entry.item_id for entry in entries.values()})
    if missing:
        raise SnapshotNotFoundError(_NOT_THERE.format(what=", ".join(missing), where=manifest.name.manifest))


def _fitting(
    entries: Mapping[str, Entry], paths: Sequence[str], manifest: Manifest, note: Callable[[str], None]
) -> AbstractSet[str]:
    """The paths of what globs select.

    :raises SnapshotNotFoundError: one of them fits nothing.
    """
    globs, watch, found = compile_globs(paths), GlobWatch(paths), set[str]()
    folders = {path: entry.name for path, entry in entries.items() if entry.kind == "folder"}
    for path, entry in entries.items():
        place = item_path(folders, path, entry.name, entry.kind)
        watch.see(place)
        if globs.match(place):
            found.add(path)
    nothing = [glob for glob in watch.unfit.idle if not glob.startswith("!")]
    said = list(sentences(watch.unfit))
    if nothing or not found:
        what, other = "' or '".join(nothing or paths), _in_other_case(entries, folders, nothing)
        raise SnapshotNotFoundError(
            " ".join([_NOT_THERE.format(what=what, where=manifest.name.manifest), *other, *said])
        )
    for sentence in said:
        note(sentence)
    return found


def _in_other_case(entries: Mapping[str, Entry], folders: Mapping[str, str], globs: Sequence[str]) -> Iterable[str]:
    """What globs would select if upper and lower case were the same, without what is in a folder of these."""
    alike, found, whole = compile_globs(globs, caseless), list[str](), "\0"
    for path, entry in entries.items():
        if not path.startswith(whole) and alike.match(item_path(folders, path, entry.name, entry.kind)):
            found.append(entry.shown)
            whole = f"{path}/" if entry.kind == "folder" else whole
    if found:
        more = f" and {len(found) - _NAMED:,} more" if len(found) > _NAMED else ""
        named = ", ".join(f"'{visible(each)}'" for each in found[:_NAMED])
        yield f"In other upper and lower case there is: {named}{more}."


_NOT_THERE = (
    "Nothing in {where} is '{what}'. `drive-backup ls` shows what a snapshot holds, `drive-backup find` looks into all "
    "snapshots of a source."
)


async def drive_rows(
    store: BlobStore, manifest: Manifest, columns: Sequence[str], damaged: Callable[[str], None]
) -> AsyncIterator[tuple[ItemPath, dict[str, Any]]]:
    """The rows of a snapshot with where they are, in the catalogue's order; only folders are held in memory.

    :param columns: besides ``path``, ``name`` and ``kind``.
    :param damaged: gets a sentence for each part of the catalogue that cannot be read; its rows are left out.
    """
    needed = ["path", "name", "kind"]
    rows = read_rows_there_are(store, manifest, needed, damaged)
    folders = {row["path"]: row["name"] async for row in rows if row["kind"] == "folder"}
    async for row in read_rows_there_are(store, manifest, list(dict.fromkeys([*needed, *columns])), damaged):
        yield item_path(folders, row["path"], row["name"], row["kind"]), row


def _above(path: str) -> list[str]:
    """The paths of the folders above, from the top down."""
    segments = path.split("/")
    return ["/".join(segments[:end]) for end in range(1, len(segments))]

"""Look into the backup: sources, snapshots, ls, diff."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Annotated, Any

import typer

from include.drive_backup.blob.names import snapshots_prefix
from include.drive_backup.cli.app import Session, app
from include.drive_backup.cli.choose import choose
from include.drive_backup.cli.people import named_source
from include.drive_backup.cli.snapshot_facts import SnapshotReader
from include.drive_backup.errors import SnapshotNotFoundError
from include.drive_backup.globs import composed, folded
from include.drive_backup.manifest.catalogue import sizes_of
from include.drive_backup.manifest.compare import compare, states_between
from include.drive_backup.manifest.manifest import Manifest
from include.drive_backup.manifest.narrowed import selection_text
from include.drive_backup.manifest.repository import SnapshotRepository
from include.drive_backup.paths import ItemPath
from include.drive_backup.ports import BlobStore
from include.drive_backup.restore.selection import drive_rows
from include.drive_backup.retention.holds import read_holds
from include.drive_backup.stopped import Stopped, state_of

SourceArgument = Annotated[str, typer.Argument(help="e.g. user/ann@example.com; `drive-backup sources` lists them.")]
SeriesOption = Annotated[
    str | None,
    typer.Option("--series", help="Of this series: a job's name, or as `drive-backup snapshots` shows it."),
]
At = Annotated[
    str,
    typer.Option(
        "--at",
        help="A snapshot's id, also as `SERIES/ID`; `latest`; or a time: the newest complete one then. A date means "
        "its end.",
    ),
]
ZoneOption = Annotated[
    str,
    typer.Option(
        "--time-zone",
        envvar="DRIVE_BACKUP_TIME_ZONE",
        help="In which dates, and times that name no zone, are: a name such as Europe/Berlin.",
    ),
]


sources_app = typer.Typer(name="sources", invoke_without_command=True, rich_markup_mode="markdown")
app.add_typer(sources_app)


@sources_app.callback(epilog="Examples: `drive-backup sources`; whose is whose: `drive-backup sources alias`")
def sources(context: typer.Context) -> None:
    """List what is backed up, each with its newest snapshot."""
    session: Session = context.obj
    if context.invoked_subcommand is not None:
        return

    async def find(store: BlobStore) -> list[dict[str, Any]]:
        repository = SnapshotRepository(store)
        there, found = dict[str, int](), []
        reader = SnapshotReader(store, there)
        for series in await repository.all_series():
            names = await repository.names(series)
            there |= await sizes_of(store, names[-1].prefix)
            newest = await reader.facts(names[-1])
            found.append({"source": str(series.source), "snapshots": len(names), **newest})
        return found

    columns = ("source", "series", "snapshots", "snapshot", "time", "status", "items", "bytes", "note")
    _show(session, session.run(find), columns)


@app.command(epilog="Example: `drive-backup snapshots user/ann@example.com`")
def snapshots(context: typer.Context, source: SourceArgument, series: SeriesOption = None) -> None:
    """List the snapshots of a source, oldest first; those that are held, or were selected by hand, are marked."""
    session: Session = context.obj

    async def find(store: BlobStore) -> list[dict[str, Any]]:
        repository = SnapshotRepository(store)
        whose = await named_source(session.output, store, source)
        names = await repository.some_names(whose, series)
        # Before the manifests are read: parts that retention deletes are gone only after their manifest.
        reader = SnapshotReader(store, await sizes_of(store, snapshots_prefix(whose)))
        held = await read_holds(store, whose)
        for each in dict.fromkeys(name.series for name in names):
            state = await state_of(store, each)
            session.output.note(str(state) if isinstance(state, Stopped) and state.left else None)
        return [{**await reader.facts(name), "held": list(held.get(name.key, ()))} for name in names]

    columns = ("snapshot", "series", "time", "kind", "status", "items", "copied", "not_saved", "bytes", "held", "note")
    _show(session, session.run(find), columns)


def _show(session: Session, rows: list[dict[str, Any]], columns: tuple[str, ...]) -> None:
    session.output.rows(rows, columns)
    for row in rows:
        if row.get("status") == "damaged":
            session.output.flaw(row["message"])


@app.command(epilog="Example: `drive-backup ls user/ann@example.com /Reports/2026 --at 2026-11-01`")
def ls(
    context: typer.Context,
    source: SourceArgument,
    path: Annotated[str, typer.Argument(help="A folder or file, as it is shown here, or in Drive's own names.")] = "/",
    at: At = "latest",
    recursive: Annotated[bool, typer.Option("--recursive", "-r", help="And all below it.")] = False,
    series: SeriesOption = None,
    time_zone: ZoneOption = "UTC",
) -> None:
    """List a folder of a snapshot."""
    session: Session = context.obj

    async def find(store: BlobStore) -> list[dict[str, Any]]:
        manifest = await choose(session, store, source, at, series, time_zone)
        damaged: dict[str, None] = {}  # each once, in order
        rows = drive_rows(store, manifest, COLUMNS, damaged.setdefault)
        try:
            return await _inside(rows, path, recursive=recursive)
        finally:
            for why in damaged:
                session.output.flaw(f"Some of the snapshot cannot be read, so items may be missing here. {why}")

    session.output.rows(session.run(find), ("kind", "size", "modified", "outcome", "id", "path"))


COLUMNS = ("item_id", "modified", "outcome", "reason", "contents")


async def _inside(
    rows: AsyncIterator[tuple[ItemPath, dict[str, Any]]], folder: str, *, recursive: bool
) -> list[dict[str, Any]]:
    """The rows in a folder, by path; of a path that is no folder, its own row.

    Where nothing has exactly this path, upper and lower case are the same.

    :raises SnapshotNotFoundError: there is no such folder.
    """
    exactly = _Folder(composed, folder, recursive=recursive)
    alike = _Folder(folded, folder, recursive=recursive)
    async for path, row in rows:
        for each in (exactly, alike):
            each.take(path, row)
    for each in (exactly, alike):
        if each.there:
            return sorted(each.found, key=lambda row: row["path"].split("/"))
    raise SnapshotNotFoundError(
        f"There is no folder or file '{folder}' in what can be read; list the one above it, or look for a part of its "
        "name with `drive-backup find`."
    )


class _Folder:
    """What is in a folder, which is named as it is shown, or in Drive's own names.

    :param read_as: makes equal what counts as the same name.
    """

    def __init__(self, read_as: Callable[[str], str], folder: str, *, recursive: bool) -> None:
        self.found: list[dict[str, Any]] = []
        self._read_as = read_as
        self._folder = read_as(folder.strip("/"))
        self._recursive = recursive
        self.there = not self._folder

    def take(self, path: ItemPath, row: dict[str, Any]) -> None:
        """Look at a row."""
        below = self._below(path)
        if below is None:
            return
        self.there = True
        wanted = not path.folder if not below else self._recursive or below == 1
        if wanted:
            self.found.append(shown(path, row))

    def _below(self, path: ItemPath) -> int | None:
        """How many levels below the folder an item is; None when it is elsewhere."""
        if not self._folder:
            return len(path.segments)
        for parts, whole in ((path.segments, path.shown), (path.names, path.literal)):
            # A name may have slashes, so that levels cannot be counted in the text.
            if self._read_as(whole).startswith(f"/{self._folder}"):
                for end in range(1, len(parts) + 1):
                    if self._read_as("/".join(parts[:end]).strip("/")) == self._folder:
                        return len(parts) - end
        return None


def shown(path: ItemPath, row: dict[str, Any]) -> dict[str, Any]:
    """What is printed of an item."""
    return {
        "path": path.shown,
        "id": row["item_id"],
        "kind": row["kind"],
        "size": sum(content["size"] or 0 for content in row["contents"] or ()),
        "modified": row["modified"],
        "outcome": row["outcome"],
        "reason": row["reason"],
        "sha256": [content["sha256"] for content in row["contents"] or ()],
        "blobs": [content["blob"] for content in row["contents"] or ()],
    }


@app.command(epilog="Example: `drive-backup diff user/ann@example.com 2026-11-01 latest`")
def diff(
    context: typer.Context,
    source: SourceArgument,
    before: Annotated[
        str, typer.Argument(metavar="A", help="A snapshot's id, also as `SERIES/ID`; `latest`; or a time.")
    ],
    after: Annotated[str, typer.Argument(metavar="B", help="Another one, in the same way.")] = "latest",
    series: SeriesOption = None,
    time_zone: ZoneOption = "UTC",
) -> None:
    """Show what differs between two snapshots."""
    session: Session = context.obj

    async def look(store: BlobStore) -> list[dict[str, Any]]:
        first = await choose(session, store, source, before, series, time_zone)
        second = await choose(session, store, source, after, series, time_zone)
        session.output.note(_across(first, second))
        states = await states_between(store, first, second, session.output.flaw)
        return [{**change.to_dict(), "id": change.item_id} async for change in compare(store, first, second, states)]

    rows = session.run(look)
    session.output.rows(rows, ("change", "state", "id", "path", "was"))


def _across(first: Manifest, second: Manifest) -> str | None:
    """What to say when two snapshots do not select the same: then an item may be in one only for that reason."""
    if first.series == second.series and first.selection == second.selection:
        return None
    return (
        f"These snapshots were made with different selections ({first.series}: {selection_text(first.selection)}; "
        f"{second.series}: {selection_text(second.selection)}). Items may be in one of them only for that reason."
    )

"""Look into the backup: sources, snapshots, ls, find, diff."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated, Any

import typer

from include.drive_backup.cli.app import Session, app
from include.drive_backup.errors import CorruptStoreError, SnapshotNotFoundError
from include.drive_backup.globs import compile_globs
from include.drive_backup.manifest.compare import compare, states_between
from include.drive_backup.manifest.manifest import Manifest
from include.drive_backup.manifest.narrowed import narrowed_note, selection_text
from include.drive_backup.manifest.newer import newer_note
from include.drive_backup.manifest.repository import SnapshotRepository
from include.drive_backup.model import Source, parse_instant
from include.drive_backup.ports import BlobStore
from include.drive_backup.restore.selection import drive_rows

SourceArgument = Annotated[str, typer.Argument(help="e.g. user/ann@example.com; `drive-backup sources` lists them.")]
SeriesOption = Annotated[
    str | None,
    typer.Option("--series", help="Of this series: a job's name, or as `drive-backup snapshots` shows it."),
]
At = Annotated[str, typer.Option("--at", help="A snapshot's id, `latest`, or a time: the newest complete one then.")]


@app.command(epilog="Example: `drive-backup sources`")
def sources(context: typer.Context) -> None:
    """List what is backed up, each with its newest snapshot."""
    session: Session = context.obj

    async def find(store: BlobStore) -> list[dict[str, Any]]:
        repository = SnapshotRepository(store)
        found = []
        for series in await repository.all_series():
            names = await repository.names(series)
            newest = await _readable(repository, names[-1])
            found.append({"source": str(series.source), "snapshots": len(names), **newest})
        return found

    columns = ("source", "series", "snapshots", "snapshot", "time", "status", "items", "bytes", "note")
    session.output.rows(session.run(find), columns)


@app.command(epilog="Example: `drive-backup snapshots user/ann@example.com`")
def snapshots(context: typer.Context, source: SourceArgument, series: SeriesOption = None) -> None:
    """List the snapshots of a source, oldest first; those that were narrowed by hand are marked."""
    session: Session = context.obj

    async def find(store: BlobStore) -> list[dict[str, Any]]:
        repository = SnapshotRepository(store)
        names = await repository.some_names(Source.parse(source), series)
        return [await _readable(repository, name) for name in names]

    columns = ("snapshot", "series", "time", "kind", "status", "items", "copied", "not_saved", "bytes", "note")
    session.output.rows(session.run(find), columns)


async def _readable(repository: SnapshotRepository, name: Any) -> dict[str, Any]:
    try:
        manifest = await repository.read(name)
    except CorruptStoreError as error:
        facts = {"snapshot": name.ident, "series": name.series.name, "time": _time(name.instant)}
        return {**facts, "status": "damaged", "message": str(error)}
    return {} if manifest is None else _facts(manifest)


def _facts(manifest: Manifest) -> dict[str, Any]:
    return {
        "snapshot": manifest.name.ident,
        "series": manifest.series,
        "time": _time(manifest.instant),
        "kind": manifest.kind,
        "status": manifest.status,
        "items": manifest.items,
        "copied": manifest.counts.get("copied", 0),
        "not_saved": manifest.counts.get("unavailable", 0) + manifest.counts.get("failed", 0),
        "bytes": sum(manifest.bytes.values()),
        "note": f"narrowed by hand: {selection_text(manifest.selection)}" if manifest.narrowed else None,
        "narrowed": manifest.narrowed,
        "manifest": manifest.name.manifest,
    }


def _time(instant: str) -> str:
    return f"{parse_instant(instant):%Y-%m-%d %H:%M:%S}Z"


@app.command(epilog="Example: `drive-backup ls user/ann@example.com /Reports/2026 --at 2026-11-01`")
def ls(
    context: typer.Context,
    source: SourceArgument,
    path: Annotated[str, typer.Argument(help="A folder, in Drive's own names.")] = "/",
    at: At = "latest",
    recursive: Annotated[bool, typer.Option("--recursive", "-r", help="And all below it.")] = False,
    series: SeriesOption = None,
) -> None:
    """List a folder of a snapshot."""
    session: Session = context.obj

    async def find(store: BlobStore) -> list[dict[str, Any]]:
        manifest = await SnapshotRepository(store).find(Source.parse(source), at, series)
        session.output.note(await narrowed_note(store, manifest))
        session.output.note(await newer_note(store, manifest, at))
        return await _inside(drive_rows(store, manifest, _COLUMNS), path, recursive=recursive)

    session.output.rows(session.run(find), ("kind", "size", "modified", "outcome", "id", "path"))


_COLUMNS = ("item_id", "modified", "outcome", "reason", "contents")


async def _inside(
    rows: AsyncIterator[tuple[str, dict[str, Any]]], folder: str, *, recursive: bool
) -> list[dict[str, Any]]:
    """The rows in a folder, by path.

    :raises SnapshotNotFoundError: there is no such folder.
    """
    prefix = f"/{folder.strip('/')}/".replace("//", "/")
    found, there = [], prefix == "/"
    async for path, row in rows:
        there = there or path == prefix
        below = path.removeprefix(prefix)
        if below and below != path and (recursive or "/" not in below.rstrip("/")):
            found.append(_shown(path, row))
    if not there:
        raise SnapshotNotFoundError(f"There is no folder '{folder}' in this snapshot; list the one above it.")
    return sorted(found, key=lambda row: row["path"].split("/"))


def _shown(path: str, row: dict[str, Any]) -> dict[str, Any]:
    return {
        "path": path,
        "id": row["item_id"],
        "kind": row["kind"],
        "size": sum(content["size"] for content in row["contents"] or ()),
        "modified": None if row["modified"] is None else f"{row['modified']:%Y-%m-%d %H:%M}",
        "outcome": row["outcome"],
        "reason": row["reason"],
        "sha256": [content["sha256"] for content in row["contents"] or ()],
        "blobs": [content["blob"] for content in row["contents"] or ()],
    }


@app.command(epilog="Example: `drive-backup find user/ann@example.com 'Budget*.xlsx'`")
def find(
    context: typer.Context,
    source: SourceArgument,
    pattern: Annotated[str, typer.Argument(help="A glob as in .gitignore, on Drive's own names, or an item's id.")],
    series: SeriesOption = None,
) -> None:
    """Look for items in all snapshots of a source: each version once, with the first and last snapshot that has it.

    All series are looked into, unless one is named.
    """
    session: Session = context.obj

    async def look(store: BlobStore) -> list[dict[str, Any]]:
        globs, repository = compile_globs([pattern]), SnapshotRepository(store)
        found: dict[tuple[Any, ...], dict[str, Any]] = {}
        for name in await repository.names_in(Source.parse(source), series):
            manifest = await repository.try_read(name)
            if manifest is None:
                continue
            async for path, row in drive_rows(store, manifest, _COLUMNS):
                if row["item_id"] == pattern or globs.match_file(path):
                    shown = _shown(path, row)
                    key = (name.series.name, shown["id"], path, *shown["sha256"])
                    first = {**shown, "series": name.series.name, "first": name.ident}
                    found.setdefault(key, first)["last"] = name.ident
        return list(found.values())

    rows = session.run(look)
    session.output.rows(rows, ("path", "size", "modified", "first", "last", "series", "id"))
    if not rows:
        session.output.say(f"No snapshot of {source} has anything like '{pattern}'.")
        raise typer.Exit(1)


@app.command(epilog="Example: `drive-backup diff user/ann@example.com 2026-11-01 latest`")
def diff(
    context: typer.Context,
    source: SourceArgument,
    before: Annotated[str, typer.Argument(metavar="A", help="A snapshot, as in --at.")],
    after: Annotated[str, typer.Argument(metavar="B", help="Another one.")] = "latest",
    series: SeriesOption = None,
) -> None:
    """Show what differs between two snapshots."""
    session: Session = context.obj

    async def look(store: BlobStore) -> list[dict[str, Any]]:
        repository = SnapshotRepository(store)
        first = await repository.find(Source.parse(source), before, series)
        second = await repository.find(Source.parse(source), after, series)
        session.output.note(_across(first, second))
        states = await states_between(store, first, second)
        return [change.to_dict() async for change in compare(store, first, second, states)]

    rows = session.run(look)
    session.output.rows(rows, ("change", "path", "was", "state", "item_id"))


def _across(first: Manifest, second: Manifest) -> str | None:
    """What to say when two snapshots do not select the same: then an item may be in one only for that reason."""
    if first.series == second.series and first.selection == second.selection:
        return None
    return (
        f"These snapshots were made with different selections ({first.series}: {selection_text(first.selection)}; "
        f"{second.series}: {selection_text(second.selection)}). Items may be in one of them only for that reason."
    )

"""``drive-backup restore``: bring a snapshot, or a part of it, back into a folder."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

from include.drive_backup.cli.app import Session, app
from include.drive_backup.cli.browse import At, SourceArgument
from include.drive_backup.manifest.manifest import Manifest
from include.drive_backup.manifest.repository import SnapshotRepository
from include.drive_backup.model import Source, human_bytes
from include.drive_backup.ports import BlobStore
from include.drive_backup.restore.local import LocalFolder
from include.drive_backup.restore.naming import local_names
from include.drive_backup.restore.orders import Conflict, RestoreResult
from include.drive_backup.restore.run import restore as run_restore
from include.drive_backup.restore.selection import Entry, Selection, select


@app.command(
    epilog="Examples: `drive-backup restore user/ann@example.com --to ./ann`; one folder as it was: "
    "`drive-backup restore user/ann@example.com --at 2026-11-01 --path '/Reports/2026/' --to ./reports`"
)
def restore(
    context: typer.Context,
    source: SourceArgument,
    to: Annotated[Path, typer.Option(help="The folder to restore into; made if it is not there.")],
    at: At = "latest",
    path: Annotated[
        list[str] | None, typer.Option(help="A glob as in .gitignore, on Drive's own names; may be repeated.")
    ] = None,
    item: Annotated[
        list[str] | None, typer.Option("--id", help="A Drive id; a folder's brings all that it holds.")
    ] = None,
    conflict: Annotated[
        Conflict, typer.Option(help="When another file has the name: write a copy beside it, skip it, or replace it.")
    ] = "copy",
    dry_run: Annotated[bool, typer.Option("--dry-run", "-n", help="Only show what would be restored.")] = False,
) -> None:
    """Restore into a local folder. Nothing is written outside of it, and what is there already is not written again."""
    session: Session = context.obj
    selection = Selection(paths=tuple(path or ()), ids=tuple(item or ()))

    async def bring_back(store: BlobStore) -> Counter[str]:
        manifest = await SnapshotRepository(store).find(Source.parse(source), at)
        wanted = await select(store, manifest, selection)
        session.output.say(_heading(manifest, wanted))
        if dry_run:
            session.output.rows((entry.to_dict() for entry in wanted.values()), ("kind", "size", "path"))
            return Counter()
        return await _with_progress(session, store, manifest, wanted, to, conflict)

    counts = session.run(bring_back)
    if not dry_run:
        session.output.say(_summary(counts, to))
    if counts["failed"] or counts["not-saved"]:
        raise typer.Exit(1)


async def _with_progress(
    session: Session, store: BlobStore, manifest: Manifest, wanted: dict[str, Entry], to: Path, conflict: Conflict
) -> Counter[str]:
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    size = sum(entry.size for entry in wanted.values())
    with Progress(*columns, TimeRemainingColumn(), console=session.output.progress, transient=True) as progress:
        bar = progress.add_task("Restoring", total=size)

        def report(result: RestoreResult) -> None:
            progress.advance(bar, wanted[result.path].size if result.path in wanted else 0)
            if session.output.as_json:
                session.output.line(result.to_dict())
            elif result.outcome in ("failed", "not-saved", "skipped", "left-out"):
                session.output.rows([result.to_dict()], ("outcome", "path", "message"))

        destination = LocalFolder(to, local_names(wanted.values()), store, conflict)
        return await run_restore(store, manifest, wanted, destination, report)


def _heading(manifest: Manifest, wanted: dict[str, Entry]) -> str:
    size = human_bytes(sum(entry.size for entry in wanted.values()))
    partial = "" if manifest.status == "complete" else " This snapshot is PARTIAL: some files are not in it."
    return f"{manifest.source} as of {manifest.name.ident}: {len(wanted)} items, {size}.{partial}"


def _summary(counts: Counter[str], to: Path) -> str:
    said = ", ".join(f"{count} {outcome}" for outcome, count in counts.items() if outcome != "bytes")
    return f"{said or 'nothing to restore'}; {human_bytes(counts['bytes'])} written to {to}."

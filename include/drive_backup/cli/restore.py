"""``drive-backup restore``: bring a snapshot, or a part of it, back into a folder, Drive or a Blob container."""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import typer

from include.drive_backup.cli.app import Session, app
from include.drive_backup.cli.browse import At, SeriesOption, SourceArgument, ZoneOption
from include.drive_backup.cli.choose import choose
from include.drive_backup.cli.connect import open_target_store
from include.drive_backup.cli.drive import Google, open_drive
from include.drive_backup.cli.people import named_place
from include.drive_backup.cli.rehydrate import Rehydration, foretell, make_readable
from include.drive_backup.cli.restore_progress import RestoreProgress, left_out_sentences, told_how_it_ended
from include.drive_backup.clock import SystemClock
from include.drive_backup.errors import ConfigError
from include.drive_backup.manifest.manifest import Manifest
from include.drive_backup.model import Priority, Source, counted, human_bytes
from include.drive_backup.ports import BlobStore, TargetStore
from include.drive_backup.protection import Reader, protected
from include.drive_backup.restore.container import TargetContainer
from include.drive_backup.restore.container_names import container_names
from include.drive_backup.restore.container_target import check_target, clean_prefix
from include.drive_backup.restore.drive import DriveFolder
from include.drive_backup.restore.drive_place import parse_drive_place
from include.drive_backup.restore.drive_target import open_target
from include.drive_backup.restore.local_target import open_local
from include.drive_backup.restore.orders import Conflict, shortfall
from include.drive_backup.restore.permissions import read_permissions
from include.drive_backup.restore.person import check_person
from include.drive_backup.restore.selection import Entry, Selection, select, twins_of
from include.drive_backup.restore.tally import kinds_of

#: A write costs Drive more than a read, and it takes few at once from one user.
_DRIVE_IN_FLIGHT = 8


@dataclass(frozen=True)
class _Into:
    """Where to, and how."""

    folder: Path | None
    container: str | None
    prefix: str
    drive: Source | None
    google: Google
    conflict: Conflict
    merge: bool
    permissions: bool
    person: str | None = None

    async def settled(self, store: BlobStore, written: str, source: Source) -> _Into:
        """With the address that the person has now."""
        if self.drive is None:
            return self
        drive, person = await named_place(store, written, source, self.drive)
        return replace(self, drive=drive, person=person if self.google.acts_as in (None, drive.user) else None)

    def __str__(self) -> str:
        return str(self.folder or self.drive or f"{(self.container or '').partition('?')[0]}/{self.prefix}")


@app.command(
    epilog="Examples: `drive-backup restore user/ann@example.com --to ./ann`; one folder as it was: "
    "`drive-backup restore user/ann@example.com --at 2026-11-01 --path '/Reports/2026/' --to ./reports`; back into "
    "Drive: `drive-backup restore user/ann@example.com --to-drive user/ann@example.com --google-key key.json`; into "
    "another container: `drive-backup restore user/ann@example.com --to-container https://ACCOUNT.blob.core.windows.net/restored`"
)
def restore(
    context: typer.Context,
    source: SourceArgument,
    *,
    to: Annotated[Path | None, typer.Option(help="The local folder to restore into; made if it is not there.")] = None,
    to_drive: Annotated[
        str | None,
        typer.Option(
            help="Restore into Drive instead, into a new folder there: user/EMAIL, drive/ID of a shared drive, or "
            "folder/ID."
        ),
    ] = None,
    to_container: Annotated[
        str | None,
        typer.Option(
            help="Restore into another Blob container instead: its URL. Without a SAS, by `az login` …",
        ),
    ] = None,
    target_sas: Annotated[
        str | None,
        typer.Option(
            envvar="DRIVE_BACKUP_TARGET_SAS",
            help="With --to-container: its SAS. Set the variable, for other users of this machine see arguments.",
        ),
    ] = None,
    prefix: Annotated[str, typer.Option(help="With --to-container: what the blobs' names begin with.")] = "",
    at: At = "latest",
    path: Annotated[
        list[str] | None, typer.Option(help="A path as `ls` shows it, or a glob as in .gitignore; may be repeated.")
    ] = None,
    item: Annotated[
        list[str] | None, typer.Option("--id", help="A Drive id; a folder's brings all that it holds.")
    ] = None,
    conflict: Annotated[
        Conflict, typer.Option(help="When another file has the name: write a copy beside it, skip it, or replace it.")
    ] = "copy",
    merge: Annotated[
        bool, typer.Option("--merge", help="With --to-drive: straight into that place, not into a new folder in it.")
    ] = False,
    permissions: Annotated[
        bool,
        typer.Option(
            "--permissions", help="With --to-drive: share as it was shared, if that was saved. Sends no mail."
        ),
    ] = False,
    google_key: Annotated[
        Path | None,
        typer.Option(
            envvar="DRIVE_BACKUP_GOOGLE_KEY",
            help="With --to-drive: a JSON key with the scope drive; without it the machine's own credential is used.",
        ),
    ] = None,
    acts_as: Annotated[
        str | None,
        typer.Option("--as", help="With --to-drive: the user to act as. For user/EMAIL it is that user."),
    ] = None,
    google_endpoint: Annotated[str | None, typer.Option(envvar="DRIVE_BACKUP_GOOGLE_ENDPOINT", hidden=True)] = None,
    rehydrate: Annotated[
        Priority,
        typer.Option(help="How soon what is in the archive tier is rehydrated; high is dearer."),
    ] = "standard",
    wait: Annotated[
        bool,
        typer.Option(help="Wait for what is archived, for hours. Without it ask for it, and end with exit code 3."),
    ] = True,
    dry_run: Annotated[bool, typer.Option("--dry-run", "-n", help="Only show what would be restored.")] = False,
    series: SeriesOption = None,
    time_zone: ZoneOption = "UTC",
) -> None:
    """Restore into a local folder, Drive or another container. What is there already is not written again."""
    session: Session = context.obj
    if [to, to_drive, to_container].count(None) != 2:
        raise ConfigError(
            "Say where to restore to, one of: --to FOLDER, --to-container URL, or --to-drive user/EMAIL, drive/ID or "
            "folder/ID."
        )
    if prefix and to_container is None:
        raise ConfigError("--prefix goes with --to-container; leave it out.")
    drive = None if to_drive is None else parse_drive_place(to_drive, "--to-drive")
    into = _Into(
        to,
        _signed(to_container, target_sas),
        clean_prefix(prefix),
        drive,
        Google(google_key, acts_as, google_endpoint),
        conflict,
        merge,
        permissions,
    )
    archive = Rehydration(rehydrate, wait)
    selection = Selection(paths=tuple(path or ()), ids=tuple(item or ()))

    lacks: list[str] = []
    progress = RestoreProgress(session.output, str(into))

    async def bring_back(store: BlobStore) -> Counter[str]:
        manifest = await choose(session, store, source, at, series, time_zone)
        settled = await into.settled(store, source, manifest.name.source)
        if settled.drive != into.drive:
            session.output.say(f"It goes to {settled}.")
        wanted = await select(store, manifest, selection, session.output.note)
        session.output.say(_heading(manifest, wanted))
        lacks.extend(filter(None, [shortfall(manifest)]))
        if dry_run:
            if into.container is not None:
                async with _container(into.container, store):
                    pass
            rows = ({**entry.to_dict(), "path": entry.shown} for entry in wanted.values())
            session.output.rows(rows, ("kind", "size", "path"))
            _say_not_saved(session, wanted)
            await foretell(session, store, manifest, wanted, archive)
            return Counter()
        reader = Reader(who=f"drive-backup restore {secrets.token_hex(4)}", doing="restored")
        async with protected(store, SystemClock(), manifest.name, reader, session.output.warn):
            await make_readable(session, store, manifest, wanted, archive)
            return await _restore(session, store, manifest, wanted, settled, progress)

    counts = told_how_it_ended(session, progress, lambda: session.run(bring_back))
    if dry_run:
        return
    left = progress.asked_and_left_out
    session.output.say(" ".join([progress.summary, *left_out_sentences(left, str(into)), *lacks]))
    if counts["failed"] or counts["not-saved"] or left or lacks:
        raise typer.Exit(1)


def _signed(url: str | None, sas: str | None) -> str | None:
    """A container's URL with its SAS, if there is one and the URL has none."""
    return url if url is None or sas is None or "?" in url else f"{url}?{sas.strip().lstrip('?')}"


@asynccontextmanager
async def _container(url: str, store: BlobStore) -> AsyncIterator[TargetStore]:
    async with open_target_store(url) as container:
        await check_target(store, container)
        yield container


async def _restore(
    session: Session,
    store: BlobStore,
    manifest: Manifest,
    wanted: dict[str, Entry],
    into: _Into,
    progress: RestoreProgress,
) -> Counter[str]:
    if into.container is not None:
        async with _container(into.container, store) as container:
            names = container_names(wanted.values(), into.prefix)
            origin = (manifest.source, manifest.name.ident)
            blobs = TargetContainer(container, names, store, origin, into.conflict)
            return await progress.follow(store, manifest, wanted, blobs, in_flight=16)
    if into.drive is None:
        folder = open_local(into.folder or Path(), wanted, store, into.conflict)
        return await progress.follow(store, manifest, wanted, folder, in_flight=16)
    async with open_drive(into.google, into.drive) as drive:
        await check_person(drive, into.drive.user, into.person)
        target = await open_target(drive, manifest, into.drive, store.url, merge=into.merge)
        clock = SystemClock()
        given = await read_permissions(store, manifest, wanted, clock.now()) if into.permissions else {}
        if into.permissions and not given:
            session.output.say("The snapshot holds no permissions of these items, so none are given.")
        twins = twins_of(wanted.values())
        destination = DriveFolder(
            drive.writer, store, target, clock, conflict=into.conflict, permissions=given, twins=twins
        )
        await destination.recall()
        return await progress.follow(store, manifest, wanted, destination, in_flight=_DRIVE_IN_FLIGHT)


def _heading(manifest: Manifest, wanted: dict[str, Entry]) -> str:
    size = human_bytes(sum(entry.size for entry in wanted.values()))
    lacks = shortfall(manifest)
    partial = f" {lacks}" if lacks else ""
    kinds = kinds_of(Counter(entry.kind for entry in wanted.values()))
    return f"{manifest.source} as of {manifest.name.shown}: {kinds}, {size}.{partial}"


def _say_not_saved(session: Session, wanted: dict[str, Entry]) -> None:
    """For a dry run: what a restore would say is not saved."""
    lost = [entry for entry in wanted.values() if entry.not_saved]
    if lost:
        session.output.say(f"{counted(len(lost), 'item')} not saved, or not all of it:")
        for entry in lost:
            session.output.say(f"  {entry.shown}: {entry.not_saved}")

"""``drive-backup forget``, ``hold``, ``release``: what is kept, and what goes."""

from __future__ import annotations

import secrets
from typing import Annotated

import typer

from include.drive_backup.blob.names import SnapshotName
from include.drive_backup.cli.app import Session, app
from include.drive_backup.cli.browse import SeriesOption, SourceArgument, ZoneOption
from include.drive_backup.cli.choose import choose
from include.drive_backup.cli.people import named_source
from include.drive_backup.clock import SystemClock
from include.drive_backup.errors import ApprovalNeededError, ConfigError
from include.drive_backup.locking import SourceLock
from include.drive_backup.manifest.repository import SnapshotRepository
from include.drive_backup.moments import read_zone
from include.drive_backup.ports import BlobStore
from include.drive_backup.retention import holds
from include.drive_backup.retention.apply import Applied, apply_source
from include.drive_backup.retention.plan import SourcePlan, plan_source
from include.drive_backup.retention.readable import applied_text, plan_text
from include.drive_backup.retention.rules import Keep, Policy
from include.drive_backup.retention.settings import MOST_DAYS, MOST_PERIODS

Count = Annotated[int, typer.Option(min=0, max=MOST_PERIODS)]
SnapshotArgument = Annotated[
    str, typer.Argument(help="A snapshot's id, also as `SERIES/ID`; `latest`; or a time. A date means its end.")
]
TagArgument = Annotated[str, typer.Argument(help="Says why, e.g. case-7.")]


@app.command(
    epilog="Example: `drive-backup forget user/ann@example.com --keep-daily 7 --keep-weekly 4 --keep-monthly 12` shows "
    "what would go; with `--apply` it goes."
)
def forget(
    context: typer.Context,
    source: SourceArgument,
    *,
    keep_last: Count = 0,
    keep_hourly: Count = 0,
    keep_daily: Count = 0,
    keep_weekly: Count = 0,
    keep_monthly: Count = 0,
    keep_yearly: Count = 0,
    keep_within_days: Annotated[int, typer.Option(min=0, max=MOST_DAYS)] = 0,
    grace_days: Annotated[float, typer.Option(min=1, max=MOST_DAYS, help="Newer content stays in any case.")] = 7.0,
    brake_percent: Annotated[float, typer.Option(min=0, max=100, help="Of the bytes; more needs --yes-really.")] = 20.0,
    time_zone: Annotated[
        str, typer.Option(envvar="DRIVE_BACKUP_TIME_ZONE", help="In which days, weeks … begin.")
    ] = "UTC",
    apply: Annotated[bool, typer.Option("--apply", help="Delete. Without it nothing is deleted.")] = False,
    yes_really: Annotated[bool, typer.Option("--yes-really", help="Delete although the plan says STOP.")] = False,
) -> None:
    """Show which snapshots the rules keep and what would be deleted; with --apply, delete it.

    The rules hold for each series of the source by itself; the newest complete snapshot of each series always stays.
    """
    session: Session = context.obj
    keep = Keep(
        last=keep_last,
        hourly=keep_hourly,
        daily=keep_daily,
        weekly=keep_weekly,
        monthly=keep_monthly,
        yearly=keep_yearly,
        within_days=keep_within_days,
    )
    if keep.empty:
        raise ConfigError("Say what to keep, e.g. --keep-daily 7 --keep-monthly 12; without a rule nothing may go.")
    policy = Policy(keep=keep, grace_days=grace_days, brake_percent=brake_percent, timezone=time_zone)
    read_zone(time_zone)

    async def plan_and_apply(store: BlobStore) -> None:
        whose = await named_source(session.output, store, source)
        plan = await plan_source(store, whose, policy)
        _show(session, plan)
        if not apply or plan.empty:
            session.output.say("Nothing was deleted." if plan.empty else "Nothing was deleted: add --apply.")
            return
        if plan.brakes and not yes_really:
            reasons = " ".join(map(str, plan.brakes))
            raise ApprovalNeededError(f"{reasons} Nothing was deleted; if it is right, add --yes-really.")
        lock = SourceLock(store, whose, f"drive-backup forget {secrets.token_hex(6)}")
        done = await apply_source(store, plan, policy, lock, SystemClock(), approved=yes_really)
        _show_done(session, done)

    session.run(plan_and_apply)


@app.command(epilog="Example: `drive-backup hold user/ann@example.com 20261123T000000.000Z case-7`")
def hold(
    context: typer.Context,
    source: SourceArgument,
    snapshot: SnapshotArgument,
    tag: TagArgument,
    series: SeriesOption = None,
    time_zone: ZoneOption = "UTC",
) -> None:
    """Keep a snapshot, whatever the rules say, until it is released."""
    session: Session = context.obj

    async def place(store: BlobStore) -> str:
        name = await _named(session, store, source, snapshot, series, time_zone)
        made = await holds.hold(store, name, tag)
        return f"{name.shown} is held by '{tag}'{'' if made else ', as it was before'}."

    session.output.say(session.run(place))


@app.command(epilog="Example: `drive-backup release user/ann@example.com 20261123T000000.000Z case-7`")
def release(
    context: typer.Context,
    source: SourceArgument,
    snapshot: SnapshotArgument,
    tag: TagArgument,
    series: SeriesOption = None,
    time_zone: ZoneOption = "UTC",
) -> None:
    """Take a hold away."""
    session: Session = context.obj

    async def take_away(store: BlobStore) -> tuple[str, bool]:
        name = await _named(session, store, source, snapshot, series, time_zone)
        return name.shown, await holds.release(store, name, tag)

    ident, there = session.run(take_away)
    session.output.say(f"{ident} is no longer held by '{tag}'." if there else f"{ident} was not held by '{tag}'.")
    if not there:
        raise typer.Exit(1)


async def _named(
    session: Session, store: BlobStore, source: str, snapshot: str, series: str | None, time_zone: str
) -> SnapshotName:
    """The snapshot of an id, though it may be damaged: it may be mended later. Else the one that readers take."""
    whose = await named_source(session.output, store, source)
    name = await SnapshotRepository(store).named(whose, snapshot, series)
    return name or (await choose(session, store, source, snapshot, series, time_zone)).name


def _show(session: Session, plan: SourcePlan) -> None:
    if session.output.as_json:
        session.output.line(plan.to_dict())
    else:
        _say_lines(session, plan_text([plan]))


def _show_done(session: Session, done: Applied) -> None:
    if session.output.as_json:
        session.output.line(done.to_dict())
    else:
        _say_lines(session, applied_text([done]))


def _say_lines(session: Session, text: str) -> None:
    for line in text.split("\n"):
        session.output.say(line)

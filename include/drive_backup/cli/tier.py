"""``drive-backup tier``: content that grows old moves to cooler tiers."""

from __future__ import annotations

import secrets
from typing import Annotated

import typer
from pydantic import ValidationError

from include.drive_backup.cli.app import Session, app
from include.drive_backup.cli.browse import SourceArgument
from include.drive_backup.cli.people import named_source
from include.drive_backup.clock import SystemClock
from include.drive_backup.errors import ConfigError
from include.drive_backup.locking import SourceLock, holding
from include.drive_backup.ports import BlobStore
from include.drive_backup.retention.readable import moves_text, unmoved_text
from include.drive_backup.retention.settings import RetentionSettings, TierSettings
from include.drive_backup.retention.tiers import Moved, TierRules, move_content, plan_moves

Days = Annotated[float | None, typer.Option(min=0, help="Days after it was written.")]


@app.command(
    epilog="Example: `drive-backup tier user/ann@example.com --cool-days 30 --archive-days 365` shows what would move; "
    "with `--apply` it moves. What is archived has to be rehydrated before it can be restored, which takes hours."
)
def tier(
    context: typer.Context,
    source: SourceArgument,
    *,
    cool_days: Days = None,
    cold_days: Days = None,
    archive_days: Days = None,
    apply: Annotated[bool, typer.Option("--apply", help="Move. Without it nothing is moved.")] = False,
) -> None:
    """Show which content would move to a cooler tier by its age; with --apply, move it. Never to a warmer one."""
    session: Session = context.obj
    rules = _rules(cool_days, cold_days, archive_days)

    async def plan_and_move(store: BlobStore) -> None:
        whose = await named_source(session.output, store, source)
        moves = await plan_moves(store, whose, rules)
        _show(session, str(whose), Moved(moves=moves), "would move")
        if not moves or not apply:
            session.output.say("Nothing is due." if not moves else "Nothing was moved: add --apply.")
            return
        lock = SourceLock(store, whose, f"drive-backup tier {secrets.token_hex(6)}")
        async with holding(lock, SystemClock(), give_back=True):
            done = await move_content(store, whose, rules, lock.confirm)
        _show(session, str(whose), done, "moved")

    session.run(plan_and_move)


def _rules(cool: float | None, cold: float | None, archive: float | None) -> TierRules:
    try:
        settings = TierSettings(cool_days=cool, cold_days=cold, archive_days=archive)
    except ValidationError as error:
        first = error.errors()[0]
        option = f"--{str(first['loc'][0]).replace('_', '-')}: " if first["loc"] else ""
        raise ConfigError(f"{option}{first['msg'].removeprefix('Value error, ')}.") from None
    rules = RetentionSettings(tiers=settings).tier_rules
    if rules.empty:
        raise ConfigError("Say when content is to move, e.g. --cool-days 30 --archive-days 365.")
    return rules


def _show(session: Session, source: str, done: Moved, word: str) -> None:
    if session.output.as_json:
        session.output.line({"source": source, "applied": word == "moved", **done.to_dict()})
        return
    for line in (*moves_text(done.moves, word), *unmoved_text(done.refused)):
        session.output.say(f"{source}:{line.removeprefix(' ')}")

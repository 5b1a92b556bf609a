"""``drive-backup erase``: take one source, or one item, out of all snapshots."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping
from typing import Annotated

import typer

from include.drive_backup.cli.app import Session, app
from include.drive_backup.cli.choose import going_on
from include.drive_backup.cli.people import named_source
from include.drive_backup.clock import SystemClock
from include.drive_backup.erasure import readable
from include.drive_backup.erasure.model import ErasePlan, Who
from include.drive_backup.erasure.plan import plan_erasure
from include.drive_backup.erasure.run import erase_one, look_elsewhere, sources_for
from include.drive_backup.errors import ConfigError
from include.drive_backup.locking import SourceLock
from include.drive_backup.model import Source
from include.drive_backup.ports import RepairStore
from include.drive_backup.protection import Reader, protected

_MOST = 200


@app.command(
    epilog="Examples: `drive-backup erase user/ann@example.com` and `drive-backup erase --item 1AbC` say what would be "
    "erased; with `--apply --by 'Dana, case 12'` it is erased."
)
def erase(
    context: typer.Context,
    source: Annotated[str | None, typer.Argument(help="All of this source, e.g. user/ann@example.com.")] = None,
    item: Annotated[
        str | None, typer.Option("--item", help="One item by its id, of a folder with all below it, in all sources.")
    ] = None,
    apply: Annotated[bool, typer.Option("--apply", help="Erase. Without it nothing is changed.")] = False,
    by: Annotated[str, typer.Option("--by", help="Who erases; goes into the record.")] = "",
    reason: Annotated[str, typer.Option("--reason", help="Why; goes into the record. Name no person here.")] = "",
) -> None:
    """Erase all of a source, or one item, from all snapshots; first shows what would go, and what stays.

    This cannot be undone. What is held, or protected by Azure, stays, and is named.
    """
    session: Session = context.obj
    who = _who(by, reason, needed=apply)
    if (source is None) == (item is None):
        raise ConfigError("Say what to erase: a source, such as user/ann@example.com, or an item with --item ID.")
    if item is not None and (not item.isprintable() or not item.strip()):
        raise ConfigError("--item wants the id of an item; `drive-backup find` shows it.")
    if source is not None:
        Source.parse(source)

    async def run(store: RepairStore) -> bool:
        asked = None if source is None else await named_source(session.output, store, source)
        work = _Work(session, store, who)
        for each in await sources_for(store, asked):
            with going_on(session, alone=source is not None):
                await work.one(each, item, apply=apply)
        found = await look_elsewhere(store, asked, item, sorted(work.paths), delete=apply)
        work.show({"elsewhere": found.to_dict()}, readable.elsewhere_lines(found, applied=apply))
        session.output.say(readable.COMES_BACK)
        session.output.say(readable.OUT_OF_REACH)
        if not apply:
            session.output.say("Nothing was erased: add --apply and --by." if work.any else "Nothing was erased.")
        return work.whole

    if not session.run_repair(run):
        raise typer.Exit(1)


def _who(by: str, reason: str, *, needed: bool) -> Who:
    for option, text in (("--by", by), ("--reason", reason)):
        if len(text) > _MOST or not text.isprintable():
            raise ConfigError(f"{option} takes up to {_MOST} printable characters.")
    if needed and not by.strip():
        raise ConfigError("Say who erases: --by 'Dana, case 12'. It goes into the record of the erasure.")
    return Who(by=by.strip(), reason=reason.strip())


class _Work:
    """Plans, and erases, one source after the other.

    :ivar any: there is something to erase.
    :ivar whole: all that was to be erased was.
    :ivar paths: where the item was.
    """

    def __init__(self, session: Session, store: RepairStore, who: Who) -> None:
        self._session, self._store, self._who = session, store, who
        self._token, self._clock = secrets.token_hex(6), SystemClock()
        self.any, self.whole, self.paths = False, True, set[str]()

    async def one(self, source: Source, item: str | None, *, apply: bool) -> None:
        reader = Reader(who=f"drive-backup erase {self._token}", doing="searched")
        async with protected(self._store, self._clock, source, reader, self._session.output.warn_once):
            plan = await plan_erasure(self._store, source, item)
        self.paths |= set(plan.paths)
        if plan.empty and item is not None and not plan.unreadable and not plan.is_root:
            return
        self.any |= not plan.empty
        if not apply:
            self.show({"plan": plan.to_dict()}, readable.plan_lines(plan))
            return
        if plan.is_root:
            self.whole = False
            self.show({"refused": plan.to_dict()}, readable.root_lines(plan))
        if not plan.empty or plan.unreadable:
            await self._apply(plan)

    async def _apply(self, plan: ErasePlan) -> None:
        done, corrected = await erase_one(self._store, plan, self._who, self._lock, self._clock)
        self.whole &= done.whole and not any(each.kept or each.refused for each in corrected)
        said = {"erased": {**done.to_dict(), "whole": done.whole}, "corrected": [each.to_dict() for each in corrected]}
        self.show(said, readable.done_lines(done, corrected))

    def _lock(self, source: Source) -> SourceLock:
        return SourceLock(self._store, source, f"drive-backup erase {self._token}")

    def show(self, as_json: Mapping[str, object], lines: Iterable[str]) -> None:
        """One object for programs, or some lines for people."""
        if self._session.output.as_json:
            self._session.output.line(as_json)
        for line in lines:
            self._session.output.say(line)

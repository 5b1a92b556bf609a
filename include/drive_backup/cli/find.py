"""``drive-backup find``: where is it, and which versions of it are there?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import typer

from include.drive_backup.blob.names import SnapshotName
from include.drive_backup.cli.app import Session, app
from include.drive_backup.cli.browse import COLUMNS, SeriesOption, SourceArgument, shown
from include.drive_backup.cli.people import named_source
from include.drive_backup.errors import UNREADABLE
from include.drive_backup.globs import Wanted
from include.drive_backup.manifest.found import Unreadable, unreadable_text
from include.drive_backup.manifest.repository import SnapshotRepository
from include.drive_backup.model import counted
from include.drive_backup.paths import ItemPath
from include.drive_backup.ports import BlobStore
from include.drive_backup.restore.selection import drive_rows


@app.command(
    epilog="Examples: `drive-backup find user/ann@example.com budget`; "
    "`drive-backup find user/ann@example.com '/Reports/**/*.xlsx'`"
)
def find(
    context: typer.Context,
    source: SourceArgument,
    pattern: Annotated[
        str,
        typer.Argument(
            help="A part of a name, or with a slash of a path; a glob as in .gitignore; or an item's id. As paths are "
            "shown, or in Drive's own names; in upper or lower case."
        ),
    ],
    series: SeriesOption = None,
) -> None:
    """Look for items in all snapshots of a source: each version once, with the first and last snapshot that has it.

    All series are looked into, unless one is named.
    """
    session: Session = context.obj
    wanted = Wanted(pattern)

    async def look(store: BlobStore) -> _Search:
        search = _Search(store, pattern, wanted)
        whose = await named_source(session.output, store, source)
        for name in await SnapshotRepository(store).some_names(whose, series):
            await search.snapshot(name)
        return search

    search = session.run(look)
    session.output.rows(search.found.values(), ("first", "last", "modified", "size", "series", "id", "path", "note"))
    for flaw in search.flaws:
        session.output.flaw(flaw)
    if not search.found:
        session.output.nothing(f"No snapshot of {source} has an item {wanted}, in upper or lower case. {search}")
        raise typer.Exit(1)


class _Search:
    """The versions that were found, and what could not be looked into.

    :param ident: what may be an item's id.
    """

    def __init__(self, store: BlobStore, ident: str, wanted: Wanted) -> None:
        self.found: dict[tuple[Any, ...], dict[str, Any]] = {}
        self._store = store
        self._ident = ident
        self._wanted = wanted
        self._looked: list[SnapshotName] = []
        self._damaged: dict[Unreadable, None] = {}

    def __str__(self) -> str:
        """What was tried."""
        damaged = {each.name for each in self._damaged}
        looked = [name for name in self._looked if name not in damaged]
        return f"{counted(len(looked), 'snapshot')} looked into{_span(looked)}."

    @property
    def flaws(self) -> Sequence[str]:
        """What there may be besides, as sentences."""
        if not self._damaged:
            return ()
        snapshots = counted(len({each.name for each in self._damaged}), "snapshot")
        return [f"Not looked into, or not into all of it: {snapshots}. {unreadable_text(tuple(self._damaged))}"]

    async def snapshot(self, name: SnapshotName) -> None:
        """Look into one; one that is gone was deleted by retention."""
        try:
            manifest = await SnapshotRepository(self._store).read(name)
        except UNREADABLE as error:
            self._damaged[Unreadable(name, str(error))] = None
            return
        if manifest is None:
            return
        self._looked.append(name)

        def damaged(why: str) -> None:
            self._damaged[Unreadable(name, why)] = None

        async for path, row in drive_rows(self._store, manifest, COLUMNS, damaged):
            if row["item_id"] == self._ident or self._wanted.matches(path):
                self._add(name, path, row)

    def _add(self, name: SnapshotName, path: ItemPath, row: dict[str, Any]) -> None:
        item = shown(path, row)
        key = (name.series.name, item["id"], path.shown, *item["sha256"])
        first = {**item, "series": name.series.name, "first": name.ident, "note": _mark(name)}
        self.found.setdefault(key, first)["last"] = name.ident


def _mark(name: SnapshotName) -> str | None:
    return "selected by hand" if name.series.narrowed else None


def _span(names: Sequence[SnapshotName]) -> str:
    return f", from {names[0].ident} to {names[-1].ident}" if names else ""

"""``drive-backup settle``: a source that is not backed up any more is meant to be so."""

from __future__ import annotations

from typing import Annotated

import typer

from include.drive_backup.cli.app import Session, app
from include.drive_backup.cli.browse import SeriesOption, SourceArgument
from include.drive_backup.cli.people import named_source
from include.drive_backup.clock import SystemClock
from include.drive_backup.manifest.choice import choose_series
from include.drive_backup.manifest.repository import SnapshotRepository
from include.drive_backup.ports import BlobStore
from include.drive_backup.stopped import settle as settle_series


@app.command(epilog="Example: `drive-backup settle user/ann@example.com --note 'left in May'`")
def settle(
    context: typer.Context,
    source: SourceArgument,
    series: SeriesOption = None,
    note: Annotated[str, typer.Option(help="Why; doctor shows it.")] = "",
) -> None:
    """Say that a source is meant not to be backed up any more: it is kept, and nobody is alarmed."""
    session: Session = context.obj

    async def record(store: BlobStore) -> str:
        found = await SnapshotRepository(store).some_names(await named_source(session.output, store, source), series)
        chosen = choose_series(found, or_narrowed=series is not None)
        last = await settle_series(store, chosen, note, SystemClock())
        return (
            f"{chosen} ended with {last.ident}: it is kept, and its end raises no alarm. "
            "If it is backed up again, this no longer counts."
        )

    session.output.say(session.run(record))

"""What ``drive-backup restore`` shows while it runs, and says at its end, also at one that comes too early."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection

import typer
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

from include.drive_backup.cli.app import Session
from include.drive_backup.cli.output import Output
from include.drive_backup.errors import DriveBackupError
from include.drive_backup.manifest.manifest import Manifest
from include.drive_backup.model import counted
from include.drive_backup.ports import BlobStore
from include.drive_backup.restore.orders import Destination, RestoreResult
from include.drive_backup.restore.run import restore as run_restore
from include.drive_backup.restore.selection import Entry
from include.drive_backup.restore.tally import Tally

#: The exit code of what a person interrupted, as shells have it.
INTERRUPTED = 130
_GO_ON = "Run the same command again to go on: what is there with the same content is not written again."
_SHOWN = ("failed", "not-saved", "skipped", "left-out")


class RestoreProgress:
    """Follows one restore.

    :param into: where to, in words.
    """

    def __init__(self, output: Output, into: str) -> None:
        self._output = output
        self._into = into
        self._tally = Tally()
        self._wanted: dict[str, Entry] = {}
        self.began = False
        #: Paths of shortcuts that somebody asked for by name, and that could not be restored as what they are.
        self.asked_and_left_out: list[str] = []

    @property
    def summary(self) -> str:
        """What was done so far."""
        return f"{self._tally} to {self._into}. {self._tally.changed_names}".rstrip()

    async def follow(
        self,
        store: BlobStore,
        manifest: Manifest,
        wanted: dict[str, Entry],
        destination: Destination,
        *,
        in_flight: int,
    ) -> Counter[str]:
        """Restore, with a bar.

        :param in_flight: how many items at once.
        :return: how many results of each outcome.
        """
        self._wanted, self.began = wanted, True
        columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
        size = sum(entry.size for entry in wanted.values())
        with Progress(*columns, TimeRemainingColumn(), console=self._output.progress, transient=True) as progress:
            bar = progress.add_task("Restoring", total=size)

            def report(result: RestoreResult) -> None:
                progress.advance(bar, wanted[result.path].size if result.path in wanted else 0)
                self._take(result)

            return await run_restore(store, manifest, wanted, destination, report, in_flight=in_flight)

    def _take(self, result: RestoreResult) -> None:
        self._tally.add(result)
        if result.outcome == "left-out" and result.path in self._wanted and self._wanted[result.path].asked:
            self.asked_and_left_out.append(result.path)
        facts = {key: value for key, value in result.to_dict().items() if key not in ("bytes", "asked")}
        row = {**facts, "path": result.shown, "size": result.bytes}
        if self._output.as_json:
            self._output.line(row)
        elif result.message or result.outcome in _SHOWN:
            self._output.rows([row], ("outcome", "path", "message"))


def told_how_it_ended(session: Session, progress: RestoreProgress, run: Callable[[], Counter[str]]) -> Counter[str]:
    """Run a restore; when it is interrupted, or ends with an error, say what was done, and how to go on.

    :raises typer.Exit: it was interrupted.
    """
    try:
        return run()
    except KeyboardInterrupt:
        session.output.warn(f"Interrupted. {progress.summary} {_GO_ON}")
        raise typer.Exit(INTERRUPTED) from None
    except DriveBackupError:
        if progress.began:
            session.output.warn(f"Until it ended: {progress.summary} {_GO_ON}")
        raise


def left_out_sentences(paths: Collection[str], into: str) -> list[str]:
    """What to say of shortcuts that were asked for by name."""
    if not paths:
        return []
    return [f"{counted(len(paths), 'shortcut')} that you asked for could not be restored to {into}; see above why."]

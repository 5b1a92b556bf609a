"""Snapshots that need those of other sources.

A snapshot of what is shared with a user leaves out what other sources of its run hold; its manifest names them
(``covered``). Without their snapshots of that run, it lacks these items. So while it is there, they stay. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from include.drive_backup.blob.names import SnapshotName
from include.drive_backup.manifest.manifest import Manifest
from include.drive_backup.model import Source, Struct


class Reliance(Struct, frozen=True):
    """One snapshot that needs others of its run.

    :param by: which, for people.
    :param homes: the sources of these; empty: it cannot be read, so that it may be any.
    :param run_id: of the run; None: it cannot be read.
    """

    by: str
    instant: str
    series: str
    homes: tuple[str, ...] = ()
    run_id: str | None = None

    def may_need(self, source: str) -> bool:
        """Whether it may need a snapshot of a source."""
        return not self.homes or source in self.homes

    def needs(self, manifest: Manifest) -> bool:
        """Whether it needs a snapshot.

        A run that finds its result stored already makes no snapshot of its own, so its id alone does not tell; and a
        run that was changed by hand has a series of its own for each source, so the series alone does not, either.
        """
        same_run = manifest.series == self.series or self.run_id in (None, manifest.run_id)
        return self.may_need(manifest.source) and manifest.instant == self.instant and same_run


def relies(source: Source, manifests: Iterable[Manifest], unreadable: Iterable[SnapshotName]) -> Iterator[Reliance]:
    """What the snapshots of a source need.

    :param unreadable: those whose manifest cannot be read.
    """
    for each in manifests:
        if each.covered:
            yield Reliance(
                by=f"{source} {each.name.ident}",
                instant=each.instant,
                series=each.series,
                homes=tuple(sorted(each.covered)),
                run_id=each.run_id,
            )
    if source.kind == "shared":
        for name in unreadable:
            yield Reliance(by=f"{source} {name.ident}", instant=name.instant, series=name.series.name)


def needed(manifests: Iterable[Manifest], reliances: Sequence[Reliance]) -> dict[str, tuple[str, ...]]:
    """Which snapshots are needed, by series and id, and a reason for each that needs them."""
    by_instant: dict[str, list[Reliance]] = {}
    for each in reliances:
        by_instant.setdefault(each.instant, []).append(each)
    found = {
        manifest.name.key: tuple(
            f"needed by {each.by}" for each in by_instant.get(manifest.instant, ()) if each.needs(manifest)
        )
        for manifest in manifests
    }
    return {key: reasons for key, reasons in found.items() if reasons}

"""Repair one source: dry, or under its lock, so that neither a backup nor retention works on it meanwhile."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from include.drive_backup.blob.names import SnapshotName
from include.drive_backup.damage import found_stem, load_damaged
from include.drive_backup.errors import CredentialsError
from include.drive_backup.locking import SourceLock, holding
from include.drive_backup.manifest.repository import SnapshotRepository
from include.drive_backup.model import Source
from include.drive_backup.ports import BlobStore, Clock, RepairStore
from include.drive_backup.repair.candidates import Wanted
from include.drive_backup.repair.mend import mend
from include.drive_backup.repair.model import Outcome, Remedy, Repaired
from include.drive_backup.repair.search import find_instead, find_remedies
from include.drive_backup.verification.describe import record
from include.drive_backup.verification.model import Damage, Depth
from include.drive_backup.verification.run import Watch, choose, verify_source

#: A catalogue that is put back may name contents that are damaged, too.
_ROUNDS = 3


async def look(
    store: RepairStore, source: Source, clock: Clock, depth: Depth = "listing", watch: Watch | None = None
) -> Outcome:
    """What is damaged, and what the account keeps that mends it. Nothing is written.

    :param depth: ``all`` reads every content; else what a listing shows and what is on record.
    """
    names = await choose(store, source)
    verified = await verify_source(store, names, depth, now=clock.now(), keep_records=False, watch=watch)
    remedies = await find_remedies(store, verified.damages, await _parts(store, names, verified.damages))
    # What a catalogue names that comes back is only looked at afterwards: nobody can promise that all of it is there.
    mended = {remedy.blob for remedy in remedies if remedy.how != "none" and remedy.of[0].sha256 is not None}
    return replace(_outcome(source, remedies, mended), unread=verified.read.why_unread)


async def repair(
    store: RepairStore,
    source: Source,
    lock: SourceLock,
    clock: Clock,
    depth: Depth = "listing",
    watch: Watch | None = None,
) -> Outcome:
    """Look, and put back what can be. A blob that is whole is never written over, and this may be repeated.

    :raises SourceBusyError: a backup or retention works on the source.
    """
    repaired, remedies = list[Repaired](), dict[str, Remedy]()
    async with holding(lock, clock, give_back=True):
        for _ in range(_ROUNDS):
            found = await look(store, source, clock, depth, watch)
            done = await _mend(store, [each for each in found.remedies if each.how != "none"], lock, repaired)
            instead = await _instead(store, source, [each.remedy for each in done if not each.done])
            done += await _mend(store, instead, lock, [*repaired, *done])
            await _close_losses(store, source, [each.remedy for each in done if each.done])
            repaired += done
            remedies |= {each.blob: each for each in found.remedies}
            if not any(each.done and each.remedy.of[0].sha256 is None for each in done):
                break
    mended = {each.remedy.blob for each in repaired if each.done}
    outcome = _outcome(source, list(remedies.values()), mended)
    return replace(outcome, repaired=tuple(repaired), unread=found.unread)


async def _mend(
    store: RepairStore, remedies: Sequence[Remedy], lock: SourceLock, before: Sequence[Repaired]
) -> list[Repaired]:
    """Mend one after the other; a credential that ends meanwhile does not hide what was done before.

    :raises CredentialsError: it may not write, and nothing was done.
    """
    done = list[Repaired]()
    for remedy in remedies:
        try:
            done.append(await mend(store, remedy, lock.ensure))
        except CredentialsError as error:
            if not any(each.done for each in (*before, *done)):
                raise
            done.append(Repaired(remedy=remedy, done=False, why=str(error)))
    return done


async def _instead(store: RepairStore, source: Source, failed: Sequence[Remedy]) -> list[Remedy]:
    """Other blobs for what was undeleted and has other bytes: before, nobody could know."""
    undeleted = [remedy for remedy in failed if remedy.how == "undelete"]
    if not undeleted:
        return []
    damages = [damage for remedy in undeleted for damage in remedy.of]
    return await find_instead(store, undeleted, await _parts(store, await choose(store, source), damages))


async def _close_losses(store: BlobStore, source: Source, remedies: Sequence[Remedy]) -> None:
    """Say that what was lost is there again, as the next verification would."""
    records = await load_damaged(store, source)
    back = []
    for damage in (damage for remedy in remedies for damage in remedy.of):
        loss = records.open_loss(damage.blob, damage.sha256 or "")
        if loss is not None:
            back.append((str(source), found_stem(damage.blob, damage.sha256 or "", loss)))
    await record(store, (), back)


def _outcome(source: Source, remedies: Sequence[Remedy], mended: set[str]) -> Outcome:
    """Which snapshots lack nothing any more when these blobs are right."""
    lacking, all_of = dict[str, None](), dict[str, None]()
    for remedy in remedies:
        for damage in remedy.of:
            all_of |= dict.fromkeys(damage.snapshots)
            if remedy.blob not in mended:
                lacking |= dict.fromkeys(damage.snapshots)
    whole = tuple(sorted((each for each in all_of if each not in lacking), reverse=True))
    return Outcome(source=str(source), remedies=tuple(remedies), whole=whole, left=tuple(sorted(lacking, reverse=True)))


async def _parts(store: BlobStore, names: Sequence[SnapshotName], damages: Sequence[Damage]) -> dict[str, Wanted]:
    """What the parts of all catalogues should be, as their manifests say; nothing where none is damaged."""
    wanted = dict[str, Wanted]()
    for name in names if any(damage.sha256 is None for damage in damages) else ():
        manifest = await SnapshotRepository(store).try_read(name)
        parts = (*manifest.parts, *manifest.beside) if manifest else ()
        wanted |= {part.blob: (part.bytes, part.sha256) for part in parts}
    return wanted

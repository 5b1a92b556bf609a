"""From damage to its remedy: of what the account keeps of a blob, the one whose bytes have the catalogue's hash."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence

from include.drive_backup.damage import state_stem
from include.drive_backup.errors import ContentArchivedError, CorruptStoreError
from include.drive_backup.hashing import Checksums
from include.drive_backup.ports import Earlier, RepairStore
from include.drive_backup.repair.model import How, Remedy
from include.drive_backup.verification.model import Damage

#: Length in bytes and SHA-256 that a blob should have.
Wanted = tuple[int, str]

_BYTES = ("missing", "length", "md5", "bytes")
_NOT_BYTES = "Its bytes are not what is wrong, so no older ones mend it."
_NO_HASH = "Nobody has written down what its bytes were: of a manifest nothing but itself says that."
_OTHER = "Another export has this name now, which newer snapshots need. It is left as it is."
_CHANGED = "Somebody wrote it while it was looked at. Repair again."
_NOTHING = "The account keeps no deleted blob, older version or snapshot of it with the right bytes."
_ARCHIVED = "An older version of it has the right length and is in the archive tier: rehydrate that, then repair again."


async def find_remedies(store: RepairStore, damages: Iterable[Damage], parts: Mapping[str, Wanted]) -> list[Remedy]:
    """A remedy for each damaged blob.

    :param damages: of one source, from a verification of all its snapshots.
    :param parts: what each part of a catalogue should be.
    """
    by_blob = defaultdict[str, list[Damage]](list)
    for damage in damages:
        by_blob[damage.blob].append(damage)
    return [await _remedy(store, blob, found, parts) for blob, found in by_blob.items()]


async def _remedy(store: RepairStore, blob: str, damages: Sequence[Damage], parts: Mapping[str, Wanted]) -> Remedy:
    def no(why: str) -> Remedy:
        return Remedy(blob=blob, of=tuple(damages), how="none", why=why)

    if not all(damage.wrong in _BYTES for damage in damages):
        return no(_NO_HASH if damages[0].wrong == "unreadable" else _NOT_BYTES)
    first = damages[0]
    wanted = parts.get(blob) if first.sha256 is None else (first.size or 0, first.sha256)
    if wanted is None or any(damage.sha256 != first.sha256 for damage in damages):
        return no(_NO_HASH)
    found = await store.head(blob)
    if found is None and first.wrong != "missing":
        return no(_CHANGED)
    if found is not None and (first.wrong == "missing" or state_stem(found) != first.record):
        return no(_OTHER if first.wrong == "missing" else _CHANGED)
    how, earlier, why = await _search(store, blob, wanted)
    if earlier is None:
        return no(why)
    return Remedy(blob=blob, of=tuple(damages), how=how, size=wanted[0], sha256=wanted[1], found=found, earlier=earlier)


async def _search(store: RepairStore, blob: str, wanted: Wanted) -> tuple[How, Earlier | None, str]:
    kept = [each for each in await store.earlier(blob) if each.info.size == wanted[0]]
    why = _NOTHING
    for each in (each for each in kept if not each.deleted):
        if each.info.archived:
            why = _ARCHIVED
        elif await has_bytes(store, each, wanted):
            return "copy", each, ""
    deleted = next((each for each in kept if each.deleted and _may_be(each, wanted)), None)
    return ("undelete", deleted, "") if deleted else ("none", None, why)


def _may_be(earlier: Earlier, wanted: Wanted) -> bool:
    """A deleted one cannot be read: what it says of itself, if it does, must be right."""
    return earlier.info.metadata.get("sha256", wanted[1]) == wanted[1]


async def has_bytes(store: RepairStore, earlier: Earlier, wanted: Wanted) -> bool:
    """Whether a version or a snapshot holds the wanted bytes: it is read."""
    return await are_bytes(store.stream_earlier(earlier), wanted)


async def are_bytes(pieces: AsyncIterator[bytes], wanted: Wanted) -> bool:
    """Whether what is read can be read, and is the wanted bytes."""
    sums = Checksums()
    try:
        async for piece in pieces:
            await sums.add(piece)
    except (CorruptStoreError, ContentArchivedError):
        return False
    return (sums.size, sums.sha256) == wanted

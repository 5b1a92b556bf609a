"""From damage to its remedy: of what the account keeps of a blob, and of all else in the container, the right bytes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from msgspec.structs import replace

from include.drive_backup.damage import state_stem
from include.drive_backup.ports import BlobInfo, Earlier, RepairStore
from include.drive_backup.repair.candidates import ONE_LESS, Wanted, first_right
from include.drive_backup.repair.elsewhere import properties_of, same_contents, same_parts
from include.drive_backup.repair.model import Remedy
from include.drive_backup.verification.model import Damage

_BYTES = ("missing", "length", "md5", "bytes")
_NOT_BYTES = "Its bytes are not what is wrong, so no other ones mend it."
_NO_HASH = "Nobody has written down what its bytes were: of a manifest nothing but itself says that."
_OTHER = "Another export has this name now, which newer snapshots need. It is left as it is."
_CHANGED = "Somebody wrote it while it was looked at. Repair again."
_NOTHING = (
    "The account keeps no deleted blob, older version or snapshot of it with the right bytes, and no other blob of the "
    "container has them."
)
_UNREAD = "Nothing that can be read has the right bytes."
_NOT_LISTED = "What the account keeps of it cannot be listed: {error}"
_NOT_LOOKED = "Other blobs could not be looked for: {error}"


async def find_remedies(store: RepairStore, damages: Iterable[Damage], parts: Mapping[str, Wanted]) -> list[Remedy]:
    """A remedy for each damaged blob.

    :param damages: of one source, from a verification of all its snapshots.
    :param parts: what each part of a catalogue should be.
    """
    by_blob = defaultdict[str, list[Damage]](list)
    for damage in damages:
        by_blob[damage.blob].append(damage)
    searches = [await _begin(store, blob, found, parts) for blob, found in by_blob.items()]
    await _look_elsewhere(store, [each for each in searches if each.wanted and not each.remedy], parts)
    return [each.remedy or each.no() for each in searches]


async def find_instead(store: RepairStore, remedies: Sequence[Remedy], parts: Mapping[str, Wanted]) -> list[Remedy]:
    """Remedies from other blobs, in place of some that did not work; none where there is no such blob.

    :param parts: as for :func:`find_remedies`.
    """
    searches = [_Search(remedy.blob, remedy.of) for remedy in remedies]
    for search, remedy in zip(searches, remedies, strict=True):
        search.found = await store.head(search.blob)
        search.wanted = (remedy.size or 0, remedy.sha256 or "")
    await _look_elsewhere(store, searches, parts)
    return [each.remedy for each in searches if each.remedy]


class _Search:
    """The search for the bytes of one blob.

    :ivar remedy: what was found.
    :ivar wanted: what it should be; None when nothing can mend it.
    """

    def __init__(self, blob: str, damages: Sequence[Damage]) -> None:
        self.blob = blob
        self.damages = tuple(damages)
        self.remedy: Remedy | None = None
        self.wanted: Wanted | None = None
        self.found: BlobInfo | None = None
        self.kept: Sequence[Earlier] = ()
        self.unread: list[str] = []

    def no(self, why: str = "") -> Remedy:
        """Say that nothing mends it."""
        why = why or " ".join([_UNREAD, *self.unread] if self.unread else [_NOTHING])
        self.remedy = Remedy(blob=self.blob, of=self.damages, how="none", why=why)
        return self.remedy

    def yes(self, wanted: Wanted, earlier: Earlier) -> Remedy:
        """Say what mends it."""
        self.remedy = Remedy(
            blob=self.blob,
            of=self.damages,
            how="undelete" if earlier.deleted else "copy",
            size=wanted[0],
            sha256=wanted[1],
            found=self.found,
            earlier=earlier,
            unread=tuple(self.unread),
        )
        return self.remedy

    async def read(self, store: RepairStore, wanted: Wanted, candidates: Iterable[Earlier]) -> Remedy | None:
        """Read candidates until one is right."""
        tried = await first_right(store, self.blob, candidates, wanted)
        self.unread += tried.unread
        return None if tried.right is None else self.yes(wanted, tried.right)


async def _begin(store: RepairStore, blob: str, damages: Sequence[Damage], parts: Mapping[str, Wanted]) -> _Search:
    """Look what is wrong, and among what the account keeps of the blob itself."""
    search, first = _Search(blob, damages), damages[0]
    wanted = parts.get(blob) if first.sha256 is None else (first.size or 0, first.sha256)
    if not all(damage.wrong in _BYTES for damage in damages):
        search.no(_NO_HASH if first.wrong == "unreadable" else _NOT_BYTES)
    elif wanted is None or any(damage.sha256 != first.sha256 for damage in damages):
        search.no(_NO_HASH)
    elif (why := _not_now(first, found := await store.head(blob))) is not None:
        search.no(why)
    else:
        search.found, search.wanted = found, wanted
        await _look_at_itself(store, search, wanted)
    return search


def _not_now(damage: Damage, found: BlobInfo | None) -> str | None:
    """Why what has the blob's name is not to be written over; None: it is what was found damaged."""
    if found is None:
        return None if damage.wrong == "missing" else _CHANGED
    if damage.wrong == "missing":
        return _OTHER
    return None if state_stem(found) == damage.record else _CHANGED


async def _look_at_itself(store: RepairStore, search: _Search, wanted: Wanted) -> None:
    try:
        search.kept = await store.earlier(search.blob)
    except ONE_LESS as error:
        search.unread.append(_NOT_LISTED.format(error=error))
    kept = [each for each in search.kept if each.info.size == wanted[0]]
    if await search.read(store, wanted, [each for each in kept if not each.deleted]) is None:
        deleted = next((each for each in kept if each.deleted and _may_be(each, wanted)), None)
        if deleted is not None:
            search.yes(wanted, deleted)


def _may_be(earlier: Earlier, wanted: Wanted) -> bool:
    """A deleted one cannot be read: what it says of itself, if it does, must be right."""
    return earlier.info.metadata.get("sha256", wanted[1]) == wanted[1]


async def _look_elsewhere(store: RepairStore, searches: Sequence[_Search], parts: Mapping[str, Wanted]) -> None:
    """Look in other blobs for what nothing of the blob itself mends."""
    contents = [each.damages[0] for each in searches if each.damages[0].sha256 is not None]
    try:
        others = await same_contents(store, contents)
        others |= {each.blob: await same_parts(store, each.blob, parts) for each in searches if each.blob in parts}
    except ONE_LESS as error:
        for each in searches:
            each.unread.append(_NOT_LOOKED.format(error=error))
        return
    for each in searches:
        remedy = await each.read(store, each.wanted or (0, ""), others.get(each.blob, ()))
        if remedy is not None and remedy.earlier is not None:
            itself = [info for info in (each.found, *(kept.info for kept in each.kept)) if info is not None]
            each.remedy = replace(remedy, properties=properties_of(each.damages[0], remedy.earlier.info, itself))

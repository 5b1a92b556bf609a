"""What becomes of one item. Pure: the listing's item, where it is, what is stored, and the instant decide it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from msgspec.structs import replace

from include.drive_backup.again import version_number
from include.drive_backup.blob.names import UNREAD, content_blob, extension_of
from include.drive_backup.model import (
    DETAILS,
    CopyOrder,
    Detail,
    Fidelity,
    Item,
    Look,
    Outcome,
    PlanRow,
    Source,
    Struct,
)
from include.drive_backup.planning.details import details_of
from include.drive_backup.planning.exports import Export, NoExport, exports_of
from include.drive_backup.planning.sightings import DISPROVED
from include.drive_backup.planning.stored import StoredIndex, StoredVersion
from include.drive_backup.planning.then import Then, Witness

#: Names that no order for an older version may use are in the order; with more of them no older version is asked for.
_MOST_SPOILT = 1_000
ORIGINAL = Export(format="original", mime_type="")

# The row keeps the whole resource; an order only what tells what the account may do with the item.
_NEEDED = ("ownedByMe", "capabilities")

_NO_CHILDREN = (
    "Drive does not show what this folder holds to the backup's account (limited access), so nothing in it is saved. "
    "Give the account access to the folder."
)
_NO_DOWNLOAD = (
    "The backup's account may see this file but not download it. Its owner can allow downloads for viewers, or give "
    "the account a role that may download."
)


#: A document that Drive counts changes of, and that has the same modified time, is exported again after so long.
EXPORTED_AGAIN = timedelta(days=7)
UNPROVEN = (
    "Drive counts changes of it since it was exported, and its modified time is the same: it was renamed, shared or "
    f"opened, or its content changed. It is exported again {EXPORTED_AGAIN.days} days after that."
)

_NOT_STORED = (
    "A snapshot refers to its version of then, but the blob is not in the container as it was written, and Drive has "
    "another version now, or none."
)


class Decision(Struct, frozen=True):
    """A row of the plan, and the orders that its ``copies`` counts.

    With ``doubt`` its time does not say that it is that of T, so it matters what a snapshot of before has of it, see
    :class:`Rules`.
    """

    row: PlanRow
    orders: tuple[CopyOrder, ...] = ()
    doubt: bool = False


class Place(Struct, frozen=True):
    """Where an item is: encoded names, see :class:`.tree.Tree`."""

    folders: tuple[str, ...]
    segment: str

    @property
    def path(self) -> str:
        """The catalogue's path."""
        return "/".join((*self.folders, self.segment))


class Rules(Struct, frozen=True):
    """What holds for every item of one plan.

    :param instant: T, the moment that the snapshot describes.
    :param now: when the plan is made; a time beyond it was set by a client and says nothing.
    :param before: what a snapshot that was over at T has of items; of those that a decision was in doubt of.
    """

    source: Source
    instant: datetime
    now: datetime
    export_formats: Mapping[str, Sequence[str]]
    save: tuple[Detail, ...] = ()
    before: Mapping[str, Look] = {}


def created_later(created: datetime | None, rules: Rules) -> bool:
    """Whether an item did not exist at T. Clients may set any creation time; one in the future is not believed."""
    return created is not None and rules.instant < created <= rules.now


def decide(item: Item, place: Place, stored: StoredIndex, rules: Rules) -> Decision:
    """Decide on one wanted item that existed at T."""
    return with_details(_decide(item, place, stored, rules), item, place, rules)


def with_details(decision: Decision, item: Item, place: Place, rules: Rules) -> Decision:
    """The decision and an order for what the job wants to have beside the content of an item that Drive has."""
    details = details_of(item, rules.save)
    if not details:
        return decision
    order = CopyOrder(item=_slim(item), path=place.path, blob="", format=DETAILS, details=details)
    row, orders = replace(decision.row, details=details), (*decision.orders, order)
    return replace(decision, row=row, orders=orders)


def _decide(item: Item, place: Place, stored: StoredIndex, rules: Rules) -> Decision:
    if item.kind in ("folder", "shortcut"):
        return Decision(row=_without_content(item, place))
    exports = _exports(item, rules)
    if isinstance(exports, NoExport):
        return Decision(row=_unavailable(item, place, exports.reason, exports.message))
    why = _doubt(item, exports, stored, rules)
    later = item.modified is not None and item.modified > rules.instant
    settled = _settled(item, exports, stored, rules)
    if _unchanged(item, rules) or (settled if why else not later):
        # The time of what was first read after T is a claim, that a snapshot of before may disprove.
        return replace(_with_content(item, place, exports, stored, rules), doubt=not settled)
    return replace(_not_of_then(item, place, exports, stored, rules, why), doubt=True)


def _not_of_then(
    item: Item, place: Place, exports: Sequence[Export], stored: StoredIndex, rules: Rules, why: str | None
) -> Decision:
    """The head is not that of T, or nobody can tell."""
    as_of = _as_of(item, exports, stored, rules)
    if as_of is not None:
        return Decision(row=_row_as_of(item, place, as_of))
    # A time that is wrong would lead to the wrong revision, and keep the head from being saved.
    if why is None and _may_have_revisions(item) and len(stored.spoilt) <= _MOST_SPOILT:
        return _of_the_past(item, place, exports, stored, rules)
    return _with_content(item, place, exports, stored, rules, "head-later", why)


def _exports(item: Item, rules: Rules) -> tuple[Export, ...] | NoExport:
    return exports_of(item, rules.export_formats) if item.kind == "native" else (ORIGINAL,)


def _unchanged(item: Item, rules: Rules) -> bool:
    """Whether Drive counts no change of it since a snapshot that was over at T."""
    before = rules.before.get(item.id)
    return item.version is not None and before is not None and before.version == item.version


def _doubt(item: Item, exports: Sequence[Export], stored: StoredIndex, rules: Rules) -> str | None:
    """Why the modified time of the head says nothing of when it came."""
    before = rules.before.get(item.id)
    if before is not None and before.disproves(item.modified, item.size, item.md5, item.sha256):
        return DISPROVED
    doubts = (stored.sightings(item, each.format).doubt(item.modified, rules.now) for each in exports)
    return next((why for why in doubts if why is not None), None)


def _settled(item: Item, exports: Sequence[Export], stored: StoredIndex, rules: Rules) -> bool:
    """Whether it was read before T as it is now, whatever its time says."""
    return all(stored.sightings(item, each.format).settled(rules.instant) for each in exports)


def decide_then(then: Then, place: Place, stored: StoredIndex, instant: datetime) -> Decision:
    """Decide on an item as a snapshot has it: nothing is copied."""
    if then.claimed and any(_disproved(then.witness, each.format, stored, instant) for each in then.witness.contents):
        then = replace(then, fidelity="head-later", message=DISPROVED)
    witness = then.witness
    contents = tuple(content for content in witness.contents if stored.holds(content))
    row = PlanRow(item=witness.item, path=place.path, outcome="unchanged", contents=contents)
    if len(contents) < len(witness.contents):
        lost = _unavailable(witness.item, place, "notStored", _NOT_STORED)
        return Decision(row=replace(lost, contents=contents))
    if witness.outcome == "unavailable":
        return Decision(row=replace(row, outcome="unavailable", reason=witness.reason, message=witness.message))
    outcome: Outcome = "unchanged" if contents else "metadata"
    return Decision(row=replace(row, outcome=outcome, fidelity=then.fidelity, message=then.message))


def _disproved(witness: Witness, content_format: str, stored: StoredIndex, instant: datetime) -> bool:
    """Whether another version of an item was the head after the time at which this one says that it came."""
    seen = stored.sightings(witness.item, content_format)
    return seen.came_later(witness.item.modified) and not seen.settled(instant)


def _without_content(item: Item, place: Place) -> PlanRow:
    if item.kind == "folder" and item.can_list_children is False:
        return _unavailable(item, place, "cannotListChildren", _NO_CHILDREN)
    return PlanRow(item=item, path=place.path, outcome="metadata")


def _unavailable(item: Item, place: Place, reason: str, message: str) -> PlanRow:
    return PlanRow(
        item=item, path=place.path, outcome="unavailable", fidelity="unavailable", reason=reason, message=message
    )


def _with_content(
    item: Item,
    place: Place,
    exports: Sequence[Export],
    stored: StoredIndex,
    rules: Rules,
    fidelity: Fidelity = "exact",
    why: str | None = None,
) -> Decision:
    """The head: what is stored of it, and orders for the rest.

    :param why: it may not be the version of T.
    """
    found = {each.format: stored.find(item, each.format) for each in exports}
    have = [version for version in found.values() if version is not None]
    missing = [each for each in exports if found[each.format] is None]
    if missing and item.can_download is False:
        refused = _unavailable(item, place, "cannotDownloadFile", _NO_DOWNLOAD)
        return Decision(row=replace(refused, contents=tuple(version.content for version in have)))
    wanted = [*missing, *(each for each in exports if _is_due(item, found[each.format], rules.now))]
    told = {"fidelity": fidelity} if why is None else {"doubt": why}
    orders = tuple(_order(item, place, each, stored, rules, **told) for each in wanted)
    if fidelity == "exact" and any(_may_differ(item, version) for version in have):
        fidelity, why = "unproven", UNPROVEN
    row = PlanRow(item=item, path=place.path, copies=len(orders), fidelity=fidelity, message=why)
    return Decision(row=_pointing(row, have), orders=orders)


def _pointing(row: PlanRow, have: Sequence[StoredVersion]) -> PlanRow:
    """The row with what is stored; an outcome is known when nothing is to be copied."""
    outcome: Outcome = "known" if any(version.file_id != row.item.id for version in have) else "unchanged"
    contents = tuple(version.content for version in have)
    return replace(row, contents=contents, outcome=None if row.copies else outcome)


def _may_differ(item: Item, export: StoredVersion) -> bool:
    """Whether Drive counts changes of a document since it was exported."""
    known = export.version is not None and item.version is not None
    return item.kind == "native" and known and version_number(item.version) > version_number(export.version)


def _is_due(item: Item, export: StoredVersion | None, now: datetime) -> bool:
    """Whether a document is to be exported again, in case its content changed and its modified time did not."""
    if export is None or item.can_download is False or not _may_differ(item, export):
        return False
    if export.drive_size is not None and item.size is not None and export.drive_size != item.size:
        return True
    return export.read is None or not timedelta(0) <= now - export.read < EXPORTED_AGAIN


def _may_have_revisions(item: Item) -> bool:
    return item.may("canReadRevisions") is not False and item.can_download is not False


def _of_the_past(item: Item, place: Place, exports: Sequence[Export], stored: StoredIndex, rules: Rules) -> Decision:
    """Only Drive can tell which version was the one at T: an order for each format, with what is stored of it."""
    orders = []
    for each in exports:
        head = stored.find(item, each.format)
        order = _order(item, place, each, stored, rules, fidelity="head-later")
        past = stored.versions(item.id, each.format)
        kept = None if head is None else head.content
        order = replace(order, past=past, head=kept, spoilt=stored.spoilt, before=rules.before.get(item.id))
        orders.append(order)
    row = PlanRow(item=item, path=place.path, copies=len(orders), fidelity="head-later")
    return Decision(row=row, orders=tuple(orders))


def _order(item: Item, place: Place, export: Export, stored: StoredIndex, rules: Rules, **told: Any) -> CopyOrder:
    blob = content_blob(
        rules.source,
        place.folders,
        place.segment,
        item.modified,
        stored.free_id(item, export.format),
        extension_of(item.name, export.format),
    )
    return CopyOrder(
        item=_slim(item),
        path=place.path,
        blob=blob,
        format=export.format,
        export_mime_type=export.mime_type or None,
        **told,
    )


def _slim(item: Item) -> Item:
    needed = _NEEDED if item.modified is not None else (*_NEEDED, *UNREAD)
    return replace(item, resource={key: item.resource[key] for key in needed if key in item.resource})


def _as_of(item: Item, exports: Sequence[Export], stored: StoredIndex, rules: Rules) -> list[StoredVersion] | None:
    """What is stored of the item as it was at T, when that is certain for each format and the same version."""
    before = rules.before.get(item.id, Look())
    versions = [stored.as_of(item.id, each.format, rules.instant, before) for each in exports]
    known = [version for version in versions if version is not None]
    same = len({version.modified for version in known}) == 1
    return known if same and len(known) == len(exports) else None


def _row_as_of(item: Item, place: Place, versions: Sequence[StoredVersion]) -> PlanRow:
    """The row describes the content at T; the resource stays what Drive says now."""
    then, only = versions[0], versions[0].content
    is_file = item.kind == "file"
    return PlanRow(
        item=replace(
            item,
            modified=then.modified,
            version=None,
            head_revision_id=None,
            size=only.size if is_file else None,
            md5=only.md5 if is_file else None,
            sha256=only.sha256 if is_file else None,
        ),
        path=place.path,
        outcome="unchanged",
        contents=tuple(version.content for version in versions),
        message="The file changed after the snapshot's instant; this is the version of that instant, stored before.",
    )

"""Which shared items the run's other sources really have: read from their listings, each of them once."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from msgspec.structs import replace

from include.drive_backup.groups import Listed
from include.drive_backup.handover import Listing
from include.drive_backup.increment import listing_prefix
from include.drive_backup.model import Item, Source, Struct
from include.drive_backup.planning.covered import Homes, find_homes, homes_of
from include.drive_backup.ports import BlobStore
from include.drive_backup.work import read_parts


class _Listed(Struct, frozen=True):
    """As much of a listed item as tells which one it is."""

    id: str


async def load_homes(store: BlobStore, rows: Sequence[Listed]) -> Homes:
    """The run's sources, and which shared items those that were listed wholly have in their listings.

    That an item has an owner does not say that the owner's listing has it: Drive may list it late there.

    :param rows: what became of each source of the run.
    """
    homes = find_homes(rows)
    shared = [row.listing for row in rows if row.listing is not None and _is_shared(row)]
    wanted, named = set[str](), set[str]()
    for listing in shared:
        async for item in read_parts(store, listing_prefix(listing.work), Item, parts=listing.parts):
            wanted.add(item.id)
            named.update(homes_of(item))
    # Only what is named as a home can cover anything: the listings of all others are not read.
    covering, held = homes.covering & named, {}
    for row in rows:
        if row.listing is not None and row.source in covering:
            held[row.source] = frozenset([ident async for ident in _ids(store, row.listing) if ident in wanted])
    return replace(homes, held=held)


def _is_shared(row: Listed) -> bool:
    return Source.parse(row.source).kind == "shared"


async def _ids(store: BlobStore, listing: Listing) -> AsyncIterator[str]:
    async for item in read_parts(store, listing_prefix(listing.work), _Listed, parts=listing.parts):
        yield item.id

"""Which shared items the snapshots of the run's other sources will have: by their listings, each read once."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from include.drive_backup.again import version_number
from include.drive_backup.errors import CorruptStoreError
from include.drive_backup.groups import Listed
from include.drive_backup.handover import Listing
from include.drive_backup.increment import listing_prefix
from include.drive_backup.model import Item, Source
from include.drive_backup.planning.covered import Homes, find_homes, homes_of
from include.drive_backup.planning.tree import Node, Tree, build_tree
from include.drive_backup.ports import BlobStore
from include.drive_backup.work import read_parts

log = logging.getLogger(__name__)


async def load_homes(store: BlobStore, rows: Sequence[Listed]) -> Homes:
    """The run's sources, and which shared items those that were listed wholly have a place for.

    That an item has an owner does not say that the owner's listing has it: Drive may list it late there. Nor does a
    listed item always get a row: its owner may have put it, or a folder above it, into the trash.

    :param rows: what became of each source of the run.
    """
    homes = find_homes(rows)
    shared = [row.listing for row in rows if row.listing is not None and _is_shared(row)]
    wanted, named = set[str](), set[str]()
    for listing in shared:
        async for item in read_parts(store, listing_prefix(listing.work), Item, parts=listing.parts):
            wanted.add(item.id)
            named.update(homes_of(item, homes.names))
    # Only what is named as a home can cover anything: the listings of all others are not read.
    covering, held, lacking = homes.covering & named, {}, set[str]()
    for row in rows:
        if row.listing is not None and row.source in covering:
            try:
                tree = await _tree(store, row.listing)
            except CorruptStoreError as error:
                # Its own plan says it, too. What is shared with others stays in their snapshots.
                log.warning("%s holds nothing for others: %s", row.source, error)
                lacking.add(row.source)
            else:
                held[row.source] = frozenset(ident for ident in wanted if ident in tree)
    return Homes(covering=homes.covering - lacking, lacking=homes.lacking | lacking, held=held, names=homes.names)


def _is_shared(row: Listed) -> bool:
    return Source.parse(row.source).kind == "shared"


async def _tree(store: BlobStore, listing: Listing) -> Tree:
    """The items that the plan of this listing has a place for."""
    nodes = dict[str, Node]()
    async for node in read_parts(store, listing_prefix(listing.work), Node, parts=listing.parts):
        known = nodes.get(node.id)
        if known is None or version_number(known.version) <= version_number(node.version):
            nodes[node.id] = node
    return build_tree(nodes, listing.root_id, subtree=False, trash=listing.task.trashed)

"""The second step of a backup: from listings to rows of the snapshot and batches of copies, in the work area.

The listing is read twice: once for the tree, of which only a few fields per item are held, and once for the decisions,
which are written as they are made. Orders are written down, too, and dealt out to the batches in a second pass: only
the sizes of all of them are held, with the tree and the index of what is stored.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import AsyncExitStack
from typing import Any

import msgspec
from msgspec.structs import replace

from include.drive_backup.cost import Expectation, estimate
from include.drive_backup.errors import CorruptStoreError
from include.drive_backup.exports import check_formats
from include.drive_backup.handover import BatchRef, LeftRef, Listing, Past, PlanRef
from include.drive_backup.increment import listing_prefix
from include.drive_backup.left.whereabouts import Whereabouts, write_left
from include.drive_backup.manifest.manifest import Manifest
from include.drive_backup.model import DETAILS, CopyOrder, Item, Look, PlanRow, Source, human_bytes, parse_instant
from include.drive_backup.planning.before import looks_before, snapshot_over_at
from include.drive_backup.planning.covered import COVERED, NO_HOMES, Covered, Homes
from include.drive_backup.planning.decide import (
    Decision,
    Place,
    Rules,
    created_later,
    decide,
    decide_then,
    with_details,
)
from include.drive_backup.planning.details import units_of
from include.drive_backup.planning.failing import load_failing
from include.drive_backup.planning.filters import ItemFilter, PathFilter, left_out
from include.drive_backup.planning.shards import Pace, Sized, make_batches, share_batches
from include.drive_backup.planning.stored import StoredIndex, load_stored
from include.drive_backup.planning.then import Hindsight
from include.drive_backup.planning.tree import Node, Tree, build_tree
from include.drive_backup.planning.witnesses import load_hindsight
from include.drive_backup.ports import BlobStore, Clock
from include.drive_backup.work import PartWriter, batch_prefix, read_parts, rows_prefix

log = logging.getLogger(__name__)

PART_ROWS = 5_000

#: Sources of up to so many items are planned side by side, and so many at once; larger ones one after the other.
_SMALL = 5_000
_AT_ONCE = 16

#: The snapshot that a new one follows, if any.
FindBase = Callable[[Listing], Awaitable[str | None]]


async def plan_sources(
    store: BlobStore,
    listings: Sequence[Listing],
    *,
    export_formats: Mapping[str, Sequence[str]],
    max_batches: int,
    clock: Clock,
    find_base: FindBase | None = None,
    expected: Expectation | None = None,
    homes: Homes = NO_HOMES,
) -> tuple[list[PlanRef], list[BatchRef]]:
    """Plan all sources of a run: small ones side by side, since they cost latency and little memory.

    :param export_formats: native type, such as ``document``, to the extensions to export it as.
    :param max_batches: of all sources together; exceeded only by sources that outnumber it, which get one each.
    :param find_base: finds the snapshot that one follows, for the manifest.
    :param expected: what the estimate is made with.
    :param homes: the sources of the run that hold what others share.
    :return: the plans and batches, without the sources whose listing is broken: these keep no other from its backup.
    :raises ConfigError: a glob or an export format is wrong.
    :raises CorruptStoreError: the listings of all sources are broken.
    """
    pace = Pace.expected(expected or Expectation())
    shares = share_batches([(each.items, each.bytes, each.task) for each in listings], max_batches, pace)
    room, lock = asyncio.Semaphore(_AT_ONCE), asyncio.Lock()

    async def plan(listing: Listing, share: int) -> tuple[PlanRef, list[BatchRef]]:
        async with lock if listing.items > _SMALL else room:
            base = await find_base(listing) if find_base else None
            return await plan_source(
                store,
                listing,
                export_formats=export_formats,
                max_batches=share,
                clock=clock,
                base=base,
                expected=expected,
                homes=homes,
            )

    broken = list[CorruptStoreError]()

    async def try_to(listing: Listing, share: int) -> tuple[list[PlanRef], list[BatchRef]]:
        try:
            made, batches = await plan(listing, share)
        except CorruptStoreError as error:
            log.error("%s could not be planned: %s", listing.task.source, error)  # noqa: TRY400 - a sentence for people
            broken.append(error)
            return [], []
        return [made], batches

    done = await asyncio.gather(*map(try_to, listings, shares))
    if broken and len(broken) == len(listings):
        raise broken[0]
    return [plan for plans, _ in done for plan in plans], [batch for _, batches in done for batch in batches]


async def plan_source(
    store: BlobStore,
    listing: Listing,
    *,
    export_formats: Mapping[str, Sequence[str]],
    max_batches: int,
    clock: Clock,
    base: str | None = None,
    expected: Expectation | None = None,
    homes: Homes = NO_HOMES,
) -> tuple[PlanRef, list[BatchRef]]:
    """Decide on each item of one source; see :func:`plan_sources` for the parameters.

    :return: where the rows are, and the batches, empty when nothing has to be copied. ``counts`` has the rows by
        outcome (``copy``: to be copied), ``head_later`` and ``orphans`` among them, and what has no row as
        ``left_out_trashed``, ``left_out_created_later``, ``left_out_filtered`` and the like, see :mod:`.filters`.
    """
    check_formats(export_formats)
    planner = _Planner(store, listing, export_formats, clock, homes)
    await planner.decide_all(base)
    return await planner.finish(max_batches, base, expected or Expectation())


class _Planner:
    """One plan in the making."""

    def __init__(
        self,
        store: BlobStore,
        listing: Listing,
        export_formats: Mapping[str, Sequence[str]],
        clock: Clock,
        homes: Homes,
    ) -> None:
        task = listing.task
        self._store = store
        self._listing = listing
        self._clock = clock
        # A plan that is made again never mixes with what another try wrote.
        self._plan = f"{listing.work}/plan-{secrets.token_hex(6)}"
        self._filter, self._path_filter = ItemFilter(task.filters), PathFilter(task.include, task.exclude)
        self._rules = Rules(
            source=Source.parse(task.source),
            instant=parse_instant(task.instant),
            now=clock.now(),
            export_formats=export_formats,
            save=task.save,
        )
        self._covered = Covered(task, homes if self._rules.source.kind == "shared" else NO_HOMES)
        self._held: dict[str, dict[str, int]] = {}
        self._counts: Counter[str] = Counter()
        self._orders: list[Sized[int]] = []
        self._orders_prefix = f"{self._plan}/orders-"
        self._parts = self._order_parts = self._beside = 0
        self._left: LeftRef | None = None
        self._past: Past | None = None
        #: the snapshot that was over at the instant, when it was looked for
        self._over: tuple[Manifest | None] | None = None

    async def decide_all(self, base: str | None) -> None:
        """Write a row for each wanted item, and collect the orders; write down what is in ``base`` alone."""
        nodes, newest = await self._newest()
        past = await self._look_back(nodes, newest)
        tree = self._tree(nodes, trash=self._listing.task.trashed)
        filtered = await self._filtered(tree, newest, past)
        late = {ident for ident in tree if created_later(nodes[ident].created, self._rules)}
        # Clients set the time of creation, too: what a snapshot of before has was there.
        wanted = self._wanted(tree, filtered, late - (await self._before(late)).keys())
        await self._write_rows(newest, tree, wanted, past)
        # After the rows, whose index of what is stored takes as much memory as the catalogue that is read here.
        whereabouts = Whereabouts(tree, nodes, wanted, filtered, complete=self._listing.complete)
        self._left = await write_left(self._store, base, self._plan, self._listing, whereabouts)

    async def _write_rows(
        self, newest: Mapping[str, int], tree: Tree, wanted: AbstractSet[str], past: Hindsight | None
    ) -> None:
        stored = await load_stored(self._store, self._rules.source)
        failing = await load_failing(self._store, self._listing.task.snapshots, self._listing.task.instant)
        async with (
            PartWriter[PlanRow](self._store, rows_prefix(self._plan), PART_ROWS) as rows,
            PartWriter[CopyOrder](self._store, self._orders_prefix, PART_ROWS) as orders,
        ):
            async for ident, made in self._decisions(newest, tree, wanted, past, stored):
                decision = failing.mark(made)
                later = past.why_place_later(ident, tree) if past else None
                await rows.write(replace(decision.row, place_later=later))
                self._counts[decision.row.outcome or "copy"] += 1
                self._counts["head_later"] += decision.row.fidelity == "head-later"
                for order in decision.orders:
                    self._beside += units_of(order)
                    self._orders.append(Sized(len(self._orders), _size(order), f"{order.item.id} {order.format}"))
                    await orders.write(order)
        self._parts, self._order_parts = rows.parts, orders.parts

    async def _decisions(
        self,
        newest: Mapping[str, int],
        tree: Tree,
        wanted: AbstractSet[str],
        past: Hindsight | None,
        stored: StoredIndex,
    ) -> AsyncIterator[tuple[str, Decision]]:
        """What becomes of each wanted item; last of those in doubt, when it is known what a snapshot of before has."""
        doubtful = set[str]()
        async for ident, item in self._each(newest, wanted, past):
            decision = self._decide(ident, item, tree, stored, past)
            if decision.doubt and await self._before_there_is():
                doubtful.add(ident)
            else:
                yield ident, decision
        if doubtful:
            self._rules = replace(self._rules, before=await self._before(doubtful))
            async for item in self._items(newest, doubtful):
                yield item.id, self._decide(item.id, item, tree, stored, past)

    async def _before(self, idents: AbstractSet[str]) -> Mapping[str, Look]:
        """What a snapshot that was over at the instant has of some items; nothing is read for none."""
        manifest = await self._before_there_is() if idents else None
        return {} if manifest is None else await looks_before(self._store, manifest, idents)

    async def _before_there_is(self) -> Manifest | None:
        if self._over is None:
            task = self._listing.task
            self._over = (await snapshot_over_at(self._store, task.snapshots, task.instant),)
        return self._over[0]

    def _tree(self, nodes: Mapping[str, Node], *, trash: bool) -> Tree:
        source = self._rules.source
        return build_tree(
            nodes, self._listing.root_id, subtree=source.kind == "folder", rootless=source.rootless, trash=trash
        )

    async def _look_back(self, nodes: dict[str, Node], newest: Mapping[str, int]) -> Hindsight | None:
        """Of a late listing: put in place of the nodes of now those of the instant, as far as that can be told."""
        if self._listing.witnesses is None:
            return None
        within = set(self._tree(nodes, trash=False))
        trashed = self._items(newest, {ident for ident, node in nodes.items() if node.trashed})
        found, self._past = await load_hindsight(self._store, self._listing, nodes, trashed, within)
        return found

    async def _each(
        self, newest: Mapping[str, int], wanted: AbstractSet[str], past: Hindsight | None
    ) -> AsyncIterator[tuple[str, Item | None]]:
        """The wanted items, as Drive lists them now if it does."""
        told = past.rows.keys() & wanted if past else set[str]()
        async for item in self._items(newest, wanted):
            told.discard(item.id)
            yield item.id, item
        for ident in sorted(told):
            yield ident, None

    def _decide(
        self, ident: str, item: Item | None, tree: Tree, stored: StoredIndex, past: Hindsight | None
    ) -> Decision:
        place = Place(folders=tree.folders(ident), segment=tree.segment(ident))
        then = past.rows.get(ident) if past else None
        if then is None:
            if item is None:
                raise ValueError(f"Nothing is known of {ident}.")
            return decide(item, place, stored, self._rules)
        decision = decide_then(then, place, stored, self._rules.instant)
        return decision if item is None else with_details(decision, item, place, self._rules)

    async def finish(self, max_batches: int, base: str | None, expected: Expectation) -> tuple[PlanRef, list[BatchRef]]:
        """Write the batches."""
        task = self._listing.task
        sharded = make_batches(
            self._orders,
            batch_files=task.batch_files,
            batch_bytes=task.batch_bytes,
            max_batches=max_batches,
            pace=Pace.expected(expected),
        )
        parts = await self._deal(sharded)
        batches = [
            BatchRef(
                task=task,
                plan=self._plan,
                number=number,
                of=len(sharded),
                parts=parts[number - 1],
                files=len(orders) - sum(self._is_details(order) for order in orders),
                details=sum(self._is_details(order) for order in orders),
                bytes=sum(self._orders[order].size for order in orders),
            )
            for number, orders in enumerate(sharded, 1)
        ]
        cost = estimate(
            (self._orders[order].size for order in range(len(self._orders)) if not self._is_details(order)),
            expected,
            beside=self._beside,
            units=self._listing.use.units,
            minutes=(self._clock.now() - parse_instant(self._listing.started)).total_seconds() / 60,
        )
        plan = PlanRef(
            listing=self._listing,
            plan=self._plan,
            parts=self._parts,
            batches=len(batches),
            base=base,
            counts=dict(+self._counts),
            copy_files=sum(batch.files for batch in batches),
            copy_bytes=sum(batch.bytes for batch in batches),
            estimate=cost.to_dict(),
            left=self._left,
            past=self._past,
            unfit_globs=self._path_filter.watch.unfit,
            **self._held,
        )
        log.info(
            "%s: %d content versions to copy (%s) in %d batches; %s",
            task.source,
            plan.copy_files,
            human_bytes(plan.copy_bytes),
            len(batches),
            ", ".join(f"{outcome.replace('_', ' ')} {count}" for outcome, count in sorted(plan.counts.items()))
            or "the source is empty",
        )
        log.info("%s: estimate: %s", task.source, cost)
        return plan, batches

    def _is_details(self, order: int) -> bool:
        return self._orders[order].key.endswith(f" {DETAILS}")

    async def _deal(self, sharded: Sequence[Sequence[int]]) -> list[int]:
        """Write each order into its batch; the number of parts of each batch."""
        batch_of = {order: number for number, orders in enumerate(sharded, 1) for order in orders}
        async with AsyncExitStack() as stack:
            writers = [
                await stack.enter_async_context(
                    PartWriter[msgspec.Raw](self._store, batch_prefix(self._plan, number), PART_ROWS)
                )
                for number in range(1, len(sharded) + 1)
            ]
            position = 0
            # As they are: an order is taken apart by the task that copies it.
            async for order in read_parts(self._store, self._orders_prefix, msgspec.Raw, parts=self._order_parts):
                await writers[batch_of[position] - 1].write(order)
                position += 1
        return [writer.parts for writer in writers]

    async def _newest(self) -> tuple[dict[str, Node], dict[str, int]]:
        """The listing's items without their bulk; and of those that it has several times, which time is the newest."""
        nodes: dict[str, Node] = {}
        times: Counter[str] = Counter()
        newest: dict[str, int] = {}
        alike: dict[object, Any] = {}
        async for read in read_parts(self._store, listing_prefix(self._listing.work), Node, parts=self._listing.parts):
            # What many have in common is held once.
            mime_type = alike.setdefault(read.mime_type, read.mime_type)
            node = replace(read, mime_type=mime_type, parents=alike.setdefault(read.parents, read.parents))
            known = nodes.setdefault(node.id, node)
            if known is not node:
                times[node.id] += 1
                if int(node.version or 0) >= int(known.version or 0):
                    nodes[node.id], newest[node.id] = node, times[node.id]
                newest.setdefault(node.id, 0)
        return nodes, newest

    async def _filtered(self, tree: Tree, newest: Mapping[str, int], past: Hindsight | None) -> dict[str, str]:
        """The items that are left out, each with the reason."""
        refused, held = await self._refused(newest, past), await self._held_elsewhere(tree, newest, past)
        filtered = left_out(tree, self._listing.task, {**dict.fromkeys(held, COVERED), **refused}, self._path_filter)
        covered = Counter(held[ident] for ident, reason in sorted(filtered.items()) if reason == COVERED)
        self._held = {"covered": dict(covered), "not_covered": self._covered.lacking(tree, filtered)}
        return filtered

    async def _held_elsewhere(self, tree: Tree, newest: Mapping[str, int], past: Hindsight | None) -> dict[str, str]:
        """Of what is shared: the items that another source of the run holds, and that source."""
        if self._covered:
            for then in past.rows.values() if past else ():
                self._covered.note(then.witness.item)
            async for item in self._items(newest):
                self._covered.note(item)
        return self._covered.within(tree)

    async def _refused(self, newest: Mapping[str, int], past: Hindsight | None) -> dict[str, str]:
        """What the filters say of single items. It takes a pass of its own, so that the tree's nodes stay small."""
        if not self._filter:
            return {}
        judged = {item.id: self._filter.refuses(item) async for item in self._items(newest)}
        if past:
            judged |= {ident: self._filter.refuses(then.witness.item) for ident, then in past.rows.items()}
        return {ident: reason for ident, reason in judged.items() if reason is not None}

    async def _items(self, newest: Mapping[str, int], wanted: AbstractSet[str] | None = None) -> AsyncIterator[Item]:
        """The listing's items, each once.

        :param wanted: only these; None for all.
        """
        times: Counter[str] = Counter()
        async for item in read_parts(self._store, listing_prefix(self._listing.work), Item, parts=self._listing.parts):
            if item.id in newest:
                times[item.id] += 1
                if times[item.id] - 1 != newest[item.id]:
                    continue
            if wanted is None or item.id in wanted:
                yield item

    def _wanted(self, tree: Tree, filtered: Mapping[str, str], later: AbstractSet[str]) -> set[str]:
        """What the filters let through and what existed at the instant, with the folders above it; counts the rest."""
        kept = {ident for ident in tree if ident not in filtered}
        wanted = tree.with_folders(kept - later)
        counts = {
            "left_out_trashed": tree.trashed,
            "left_out_created_later": len(kept) - len(wanted),
            "orphans": tree.orphans,
        }
        self._counts.update(counts)
        self._counts.update(f"left_out_{reason}" for reason in filtered.values())
        return wanted


def _size(order: CopyOrder) -> int:
    """What a batch is charged for an order: of a native Drive tells a size that is near that of its export."""
    return 0 if order.details else order.item.size or 0

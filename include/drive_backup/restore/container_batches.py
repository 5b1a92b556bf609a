"""A restore into another container in steps that can be tried again: plan, batches, report.

The steps of :mod:`.batches`, but that nothing has to be made before the batches: a name needs no folder.
"""

from __future__ import annotations

import asyncio

from include.drive_backup.errors import ConfigError
from include.drive_backup.manifest.schema import CatalogueRow
from include.drive_backup.ports import BlobStore, Clock, TargetStore
from include.drive_backup.restore.batches import (
    Planner,
    RestoreBatch,
    RestoreOrder,
    RestorePlan,
    RestoreTask,
    carry_out,
    look,
    orders_of,
    planned,
)
from include.drive_backup.restore.container import TargetContainer
from include.drive_backup.restore.container_names import container_names
from include.drive_backup.restore.container_target import check_target
from include.drive_backup.restore.run import FILES, FOLDERS, SHORTCUTS


async def plan_container_restore(store: BlobStore, target: TargetStore, task: RestoreTask, work: str) -> RestorePlan:
    """Name everything, and write the orders of the batches.

    :param work: from :func:`.batches.work_of`, of this plan alone.
    :raises ConfigError: the target holds a backup.
    """
    if task.place is None:
        raise ConfigError(f"'{task.to}' is no container.")
    manifest, wanted = await look(store, task)
    await check_target(store, target)
    names = container_names(wanted.values(), task.place.prefix)

    async def order(row: CatalogueRow) -> RestoreOrder:
        formats = wanted[row.path].formats or ("",)
        chosen = {each: names[row.path, each] for each in formats}
        return RestoreOrder(row=row, names=chosen, asked=wanted[row.path].asked)

    planner = Planner(store, task, None, work, order)
    batches = await planner.batches(manifest, wanted, FOLDERS | FILES | SHORTCUTS, "batch")
    return planned(task, work, manifest, wanted, batches)


async def restore_container_batch(
    store: BlobStore,
    target: TargetStore,
    batch: RestoreBatch,
    clock: Clock,
    *,
    in_flight: int = 8,
    stop: asyncio.Event | None = None,
) -> dict[str, int]:
    """Restore what is missing of a batch.

    :return: how many items of each outcome.
    :raises TransientError: some failed; a further try does them again.
    """
    orders = await orders_of(store, batch)
    names = {(order.row.path, each): name for order in orders for each, name in order.names.items()}
    snapshot = (batch.task.source, batch.snapshot)
    destination = TargetContainer(target, names, store, snapshot, batch.task.conflict)
    return await carry_out(store, batch, orders, destination, clock, in_flight=in_flight, stop=stop)

"""What is asked for beside an item's content. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from include.drive_backup.model import CopyOrder, Detail, Item
from include.drive_backup.pacing import GET_UNITS, LIST_UNITS


def details_of(item: Item, save: Sequence[Detail]) -> tuple[Detail, ...]:
    """Those of the wanted details that the item can have."""
    return tuple(detail for detail in dict.fromkeys(save) if _can_have(item, detail))


def units_of(order: CopyOrder) -> int:
    """Quota units that the details of an order take, if each fits on one page: what an estimate counts."""
    cheap = "permissions" in order.details and order.item.drive_id is None
    return len(order.details) * LIST_UNITS - cheap * (LIST_UNITS - GET_UNITS)


def _can_have(item: Item, detail: Detail) -> bool:
    if detail == "permissions":
        return _has_own_permissions(item)
    return item.kind in ("file", "native")


def _has_own_permissions(item: Item) -> bool:
    """Whether an item has permissions that are not known without asking.

    What is not shared in My Drive has its owner's alone; what has none of its own in a shared drive has those of the
    drive. Where Drive does not say, it is asked.
    """
    if item.drive_id is None:
        return item.resource.get("shared") is not False
    own = item.resource.get("hasAugmentedPermissions") is not False
    return own or item.resource.get("inheritedPermissionsDisabled") is True

"""The permissions that a job saved (``save: [permissions]``), for a restore that is asked to give them again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from include.drive_backup.manifest.catalogue import read_details
from include.drive_backup.manifest.manifest import Manifest
from include.drive_backup.ports import BlobStore
from include.drive_backup.restore.drive_metadata import permissions_to_give
from include.drive_backup.restore.selection import Entry
from include.drive_backup.values import read_objects


async def read_permissions(
    store: BlobStore, manifest: Manifest, wanted: Mapping[str, Entry], now: datetime
) -> dict[str, list[dict[str, Any]]]:
    """What to give, by Drive id; nothing of a snapshot whose job did not save permissions.

    :param wanted: the items to restore.
    :param now: permissions that are over by then are not given.
    """
    ids = {entry.item_id for entry in wanted.values()}
    found = {}
    async for row in read_details(store, manifest):
        if row["detail"] == "permissions" and row["item_id"] in ids and row["value"]:
            found[row["item_id"]] = permissions_to_give(list(read_objects(json.loads(row["value"]))), now)
    return found

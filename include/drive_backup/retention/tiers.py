"""Content moves to cooler tiers as it grows old: which, where to, and the moving itself.

A blob is only ever moved to a colder tier. What somebody took out of the archive lately is left out of it for some
days, so that a restore can read it: Last-Modified, which is a blob's age, does not change when it is rehydrated.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from typing import get_args

from include.drive_backup.blob.names import content_prefix
from include.drive_backup.errors import StoppedError
from include.drive_backup.model import Source, Struct, Tier
from include.drive_backup.ports import BlobInfo, BlobStore
from include.drive_backup.retention.amount import Amount, chunks

_ORDER: tuple[Tier, ...] = get_args(Tier)
#: Days that a blob stays out of the archive after it was given another tier.
SETTLED_DAYS = 14

Moves = Mapping[Tier, Amount]


class TierRules(Struct, frozen=True):
    """How many days after it was written content moves to a tier; None: never."""

    cool_days: float | None = None
    cold_days: float | None = None
    archive_days: float | None = None

    @property
    def empty(self) -> bool:
        """Does nothing ever move?"""
        return self == TierRules()

    def target(self, info: BlobInfo, now: datetime) -> Tier | None:
        """The tier that a blob has to move to; None: it stays where it is.

        :param now: by the clock of Blob Storage.
        """
        if info.modified is None or info.tier not in _ORDER:
            return None
        days: dict[Tier, float | None] = {"archive": self.archive_days, "cold": self.cold_days, "cool": self.cool_days}
        age = now - info.modified
        due = next((tier for tier, least in days.items() if least is not None and age >= timedelta(days=least)), None)
        if due is None or _ORDER.index(due) <= _ORDER.index(info.tier):
            return None
        return None if due == "archive" and _was_moved_lately(info, now) else due


def _was_moved_lately(info: BlobInfo, now: datetime) -> bool:
    return info.tier_changed is not None and now - info.tier_changed < timedelta(days=SETTLED_DAYS)


class Moved(Struct, frozen=True):
    """What was moved, and for each blob that the service left where it was, why."""

    moves: dict[Tier, Amount] = {}
    refused: tuple[str, ...] = ()


def add(moves: dict[Tier, Amount], tier: Tier, blobs: int, size: int) -> None:
    """Count blobs that move.

    :param size: of all of them, in bytes.
    """
    moves[tier] = moves.get(tier, Amount()) + Amount(blobs=blobs, bytes=size)


async def plan_moves(store: BlobStore, source: Source, rules: TierRules) -> dict[Tier, Amount]:
    """What would move of a source. Nothing is moved."""
    now, moves = await store.now(), dict[Tier, Amount]()
    async for info in store.list(content_prefix(source)):
        if (tier := rules.target(info, now)) is not None:
            add(moves, tier, 1, info.size)
    return moves


async def move_content(
    store: BlobStore,
    source: Source,
    rules: TierRules,
    confirm: Callable[[], Awaitable[object]],
    stop: asyncio.Event | None = None,
) -> Moved:
    """Move what is due. It may be broken off at any moment; the next time goes on.

    :param confirm: makes sure that the source is still ours; called before each step.
    :param stop: set it to end soon.
    :raises StoppedError: ``stop`` was set.
    """
    moves, refused = dict[Tier, Amount](), list[str]()
    if rules.empty:
        return Moved()
    now = await store.now()
    async for chunk in chunks(store.list(content_prefix(source))):
        due: dict[Tier, list[BlobInfo]] = {}
        for info in chunk:
            if (tier := rules.target(info, now)) is not None:
                due.setdefault(tier, []).append(info)
        for tier, blobs in due.items():
            if stop is not None and stop.is_set():
                raise StoppedError("The task was asked to stop; what is moved is moved, the next try goes on.")
            await confirm()
            stayed = await store.set_tier([info.name for info in blobs], tier)
            refused.extend(why.message for why in stayed.values())
            gone = [info.size for info in blobs if info.name not in stayed]
            if gone:
                add(moves, tier, len(gone), sum(gone))
    return Moved(moves=moves, refused=tuple(refused))

"""Which keep rules a person has approved for a container: others delete nothing before somebody has seen what goes."""

from __future__ import annotations

import hashlib

import msgspec

from include.drive_backup.model import format_instant
from include.drive_backup.ports import BlobStore
from include.drive_backup.retention.settings import RetentionSettings


async def are_approved(store: BlobStore, settings: RetentionSettings) -> bool:
    """Whether a person has approved these keep rules for this container, now or before."""
    return await store.head(_name(settings)) is not None


async def note_approved(store: BlobStore, settings: RetentionSettings, run: str) -> None:
    """Remember that a person has approved these keep rules.

    :param run: in which that was.
    """
    record = {"rules": _rules(settings), "run": run, "approved": format_instant(await store.now())}
    data = msgspec.json.format(msgspec.json.encode(record), indent=2)
    await store.put(_name(settings), data, content_type="application/json")


def _name(settings: RetentionSettings) -> str:
    digest = hashlib.sha256(msgspec.json.encode(_rules(settings))).hexdigest()
    return f"retention/approved-{digest[:16]}.json"


def _rules(settings: RetentionSettings) -> dict[str, object]:
    """What decides on what goes. Of the globs the first one that fits counts, so their order is part of it."""
    rules = settings.model_dump(mode="json", include={"keep", "timezone", "grace_days"})
    return {**rules, "sources": [[glob, keep.model_dump(mode="json")] for glob, keep in settings.sources.items()]}

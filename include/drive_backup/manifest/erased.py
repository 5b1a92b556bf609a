"""What to say of a snapshot from which a person erased something."""

from __future__ import annotations

from include.drive_backup.manifest.manifest import Manifest
from include.drive_backup.model import counted, parse_instant


def erased_text(manifest: Manifest) -> str | None:
    """``3 items were erased``, with when and where that is on record; None: nothing was erased."""
    if not manifest.erased:
        return None
    items = sum(each.items for each in manifest.erased)
    last = max(manifest.erased, key=lambda each: each.when)
    were = "was" if items == 1 else "were"
    return f"{counted(items, 'item')} {were} erased, last on {parse_instant(last.when):%Y-%m-%d}; record: {last.record}"


def erased_note(manifest: Manifest) -> str | None:
    """The same as a sentence, for those who read the snapshot."""
    said = erased_text(manifest)
    if said is None:
        return None
    return f"From the snapshot {manifest.name.ident} {said}. The rest of it is as it was saved."

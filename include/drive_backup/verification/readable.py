"""What a person reads of a verification. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from include.drive_backup.model import counted, human_bytes
from include.drive_backup.verification.batches import CheckedGroup, ReadGroup
from include.drive_backup.verification.model import Damage

_NAMED = 20


def headline(damages: Sequence[Damage]) -> str:
    """One sentence for an alert, and the first files by name."""
    named = " ".join(f"{damage.source}: {damage}" for damage in damages[:_NAMED])
    more = f" And {len(damages) - _NAMED:,} more, see the log of the task report." if damages[_NAMED:] else ""
    are = "is" if len(damages) == 1 else "are"
    return (
        f"{counted(len(damages), 'stored object')} of the backup {are} damaged. Run the backup: it copies again what "
        f"Drive still has. {named}{more}"
    )


def not_checked(checked: Sequence[CheckedGroup], read: Sequence[ReadGroup], *, named: bool) -> str | None:
    """What was to be checked or read and was not, as one sentence; None: nothing of that kind.

    :param named: somebody asked for these sources by name: then each of them must have been there.
    """
    problems = [text for group in checked for text in group.unreadable]
    if named or not any(group.snapshots for group in checked):
        problems += [text for group in checked for text in group.unchecked]
    problems += [f"{group.source}: {text}" for group in read for text in group.read.why_unread]
    more = f" And {len(problems) - _NAMED:,} more." if problems[_NAMED:] else ""
    return f"Not all was checked that was asked for. {' '.join(problems[:_NAMED])}{more}" if problems else None


def summary(checked: Sequence[CheckedGroup], read: Sequence[ReadGroup]) -> str:
    """How much was looked at."""
    archived, unread = sum(each.read.archived for each in read), sum(each.read.unread for each in read)
    return (
        f"{counted(sum(each.sources for each in checked), 'source')}, "
        f"{counted(sum(each.snapshots for each in checked), 'snapshot')} with "
        f"{counted(sum(each.blobs for each in checked), 'content')} "
        f"({human_bytes(sum(each.bytes for each in checked))}) checked; "
        f"{counted(sum(each.read.blobs for each in read), 'content')} "
        f"({human_bytes(sum(each.read.bytes for each in read))}) read again"
        + (f", {archived:,} not read because they are archived" if archived else "")
        + (f", {unread:,} could not be read" if unread else "")
        + erased_text(sum(each.erased for each in checked), sum(each.erased_from for each in checked))
    )


def erased_text(erased: int, snapshots: int) -> str:
    """What a person erased, to follow how much was looked at; empty when nothing was."""
    if not snapshots:
        return ""
    of_each = ", counted in each" if snapshots > 1 else ""
    return f"; {counted(erased, 'item')} erased by a person from {counted(snapshots, 'snapshot')}{of_each}"

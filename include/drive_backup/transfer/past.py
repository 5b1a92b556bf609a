"""Content as it was at an instant that is over: from what is stored, or from a revision that Drive still gives.

What Drive lists may lack revisions that were once between two others, so the newest one that it lists before the
instant is a version of before the instant, and not for certain the last: such a row says ``revision``, never ``exact``.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from msgspec.structs import replace

from include.drive_backup.blob.names import content_blob, content_id, extension_of, parse_content
from include.drive_backup.errors import ItemUnavailableError
from include.drive_backup.exports import MIME_TYPES
from include.drive_backup.model import CopyOrder, CopyResult, Look, Revision, StoredContent

NO_REVISION = "It changed after the snapshot's instant, and Drive lists no version of before; this is the later one."
NOT_KEPT = (
    "It changed after the snapshot's instant, and Drive gives out an old version only if it was kept forever; this is "
    "the later one."
)
NO_LINK = "Drive offers no export of its version at the snapshot's instant in this format; this is the later one."
FROM_REVISION = "It changed after the snapshot's instant; this is the newest version of before that Drive still lists."


def believed(revisions: Sequence[Revision], before: Look | None) -> list[Revision]:
    """The revisions whose time nothing disproves.

    :param before: what a snapshot that was over at the instant has of the item.
    """
    look = before or Look()
    return [each for each in revisions if not look.disproves(each.modified, each.size, each.md5)]


def revision_at(
    revisions: Sequence[Revision], head: datetime | None, instant: datetime
) -> tuple[Revision, datetime] | None:
    """The newest listed revision not after an instant, and when the next listed one (or the head) was made."""
    before = [each for each in revisions if each.modified <= instant]
    after = [each.modified for each in revisions if each.modified > instant]
    if head is not None and head > instant:
        after.append(head)
    if not before or not after:
        return None
    # Drive lists the oldest first; of equal times the last one is the newest.
    return max(reversed(before), key=lambda each: each.modified), min(after)


def order_then(order: CopyOrder, revision: Revision) -> CopyOrder:
    """The order for the content of a revision, under the name that it would have had as the head."""
    name, own = parse_content(order.blob), order.item.kind == "file"
    if name is None:
        raise ValueError(f"'{order.blob}' is no name of a content blob.")
    item = replace(
        order.item,
        modified=revision.modified,
        size=revision.size if own else None,
        md5=revision.md5 if own else None,
        sha256=None,
        version=None,
        head_revision_id=revision.id if own else None,
    )
    # As the plan does it: a damaged blob keeps its name, and the good copy beside it has the next one.
    names = (content_id(item, order.format, copy) for copy in range(len(order.spoilt) + 1))
    content = next(each for each in names if each not in order.spoilt)
    extension = extension_of(item.name, order.format)
    blob = content_blob(name.source, name.folders, name.segment, item.modified, content, extension)
    return replace(order, item=item, blob=blob)


def check_can_be_read(order: CopyOrder, revision: Revision) -> str | None:
    """The MIME type to export a revision as, None for a file's own bytes.

    :raises ItemUnavailableError: Drive does not give it.
    """
    if order.export_mime_type is None:
        if not revision.kept or revision.md5 is None:
            raise ItemUnavailableError(NOT_KEPT, reason="download_restricted_for_revision")
        return None
    for mime_type in MIME_TYPES[order.format]:
        if mime_type in revision.export_links:
            return mime_type
    raise ItemUnavailableError(NO_LINK, reason="fileNotExportable")


def stored_revision(order: CopyOrder, revision: Revision) -> StoredContent | None:
    """What is stored of a revision: a document's by its time, a file's by its bytes."""
    for content in order.past:
        name = parse_content(content.blob)
        if order.export_mime_type is not None:
            if name is not None and name.modified == revision.modified:
                return content
        elif revision.md5 is not None and (content.md5, content.size) == (revision.md5, revision.size):
            return content
    return None


def is_head(order: CopyOrder, revision: Revision) -> bool:
    """Whether a file's revision has the bytes that it has now."""
    item = order.item
    own = item.kind == "file" and revision.md5 is not None
    return own and (item.md5, item.size) == (revision.md5, revision.size)


def as_revision(result: CopyResult, revision: Revision) -> CopyResult:
    """The result of copying the head for a revision, if they still have the same bytes."""
    if result.content is None or (result.content.md5, result.content.size) != (revision.md5, revision.size):
        return result
    return replace(result, fidelity="revision", message=FROM_REVISION, revision=revision)


def from_revision(
    order: CopyOrder, revision: Revision, content: StoredContent, *, downloaded: int = 0, stored: bool = False
) -> CopyResult:
    """The result of an order for which a revision was found."""
    return CopyResult(
        item_id=order.item.id,
        format=order.format,
        outcome="copied",
        content=content,
        fidelity="revision",
        message=FROM_REVISION,
        revision=replace(revision, export_links={}),
        downloaded=downloaded,
        stored=stored,
    )


def head_instead(order: CopyOrder, head: StoredContent, why: str) -> CopyResult:
    """The result of an order whose past is lost, when the head is stored already."""
    return CopyResult(
        item_id=order.item.id,
        format=order.format,
        outcome="copied",
        content=head,
        fidelity="head-later",
        message=why,
        stored=True,
    )

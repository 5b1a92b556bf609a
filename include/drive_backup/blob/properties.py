"""What the SDK says of a blob, as ``ports.BlobInfo``."""

from __future__ import annotations

from azure.storage.blob import BlobProperties

from include.drive_backup.blob import rules
from include.drive_backup.ports import BlobInfo


def info_of(properties: BlobProperties, name: str) -> BlobInfo:
    """The same that a listing says."""
    settings = properties.content_settings
    return BlobInfo(
        name=name,
        size=properties.size,
        md5=bytes(settings.content_md5).hex() if settings.content_md5 else None,
        content_type=settings.content_type,
        metadata=rules.decode_metadata(properties.metadata),
        modified=properties.last_modified,
        # In quotes here, and without them in a listing.
        etag=(properties.etag or "").strip('"') or None,
        tier=str(properties.blob_tier or "").lower() or None,
        tier_changed=properties.blob_tier_change_time,
        rehydrating=str(properties.archive_status or "").startswith("rehydrate-pending"),
    )


def is_same(found: BlobInfo | None, ours: BlobInfo) -> bool:
    """Whether what is there is what was written.

    :param ours: a size of -1 is not known.
    """
    if found is None or found.md5 != ours.md5 or found.metadata != ours.metadata:
        return False
    return ours.size in (-1, found.size)

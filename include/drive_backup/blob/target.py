"""The container that a restore writes into. No backup is ever opened with this class."""

from __future__ import annotations

from typing import Self

from include.drive_backup.blob.azure import AzureBlobStore
from include.drive_backup.ports import BlobInfo


class AzureTargetStore(AzureBlobStore):
    """Implements :class:`include.drive_backup.ports.TargetStore`."""

    def over(self, found: BlobInfo) -> Self:
        """The same container, where a write takes the place of a blob. See the port."""
        return self._over(found)

"""A container in memory that a restore writes into."""

from __future__ import annotations

import copy
from typing import Self

from include.drive_backup.blob.errors import LEASED
from include.drive_backup.errors import PermanentError
from include.drive_backup.ports import BlobInfo
from tests.support.memory_blob import MemoryBlobStore


class MemoryTargetStore(MemoryBlobStore):
    """Implements ``ports.TargetStore``."""

    url = "memory://target"
    _found: BlobInfo | None = None

    def over(self, found: BlobInfo) -> Self:
        store = copy.copy(self)
        store._found = found
        return store

    def _may_write(self, name: str) -> bool:
        if self._found is None:
            return super()._may_write(name)
        if name in self.blobs and self._is_leased(name):
            raise PermanentError(f"Could not write '{name}': it is leased.", reason=LEASED)
        if name in self.blobs and name in self.immutable:
            reason = "BlobImmutableDueToPolicy"
            raise PermanentError(f"Could not write '{name}': HTTP 409 {reason}.", reason=reason)
        return name in self.blobs and self.blobs[name][1] is self._found

    def files(self) -> dict[str, bytes]:
        """The bytes of every blob."""
        return {name: data for name, (data, _) in sorted(self.blobs.items())}

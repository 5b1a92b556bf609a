"""Which content the snapshots refer to, as fingerprints: a million of them take some 100 MB."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from include.drive_backup.manifest.catalogue import read_rows
from include.drive_backup.manifest.manifest import Manifest
from include.drive_backup.ports import BlobStore


class References:
    """The content blobs that snapshots of one source refer to.

    None refers to content of another source: the commit looks for each blob among those of its own.
    """

    def __init__(self) -> None:
        self._fingerprints: set[bytes] = set()

    def __contains__(self, blob: str) -> bool:
        return _fingerprint(blob) in self._fingerprints

    async def add(self, store: BlobStore, manifests: Iterable[Manifest]) -> None:
        """Read the catalogues of snapshots of one source.

        :raises CorruptStoreError: one is missing or damaged, so that nobody knows what it refers to.
        """
        for manifest in manifests:
            async for row in read_rows(store, manifest, ["contents"]):
                for content in row["contents"] or ():
                    self._fingerprints.add(_fingerprint(content["blob"]))


def _fingerprint(blob: str) -> bytes:
    return hashlib.blake2b(blob.encode(), digest_size=16).digest()

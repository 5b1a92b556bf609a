"""Which content the snapshots refer to, as fingerprints: a million of them take some 100 MB."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Set  # noqa: PYI025 - the abstract one

from include.drive_backup.errors import CorruptStoreError
from include.drive_backup.manifest.catalogue import read_rows
from include.drive_backup.manifest.inventory import fingerprint
from include.drive_backup.manifest.manifest import Manifest
from include.drive_backup.ports import BlobStore


class References:
    """The content blobs that snapshots of one source refer to.

    None refers to content of another source: the commit looks for each blob among those of its own.
    """

    def __init__(self) -> None:
        self._fingerprints: set[bytes] = set()

    def __contains__(self, blob: str) -> bool:
        return blob_mark(blob) in self._fingerprints

    async def add(self, store: BlobStore, manifest: Manifest, sound: Set[bytes] | None = None) -> int:
        """Read the catalogue of a snapshot.

        :param sound: fingerprints of what is in the container, from :func:`.inventory.load_sound`; None: do not ask.
        :return: how many contents are not there as they were written.
        :raises CorruptStoreError: it is missing or damaged, or has other rows than the manifest counts, so that nobody
            knows what the snapshot refers to.
        """
        counts, fidelity, damaged = Counter[str](), Counter[str](), 0
        async for row in read_rows(store, manifest, ["contents", "outcome", "fidelity"]):
            counts[row["outcome"]] += 1
            fidelity[row["fidelity"]] += 1
            for content in row["contents"] or ():
                self._fingerprints.add(blob_mark(content["blob"]))
                mark = fingerprint(content["blob"], content["size"], content["md5"])
                damaged += sound is not None and mark not in sound
        if (counts, fidelity) != (Counter(manifest.counts), Counter(manifest.fidelity)):
            raise CorruptStoreError(f"{manifest.name.manifest} counts other items than its catalogue has.")
        return damaged


def blob_mark(blob: str) -> bytes:
    """16 bytes that stand for the name of a blob."""
    return hashlib.blake2b(blob.encode(), digest_size=16).digest()

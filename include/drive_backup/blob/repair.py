"""The container of a backup with what the storage account keeps beside it: deleted blobs, versions, Blob snapshots.

Sources: Azure Storage REST reference, "List Blobs", "Undelete Blob", "Get Blob". What is deleted can be listed and not
read. Undeleting brings back the blob and its snapshots, in an account with versions the versions.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Self

from azure.core.exceptions import AzureError, HttpResponseError
from azure.storage.blob import BlobProperties

from include.drive_backup.blob import rules
from include.drive_backup.blob.azure import AzureBlobStore
from include.drive_backup.blob.errors import is_missing
from include.drive_backup.blob.properties import info_of
from include.drive_backup.blob.reading import first_range, pieces
from include.drive_backup.errors import CorruptStoreError
from include.drive_backup.ports import BlobInfo, Earlier, Guard

#: What a listing is asked for; an account that has no versions may refuse the first.
_INCLUDED = (["metadata", "deleted", "snapshots", "versions"], ["metadata", "deleted", "snapshots"], ["metadata"])
_NOT_HERE = frozenset({400, 409, 501})


class AzureRepairStore(AzureBlobStore):
    """Implements :class:`include.drive_backup.ports.RepairStore`."""

    async def earlier(self, name: str) -> list[Earlier]:
        """What the account keeps of a blob. See the port."""
        rules.check_name(name)
        found = await self._calls.run(f"list what is kept of '{name}'", lambda: self._kept(name))
        return sorted(found, key=lambda each: (each.version or "", each.snapshot or ""), reverse=True)

    async def _kept(self, name: str) -> list[Earlier]:
        for included in _INCLUDED:
            pages = self._container.list_blobs(name, include=included, **self._calls.options())
            try:
                return [_earlier(each) async for each in pages if each.name == name and not _is_current(each)]
            except HttpResponseError as error:
                if error.status_code not in _NOT_HERE or included is _INCLUDED[-1]:
                    raise
        return []

    async def stream_earlier(self, earlier: Earlier) -> AsyncIterator[bytes]:
        """The bytes of a version or snapshot. See the port.

        :raises CorruptStoreError: it is not there, or its bytes are not those of its Content-MD5.
        """
        which = {"version_id": earlier.version, "snapshot": earlier.snapshot}
        calls = self._calls.of(**{key: value for key, value in which.items() if value})
        first = await first_range(calls, earlier.info.name)
        if first is None:
            raise CorruptStoreError(f"{earlier} of '{earlier.info.name}' is not there.", reason="blobMissing")
        async for piece in pieces(calls, earlier.info.name, first):
            yield piece

    async def undelete(self, name: str, *, guard: Guard | None = None) -> bool:
        """Bring back what is deleted of a blob. See the port."""
        rules.check_name(name)
        client = self._calls.blob(name)

        async def send() -> bool:
            if guard is not None:
                guard()
            self._calls.writes += 1
            try:
                await client.undelete_blob(**self._calls.options())
            except AzureError as error:
                if is_missing(error):
                    return False
                raise
            return True

        return await self._calls.run(f"undelete '{name}'", send)

    async def discard(self, earlier: Earlier, *, guard: Guard | None = None) -> None:
        """Delete a Blob snapshot. See the port."""
        client = self._calls.of(snapshot=earlier.snapshot or "").blob(earlier.info.name)

        async def send() -> None:
            if guard is not None:
                guard()
            try:
                await client.delete_blob(**self._calls.options())
            except AzureError as error:
                if not is_missing(error):
                    raise

        await self._calls.run(f"delete {earlier} of '{earlier.info.name}'", send)

    def over(self, found: BlobInfo) -> Self:
        """The same container, where a write takes the place of a blob. See the port."""
        return self._over(found)


def _is_current(blob: BlobProperties) -> bool:
    other = blob.deleted or blob.snapshot or (blob.version_id and not blob.is_current_version)
    return not other


def _earlier(blob: BlobProperties) -> Earlier:
    return Earlier(
        info=info_of(blob, blob.name), version=blob.version_id, snapshot=blob.snapshot, deleted=bool(blob.deleted)
    )

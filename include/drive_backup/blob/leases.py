"""Leases, which make Blob Storage refuse to delete a blob, whoever asks.

Every process uses the same lease ids, so that one extends or ends what another began: a lease belongs to the blob, not
to a caller. Source: Azure Storage REST reference, "Lease Blob", with its table of outcomes by lease state.
"""

from __future__ import annotations

from collections.abc import Mapping

from azure.core.exceptions import AzureError

from include.drive_backup.blob import rules
from include.drive_backup.blob.calls import Calls
from include.drive_backup.blob.errors import error_code, is_missing
from include.drive_backup.blob.sending import Sender
from include.drive_backup.errors import TransientError

_OURS = "64726976-652d-6261-636b"
#: The lease that ends by itself. One id for all would let a reader shorten the others.
_READ = f"{_OURS}-75702d726561"
_NOT_OURS = {"LeaseAlreadyPresent", "LeaseIdMismatchWithLeaseOperation", "LeaseNotPresentWithLeaseOperation"}


class Leases:
    """The leases of one container's blobs."""

    def __init__(self, calls: Calls, sender: Sender) -> None:
        self._calls = calls
        self._sender = sender

    async def take(self, name: str, seconds: int | None, epoch: int) -> bool:
        """See :meth:`include.drive_backup.ports.BlobStore.lease`."""
        rules.check_name(name)
        if seconds is not None:
            if not 15 <= seconds <= 60:
                raise ValueError("A lease lasts 15 to 60 seconds, or has no end.")
            # Refused, it has one without an end, or another program's: it cannot be deleted now.
            return await self._ask(name, "acquire", _acquire(_READ, seconds)) is not None
        acquire = _acquire(_held(epoch), -1)
        taken = await self._ask(name, "acquire", acquire)
        if taken is False:
            await self._replace(name, epoch)
            taken = await self._ask(name, "acquire", acquire)
        if taken is False and await self._duration(name) != "infinite":
            raise TransientError(
                f"Another program leases '{name}' for a while. Try again in a minute.", reason="LeaseAlreadyPresent"
            )
        return taken is not None

    async def end(self, name: str, epoch: int) -> None:
        """See :meth:`include.drive_backup.ports.BlobStore.end_lease`."""
        rules.check_name(name)
        for each in reversed(range(epoch + 1)):
            if await self._ask(name, "release", {"x-ms-lease-id": _held(each)}) is not False:
                return

    async def _replace(self, name: str, epoch: int) -> None:
        """Put the lease of an epoch in the place of the one that is there, without a moment between them."""
        for other in (_READ, *(_held(each) for each in reversed(range(epoch)))):
            asked = {"x-ms-lease-id": other, "x-ms-proposed-lease-id": _held(epoch)}
            if await self._ask(name, "change", asked) is not False:
                return

    async def _ask(self, name: str, action: str, headers: Mapping[str, str]) -> bool | None:
        """Whether it was done; None: there is no such blob."""

        async def ask() -> bool | None:
            asked = {"x-ms-lease-action": action, **headers}
            try:
                await self._sender.lease(name, asked, self._calls.timeout())
            except AzureError as error:
                if is_missing(error):
                    return None
                if error_code(error) in _NOT_OURS:
                    return False
                raise
            return True

        return await self._calls.run(f"{action} the lease of '{name}'", ask, needs="w")

    async def _duration(self, name: str) -> str | None:
        async def look() -> str | None:
            properties = await self._calls.blob(name).get_blob_properties(**self._calls.options())
            return properties.lease.duration

        return await self._calls.run(f"look at the lease of '{name}'", look, needs="r")


def _held(epoch: int) -> str:
    """The id of the lease without an end of an epoch."""
    return f"{_OURS}-{epoch:012x}"


def _acquire(ident: str, seconds: int) -> dict[str, str]:
    return {"x-ms-proposed-lease-id": ident, "x-ms-lease-duration": str(seconds)}

"""One Drive with its backups in an account that keeps nothing beside them, and erasures; for tests of what is left."""

from __future__ import annotations

import gzip

from include.drive_backup.erasure.apply import erase
from include.drive_backup.erasure.model import Who
from include.drive_backup.erasure.plan import plan_erasure
from include.drive_backup.locking import SourceLock
from include.drive_backup.manifest.repository import SnapshotRepository
from tests.core.retention.house import ANN, House
from tests.support.fake_drive import FakeDrive
from tests.support.flow import Backup
from tests.support.memory_repair import MemoryRepairStore

DANA = Who(by="Dana, case 12", reason="asked for by letter")


class World(House):
    """A Drive that changes, its backups, and erasures of them.

    :param store: the container of the account.
    """

    def __init__(self, drive: FakeDrive | None = None, store: MemoryRepairStore | None = None) -> None:
        super().__init__(drive)
        self.backup = Backup(self.drive, store or MemoryRepairStore())
        self.store = self.backup.store
        self.store.clock = self.backup.clock

    async def plan_erase(self, item=None, source=ANN):
        return await plan_erasure(self.store, source, item)

    async def erase(self, item=None, source=ANN):
        self.runs += 1
        lock = SourceLock(self.store, source, f"erase/{self.runs}", clock=self.backup.clock)
        return await erase(self.store, source, item, DANA, lock, self.backup.clock)

    async def manifests(self, source=ANN):
        repository = SnapshotRepository(self.store)
        return [await repository.read(name) for name in await repository.names(source)]

    async def items(self):
        """The ids of the items of each snapshot, oldest first."""
        return [set(await self.backup.rows({"manifest": each.name.manifest})) for each in await self.manifests()]

    async def bytes_of(self):
        """What each snapshot gives back, by its id."""
        return {
            each.name.ident: await self.backup.restored({"manifest": each.name.manifest})
            for each in await self.manifests()
        }

    def naming(self, *words, but=("erased/",), shared=()):
        """The blobs that have one of these words in their name, their metadata or their bytes.

        :param shared: content that stays for the sake of other items, whose rows have its name.
        """
        found = []
        for name, (data, info) in sorted(self.store.blobs.items()):
            said = " ".join((name, *info.metadata.values())).encode() + _plain(name, data)
            for blob in shared:
                said = said.replace(blob.encode(), b"")
            if name not in shared and not name.startswith(but) and any(word.encode() in said for word in words):
                found.append(name)
        return found


def _plain(name: str, data: bytes) -> bytes:
    if name.endswith(".gz"):
        return gzip.decompress(data)
    if not name.endswith(".parquet"):
        return data
    import io

    import pyarrow.parquet as pq

    return str(pq.read_table(io.BytesIO(data)).to_pylist()).encode()

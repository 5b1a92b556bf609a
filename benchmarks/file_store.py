"""A ``BlobStore`` in a local folder: costs no memory for what it holds, and next to no time. For benchmarks only."""

import hashlib
from datetime import UTC, datetime
from pathlib import Path

from include.drive_backup.ports import BlobInfo


class FileStore:
    """What listing and planning need of a store."""

    url = "file://"

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._infos: dict[str, BlobInfo] = {}
        self._paths: dict[str, Path] = {}

    async def put(self, name, data, *, content_type="application/octet-stream", metadata=None, guard=None):
        if name in self._infos:
            return False
        self._paths[name] = self._folder / str(len(self._paths))
        self._paths[name].write_bytes(data)
        self._infos[name] = BlobInfo(
            name=name,
            size=len(data),
            md5=hashlib.md5(data).hexdigest(),
            content_type=content_type,
            metadata=metadata or {},
            modified=datetime.now(UTC),
        )
        return True

    async def head(self, name):
        return self._infos.get(name)

    async def read(self, name):
        return self._paths[name].read_bytes() if name in self._paths else None

    async def stream(self, name):
        with self._paths[name].open("rb") as file:
            while piece := file.read(1 << 20):
                yield piece

    async def list(self, prefix, *, metadata=False):
        for name in sorted(self._infos):
            if name.startswith(prefix):
                yield self._infos[name]

    async def delete(self, names, *, guard=None):
        for name in names:
            self._infos.pop(name, None)
            self._paths.pop(name).unlink()

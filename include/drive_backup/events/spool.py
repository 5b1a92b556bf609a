"""An outbox on the local disk, for when Blob is down as well."""

from __future__ import annotations

import logging
import os
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

from include.drive_backup.ports import BlobInfo

log = logging.getLogger(__name__)


class LocalSpool:
    """Implements :class:`~include.drive_backup.events.sink.OutboxStore` in a folder.

    :param folder: made on the first write; Airflow's side passes ``$AIRFLOW_HOME/drive_backup_outbox``.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def write(self, name: str, data: bytes) -> None:
        """Store durably, or not at all. Synchronous, so that it also works while everything is being cancelled.

        :raises OSError: the disk refuses.
        """
        path = self._folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(f".{path.name}.{os.getpid()}")
        with draft.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)

    def names(self, prefix: str = "") -> list[str]:
        """Names under a prefix in lexical order."""
        files = (path for path in self._folder.rglob("*") if path.is_file() and not path.name.startswith("."))
        return sorted(
            name for name in (path.relative_to(self._folder).as_posix() for path in files) if name.startswith(prefix)
        )

    async def put(self, name: str, data: bytes, *, content_type: str = "application/json") -> bool:  # noqa: ARG002 - files have no content type
        """Create; false when the name is taken."""
        if (self._folder / name).exists():
            return False
        self.write(name, data)
        return True

    async def read(self, name: str) -> bytes | None:
        """The bytes, or None when there is no such name."""
        return _read(self._folder / name)

    async def list(self, prefix: str) -> AsyncIterator[BlobInfo]:
        """Names under a prefix in lexical order."""
        for name in self.names(prefix):
            data = _read(self._folder / name)
            if data is not None:
                yield BlobInfo(name=name, size=len(data))

    async def delete(self, names: Sequence[str]) -> None:
        """Delete by name; a missing one is no error."""
        for name in names:
            (self._folder / name).unlink(missing_ok=True)


def _read(path: Path) -> bytes | None:
    """The bytes of a file; None when it is gone, or is not one that can be read."""
    try:
        return path.read_bytes() if path.is_file() else None
    except FileNotFoundError:
        return None
    except OSError as error:
        log.warning("%s cannot be read and stays: %s", path, error)
        return None

"""Restore into a local folder, and never outside of it.

Every step of a path is opened relative to the folder above, without following symbolic links, so that neither a name in
the backup nor a link that lies in the target leads elsewhere. A file appears under its name only when its bytes are on
disk and were read back.
"""

from __future__ import annotations

import errno
import hashlib
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path

from include.drive_backup.errors import ContentArchivedError, CorruptStoreError, PermanentError
from include.drive_backup.manifest.schema import CatalogueRow
from include.drive_backup.model import StoredContent
from include.drive_backup.ports import BlobStore
from include.drive_backup.restore.naming import Names, numbered, safe_name
from include.drive_backup.restore.orders import Conflict, RestoreResult, not_saved, result_for, wrong_bytes

_PIECE = 1024**2
_TRIES = 20
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
#: No other file would fare better.
_HOPELESS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO)
_SHORTCUT = "A local folder has no shortcuts to Drive; its target's id is in the catalogue."


class LocalFolder:
    """Implements :class:`.orders.Destination`.

    :param root: the folder; made if it is not there.
    :param names: from :func:`.naming.local_names`.
    :raises PermanentError: the folder cannot be made or opened.
    """

    def __init__(self, root: Path, names: Names, store: BlobStore, conflict: Conflict = "copy") -> None:
        self._root = root
        self._names = names
        self._store = store
        self._conflict: Conflict = conflict
        try:
            root.mkdir(parents=True, exist_ok=True)
            os.close(os.open(root, os.O_RDONLY | os.O_DIRECTORY))
        except OSError as error:
            raise PermanentError(f"The folder {root} cannot be used: {error.strerror}. Name another one.") from error

    async def restore(self, row: CatalogueRow) -> list[RestoreResult]:
        """Write a folder, or all contents of a file. See the port.

        :raises PermanentError: the disk is full or can no longer be written.
        """
        return [*await self._bring_back(row), *not_saved(row)]

    async def _bring_back(self, row: CatalogueRow) -> list[RestoreResult]:
        if row.item.kind == "shortcut":
            return [result_for(row, "left-out", reason="shortcut", message=_SHORTCUT)]
        formats = [""] if row.item.kind == "folder" else [content.format for content in row.contents]
        return [await self._safely(row, content_format) for content_format in formats]

    async def _safely(self, row: CatalogueRow, content_format: str) -> RestoreResult:
        place = self._names[row.path, content_format]
        try:
            content = next((each for each in row.contents if each.format == content_format), None)
            return self._make_folder(row, place) if content is None else await self._file(row, content, place)
        except (ContentArchivedError, CorruptStoreError) as error:
            # The other formats of the item are worth having.
            return result_for(row, "failed", self._shown(place), reason=error.reason, message=str(error))
        except OSError as error:
            message = f"'{self._shown(place)}' cannot be written: {error.strerror or error}."
            if error.errno in _HOPELESS:
                raise PermanentError(f"{message} What is restored already stays.", reason="localFolder") from error
            return result_for(row, "failed", self._shown(place), reason="localFolder", message=message)

    def _make_folder(self, row: CatalogueRow, place: tuple[str, ...]) -> RestoreResult:
        with self._folder(place[:-1]) as above:
            _check(place[-1])
            try:
                os.mkdir(place[-1], dir_fd=above)
            except FileExistsError:
                os.close(os.open(place[-1], _DIRECTORY, dir_fd=above))
                return result_for(row, "same", self._shown(place))
        return result_for(row, "restored", self._shown(place))

    async def _file(self, row: CatalogueRow, content: StoredContent, place: tuple[str, ...]) -> RestoreResult:
        with self._folder(place[:-1]) as folder:
            for _ in range(_TRIES):
                try:
                    return await self._in_folder(folder, row, content, place)
                except FileExistsError:
                    # Somebody else, or another file of this restore, was quicker: look again.
                    continue
        raise FileExistsError(errno.EEXIST, "others write files of its name all the time")

    async def _in_folder(
        self, folder: int, row: CatalogueRow, content: StoredContent, place: tuple[str, ...]
    ) -> RestoreResult:
        *folders, name = place
        _check(name)
        there = _look(folder, name, content)
        if there in ("other", "no file") and self._conflict == "copy":
            name, there = _free_name(folder, name, content)
        shown = self._shown((*folders, name))
        if there == "same":
            return result_for(row, "same", shown)
        if there == "other" and self._conflict == "skip":
            return result_for(row, "skipped", shown)
        if there == "no file":
            raise IsADirectoryError(errno.EISDIR, "a folder or a link has its name")
        await self._write(folder, name, content, row.item.modified, replace=there == "other")
        return result_for(row, "restored", shown, size=content.size)

    async def _write(
        self, folder: int, name: str, content: StoredContent, modified: datetime | None, *, replace: bool
    ) -> None:
        temporary = f".drive-backup-{secrets.token_hex(8)}"
        descriptor = os.open(temporary, _NEW_FILE, 0o600, dir_fd=folder)
        try:
            with os.fdopen(descriptor, "wb") as file:
                async for piece in self._store.stream(content.blob):
                    file.write(piece)
                file.flush()
                os.fchmod(file.fileno(), 0o666 & ~_UMASK)
                os.fsync(file.fileno())
            if _digest(folder, temporary) != (content.size, content.sha256):
                raise wrong_bytes(content)
            if modified is not None:
                with suppress(OverflowError, OSError):
                    os.utime(temporary, (modified.timestamp(),) * 2, dir_fd=folder)
            _place(folder, temporary, name, replace=replace)
        finally:
            with suppress(FileNotFoundError):
                os.unlink(temporary, dir_fd=folder)

    @contextmanager
    def _folder(self, place: tuple[str, ...]) -> Iterator[int]:
        """The descriptor of a folder below the root; made where it is missing."""
        descriptor = os.open(self._root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            for name in place:
                _check(name)
                with suppress(FileExistsError):
                    os.mkdir(name, dir_fd=descriptor)
                below = os.open(name, _DIRECTORY, dir_fd=descriptor)
                os.close(descriptor)
                descriptor = below
            yield descriptor
        finally:
            os.close(descriptor)

    def _shown(self, place: tuple[str, ...]) -> str:
        return str(self._root.joinpath(*place))


def _check(name: str) -> None:
    """Refuse what is not the name of something in a folder, whoever chose it."""
    if name != safe_name(name):
        raise PermissionError(errno.EPERM, "its name leads out of the folder")


def _read_umask() -> int:
    umask = os.umask(0)
    os.umask(umask)
    return umask


_UMASK = _read_umask()


def _look(folder: int, name: str, content: StoredContent) -> str:
    """What has the name now: ``nothing``, the ``same`` bytes, an ``other`` file, or ``no file``."""
    try:
        found = os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return "nothing"
    if not stat.S_ISREG(found.st_mode):
        return "no file"
    same = found.st_size == content.size and _digest(folder, name) == (content.size, content.sha256)
    return "same" if same else "other"


def _free_name(folder: int, name: str, content: StoredContent) -> tuple[str, str]:
    """A name beside one that is taken; a copy that an earlier try left there is found again."""
    for other in numbered(name, safe_name):
        there = _look(folder, other, content)
        if there in ("nothing", "same"):
            return other, there
    raise AssertionError("unreachable: the names never end")


def _digest(folder: int, name: str) -> tuple[int, str]:
    sha256, size = hashlib.sha256(), 0
    descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
    with os.fdopen(descriptor, "rb") as file:
        while piece := file.read(_PIECE):
            sha256.update(piece)
            size += len(piece)
    return size, sha256.hexdigest()


def _place(folder: int, temporary: str, name: str, *, replace: bool) -> None:
    """Give a finished file its name; only ``replace`` takes the name from another one."""
    if replace:
        os.replace(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)
    else:
        os.link(temporary, name, src_dir_fd=folder, dst_dir_fd=folder, follow_symlinks=False)

"""A folder of the local file system that is open, and what is done in it by name.

On Linux and macOS each call goes through the folder's descriptor, so that no link that somebody puts in the way leads
elsewhere. Windows has no such calls: there a folder is its path, and every step is looked at before it is taken.
"""

from __future__ import annotations

import errno
import hashlib
import importlib
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Self

from include.drive_backup.clock import SystemClock

_FLAGS = {name: getattr(os, name, 0) for name in ("O_DIRECTORY", "O_NOFOLLOW", "O_CLOEXEC", "O_BINARY", "O_NOINHERIT")}
_SAFE = _FLAGS["O_NOFOLLOW"] | _FLAGS["O_CLOEXEC"] | _FLAGS["O_BINARY"] | _FLAGS["O_NOINHERIT"]
_DIRECTORY = os.O_RDONLY | _FLAGS["O_DIRECTORY"] | _SAFE
_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | _SAFE
_BY_DESCRIPTOR = bool(_FLAGS["O_DIRECTORY"]) and all(
    getattr(os, name, None) in os.supports_dir_fd for name in ("open", "mkdir", "stat", "unlink", "link", "rename")
)
_REPARSE_POINT = 0x400
_PIECE = 1024**2
#: Windows has no such module; nothing opens a file there that another process writes.
try:
    _FCNTL: Any = importlib.import_module("fcntl")
except ModuleNotFoundError:
    _FCNTL = None
#: Seconds after which a file that cannot be locked here counts as left by a process that is gone.
_LONG_AGO = 24 * 3600
#: What ``fsync`` and ``flock`` say where a file system does not have them.
_NOT_HERE = {getattr(errno, name, None) for name in ("EINVAL", "ENOTSUP", "ENOSYS", "EOPNOTSUPP", "ENOLCK")}


class OpenFolder:
    """An open folder; a context manager.

    :param path: where it is.
    :param descriptor: its own, which is closed at the end; None: calls go by the path.
    """

    def __init__(self, path: Path, descriptor: int | None) -> None:
        self.path = path
        self._descriptor = descriptor

    @classmethod
    def at(cls, path: Path) -> OpenFolder:
        """Open a folder that is there."""
        if _BY_DESCRIPTOR:
            return cls(path, os.open(path, _DIRECTORY & ~_FLAGS["O_NOFOLLOW"]))
        os.scandir(path).close()
        return cls(path, None)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)

    def below(self, name: str) -> OpenFolder:
        """Open a folder in it; made if it is missing.

        :raises NotADirectoryError: something else has the name.
        """
        with suppress(FileExistsError):
            self.make(name)
        if self._descriptor is not None:
            return OpenFolder(self.path / name, os.open(name, _DIRECTORY, dir_fd=self._descriptor))
        found = self.look(name)
        if found is None or not stat.S_ISDIR(found.st_mode):
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
        return OpenFolder(self.path / name, None)

    def make(self, name: str) -> None:
        """Make a folder in it.

        :raises FileExistsError: something has the name.
        """
        os.mkdir(self._at(name), dir_fd=self._descriptor)

    def names(self) -> list[str]:
        """What is in it."""
        return os.listdir(self.path if self._descriptor is None else self._descriptor)  # noqa: PTH208 - of a descriptor

    def look(self, name: str) -> os.stat_result | None:
        """What has a name, a link itself and not what it leads to; None: nothing."""
        try:
            found = os.stat(self._at(name), dir_fd=self._descriptor, follow_symlinks=False)
        except FileNotFoundError:
            return None
        if getattr(found, "st_file_attributes", 0) & _REPARSE_POINT:
            return os.stat_result((stat.S_IFLNK, *found[1:]))
        return found

    def create(self, name: str, mode: int = 0o600) -> int:
        """Open a new file for writing; its descriptor.

        :raises FileExistsError: something has the name.
        """
        return os.open(self._at(name), _NEW_FILE, mode, dir_fd=self._descriptor)

    def open(self, name: str) -> int:
        """Open a file for reading, no link; its descriptor."""
        found = self.look(name)
        if found is None or not stat.S_ISREG(found.st_mode):
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
        return os.open(self._at(name), os.O_RDONLY | _SAFE, dir_fd=self._descriptor)

    def digest(self, name: str) -> tuple[int, str]:
        """Length and SHA-256 of a file."""
        with os.fdopen(self.open(name), "rb") as file:
            sha256, size = hashlib.sha256(), 0
            while piece := file.read(_PIECE):
                sha256.update(piece)
                size += len(piece)
        return size, sha256.hexdigest()

    def set_time(self, name: str, moment: float) -> None:
        """Set when a file was modified, as far as the file system can hold it.

        :param moment: seconds since 1970.
        """
        with suppress(OverflowError, OSError, ValueError):
            os.utime(self._at(name), (moment, moment), dir_fd=self._descriptor)

    def link(self, name: str, new: str) -> None:
        """Give a file a second name.

        :raises FileExistsError: something has that name.
        """
        os.link(
            self._at(name),
            self._at(new),
            src_dir_fd=self._descriptor,
            dst_dir_fd=self._descriptor,
            follow_symlinks=False,
        )

    def rename(self, name: str, new: str) -> None:
        """Give a file another name. On Windows only when nothing has it; elsewhere it takes the name away."""
        os.rename(self._at(name), self._at(new), src_dir_fd=self._descriptor, dst_dir_fd=self._descriptor)

    def replace(self, name: str, new: str) -> None:
        """Give a file another name, in place of whatever has it."""
        os.replace(self._at(name), self._at(new), src_dir_fd=self._descriptor, dst_dir_fd=self._descriptor)

    def remove(self, name: str) -> None:
        """Delete a file, if it is there."""
        with suppress(FileNotFoundError):
            os.unlink(self._at(name), dir_fd=self._descriptor)

    @contextmanager
    def held(self, name: str) -> Iterator[None]:
        """Keep a finished file in use, for other processes, while it gets its name."""
        if _FCNTL is None:
            # Windows renames no file that is open.
            yield
            return
        descriptor = self.open(name)
        try:
            hold(descriptor)
            yield
        finally:
            os.close(descriptor)

    def is_left_over(self, name: str) -> bool:
        """Whether no process writes a file any more that was held with :func:`hold`."""
        found = self.look(name)
        if found is None or not stat.S_ISREG(found.st_mode):
            return False
        try:
            descriptor = self.open(name)
        except OSError:
            return False
        try:
            if (held := _lock(descriptor)) is not None:
                return held
            return SystemClock().now().timestamp() - found.st_mtime > _LONG_AGO
        finally:
            os.close(descriptor)

    def _at(self, name: str) -> str:
        return name if self._descriptor is not None else str(self.path / name)


def hold(descriptor: int) -> None:
    """Show other processes that a file is in use, until it is closed."""
    _lock(descriptor)


def flush(descriptor: int) -> None:
    """Wait until a file is on disk, where the file system can say so."""
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in _NOT_HERE:
            raise


def set_mode(descriptor: int, mode: int) -> None:
    """Set who may read and write a file, where there is such a thing."""
    change = getattr(os, "fchmod", None)
    if change is not None:
        with suppress(OSError):
            change(descriptor, mode)


def _lock(descriptor: int) -> bool | None:
    """Whether nobody else holds the file, which is held from now on; None: this file system cannot tell."""
    if _FCNTL is None:
        return None
    try:
        _FCNTL.flock(descriptor, _FCNTL.LOCK_EX | _FCNTL.LOCK_NB)
    except OSError as error:
        return False if error.errno in (errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES) else None
    return True

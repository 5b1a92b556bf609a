"""One look at a folder on disk."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Kind = Literal["file", "folder", "link"]


@dataclass(frozen=True, slots=True)
class Found:
    """What is at a path. ``modified`` is in milliseconds since 1970; ``target`` is a path below the same root."""

    kind: Kind
    device: int
    inode: int
    size: int
    mtime_ns: int
    readable: bool = True
    target: str | None = None

    @property
    def modified(self) -> int:
        """As Drive counts time."""
        return self.mtime_ns // 1_000_000

    @property
    def key(self) -> tuple[int, int, int, int]:
        """Two files with the same key have the same bytes."""
        return self.device, self.inode, self.size, self.mtime_ns

    @property
    def identity(self) -> tuple[object, ...]:
        """By what a moved one is recognised. Inodes are used again, so a file must be unchanged too."""
        return (self.kind, self.device, self.inode) if self.kind == "folder" else (self.kind, *self.key)


def scan(root: Path) -> tuple[dict[str, Found], dict[str, str]]:
    """All that is below a folder, and what is left out with the reason. Paths are relative to it.

    Links become shortcuts when what they point to is inside; they are not followed. What vanishes meanwhile is left
    out. Names that are no valid UTF-8 keep their bytes as surrogates.
    """
    found: dict[str, Found] = {}
    left_out: dict[str, str] = {}
    links: list[tuple[str, os.stat_result]] = []
    stack = [""]
    while stack:
        above = stack.pop()
        for entry, path in _entries(root, above):
            try:
                status = entry.stat(follow_symlinks=False)
            except OSError:
                continue
            if stat.S_ISDIR(status.st_mode):
                found[path] = _found("folder", status, readable=os.access(entry.path, os.R_OK | os.X_OK))
                stack.append(path)
            elif stat.S_ISREG(status.st_mode):
                found[path] = _found("file", status, readable=os.access(entry.path, os.R_OK))
            elif stat.S_ISLNK(status.st_mode):
                links.append((path, status))
            else:
                left_out[_show(path)] = "neither file, folder nor link"
    for path, status in links:
        target = _target(root, path)
        if target is None or target not in found:
            left_out[_show(path)] = "a link to nothing inside the folder"
        else:
            found[path] = _found("link", status, target=target)
    return found, left_out


def _show(path: str) -> str:
    return os.fsencode(path).decode("utf-8", "replace")


def _found(kind: Kind, status: os.stat_result, *, readable: bool = True, target: str | None = None) -> Found:
    size = status.st_size if kind == "file" else 0
    return Found(kind, status.st_dev, status.st_ino, size, status.st_mtime_ns, readable, target)


def _entries(root: Path, above: str) -> Iterator[tuple[os.DirEntry[str], str]]:
    try:
        with os.scandir(root / above) as entries:
            for entry in entries:
                yield entry, f"{above}/{entry.name}" if above else entry.name
    except OSError:
        # Unreadable or gone: it is listed as a folder that cannot be listed.
        return


def _target(root: Path, path: str) -> str | None:
    try:
        real = (root / path).resolve(strict=True)
    except (OSError, RuntimeError):
        return None
    return str(real.relative_to(root)) if real.is_relative_to(root) and real != root else None

"""File systems that cannot do what Linux's own can: a real exFAT where one can be mounted, and a double of it."""
# ruff: noqa: PTH112, PTH115, PTH118, PTH119, PTH120

import errno
import os
import shutil
import subprocess
from contextlib import contextmanager

TOOLS = ("mkfs.exfat", "mount.exfat-fuse", "losetup", "umount")
FORBIDDEN = set('<>:"/\\|?*') | set(map(chr, range(32)))


@contextmanager
def mounted(folder):
    """A real exFAT of 32 MiB in an image in a folder; gives None where this machine or this user cannot mount one."""
    if os.geteuid() != 0 or not all(map(shutil.which, TOOLS)):
        yield None
        return
    image, place = folder / "exfat.img", folder / "exfat"
    place.mkdir()
    with image.open("wb") as file:
        file.truncate(32 * 1024**2)
    _run("mkfs.exfat", image)
    device = _run("losetup", "-f", "--show", image)
    try:
        _run("mount.exfat-fuse", device, place)
        try:
            yield place
        finally:
            _run("umount", place)
    except subprocess.CalledProcessError:
        yield None
    finally:
        _run("losetup", "-d", device)


def _run(*command):
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=60, check=True)
    return done.stdout.strip()


def pretend(monkeypatch, root):
    """Let all below a folder refuse what exFAT refuses: hard links, and some names; ``Ä`` and ``ä`` are one name."""

    def real(name, dir_fd):
        above = os.readlink(f"/proc/self/fd/{dir_fd}") if dir_fd is not None else ""
        return os.path.join(above, os.fspath(name))

    def inside(path):
        return path.startswith(f"{root}/")

    def folded(name, dir_fd):
        """The name as it is written in the folder already."""
        if isinstance(name, int):
            return name
        path = real(name, dir_fd)
        if not inside(path):
            return name
        if set(os.path.basename(path)) & FORBIDDEN:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
        folder, last = os.path.split(path)
        for there in listdir(folder) if os.path.isdir(folder) else ():
            if there.lower() == last.lower():
                return os.path.join(os.path.dirname(os.fspath(name)), there)
        return name

    def wrap(call):
        def wrapped(name, *arguments, dir_fd=None, **named):
            return call(folded(name, dir_fd), *arguments, dir_fd=dir_fd, **named)

        return wrapped

    def link(src, dst, *, src_dir_fd=None, dst_dir_fd=None, follow_symlinks=True):
        if inside(real(dst, dst_dir_fd)):
            raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))
        return linked(src, dst, src_dir_fd=src_dir_fd, dst_dir_fd=dst_dir_fd, follow_symlinks=follow_symlinks)

    def replace(src, dst, *, src_dir_fd=None, dst_dir_fd=None):
        return replaced(folded(src, src_dir_fd), folded(dst, dst_dir_fd), src_dir_fd=src_dir_fd, dst_dir_fd=dst_dir_fd)

    listdir, linked, replaced = os.listdir, os.link, os.replace
    monkeypatch.setattr(os, "link", link)
    monkeypatch.setattr(os, "replace", replace)
    for name in ("open", "mkdir", "stat", "unlink", "utime"):
        monkeypatch.setattr(os, name, wrap(getattr(os, name)))

"""The one spelling of where an item is: shown on every screen, and accepted wherever a path or a glob is written. Pure.

A shown path is ``/Reports/2026/``: the encoded segments of the catalogue with a slash before them, and one behind a
folder. As a glob it means that item and nothing else, since what is special in globs is encoded. Where two items of a
folder have one name, the later one carries its id: ``/Plan.pdf~1AbC``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

#: Stand in for what a name may hold and a path for globs may not. No Drive name that anybody can type has them.
SLASH, NEWLINE, OURS = "\ufdd0", "\ufdd1", "\ufdd2"
_FOR_GLOBS = str.maketrans({"/": SLASH, "\n": NEWLINE})


class ItemPath(NamedTuple):
    """Where an item is.

    :ivar segments: encoded, unique in their folder; from the top down.
    :ivar names: Drive's own, one for each segment; what is a folder of the backup itself begins with :data:`OURS`.
    """

    segments: tuple[str, ...]
    names: tuple[str, ...]
    folder: bool = False

    @property
    def shown(self) -> str:
        """The path that people read and paste."""
        return self._joined(self.segments)

    @property
    def named(self) -> str:
        """The path in Drive's own names, for globs: a ``/`` in a name separates nothing."""
        return self._joined(name.translate(_FOR_GLOBS) for name in self.names)

    @property
    def literal(self) -> str:
        """The path in Drive's own names as somebody would type it, whatever it then means."""
        return self._joined(name.removeprefix(OURS) for name in self.names)

    def _joined(self, parts: Iterable[str]) -> str:
        return f"/{'/'.join(parts)}{'/' if self.folder else ''}"


def shown_path(path: str, *, folder: bool = False) -> str:
    """A path of the catalogue as it is shown: ``/Reports/2026/``."""
    return f"/{path}/" if folder else f"/{path}"


def item_path(folders: Mapping[str, str], path: str, name: str, kind: str) -> ItemPath:
    """The path of a row of the catalogue.

    :param folders: Drive's names of folders, by catalogue path; a folder that is not among them is one of ours.
    """
    segments = path.split("/")
    above = ("/".join(segments[:end]) for end in range(1, len(segments)))
    names = (folders.get(each, OURS + each.rpartition("/")[2]) for each in above)
    return ItemPath(tuple(segments), (*names, name), kind == "folder")

"""Globs that may not mean what their author thinks: they fit nothing, or not only the name that they look like.

A glob may hold what is special: ``[draft].docx`` fits ``d.docx``, and not the file of that name. Nothing of that is an
error, so it is said.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from include.drive_backup.globs import compile_globs, composed
from include.drive_backup.handover import UnfitGlobs
from include.drive_backup.paths import ItemPath


class GlobWatch:
    """Sees all items that some globs were held against.

    :param globs: checked ones; a ``!`` at the beginning does not matter here.
    """

    def __init__(self, globs: Sequence[str]) -> None:
        self._each = {glob: compile_globs([glob.removeprefix("!")]) for glob in globs}
        self._read_as = {composed(glob.removeprefix("!").strip("/")): glob for glob in globs}
        self._waiting = dict(self._each)
        #: The first item that each glob is the literal name of and does not mean alone, by its shown path.
        self.mistaken: dict[str, str] = {}

    def see(self, path: ItemPath) -> None:
        """Take an item."""
        for glob in [glob for glob, compiled in self._waiting.items() if compiled.match(path)]:
            del self._waiting[glob]
        for text in (path.literal.strip("/"), path.names[-1]):
            named = self._read_as.get(composed(text))
            if named is not None and self._is_mistaken(named, text, path):
                self.mistaken.setdefault(named, path.shown)

    def _is_mistaken(self, glob: str, text: str, path: ItemPath) -> bool:
        """Whether an item that the glob names, read as a text, is not what it means, or not the only thing."""
        anchored = glob.removeprefix("!").startswith("/")
        if anchored and text != path.literal.strip("/"):
            return False
        return bool(_SPECIAL.intersection(glob)) or not self._each[glob].match(path)

    @property
    def unfit(self) -> UnfitGlobs:
        """What to say of the globs."""
        return UnfitGlobs(idle=tuple(self._waiting), mistaken=dict(self.mistaken))


_SPECIAL = frozenset("*?[\\")
_HINT = "In a path, a '/' in a name is '%2F'; paste paths as `drive-backup ls` shows them."


def idle_text(glob: str) -> str:
    """What to say of a glob that fits nothing."""
    return f"'{glob}' fits no item. {_HINT}"


def mistaken_text(glob: str, shown: str) -> str:
    """What to say of a glob that looks like the name of an item."""
    return f"'{glob}' is read as a glob, and there is an item of this very name. To mean that item write '{shown}'."


def sentences(unfit: UnfitGlobs) -> Iterator[str]:
    """What to say of all."""
    yield from (mistaken_text(*pair) for pair in unfit.mistaken.items())
    yield from (idle_text(glob) for glob in unfit.idle if glob not in unfit.mistaken)

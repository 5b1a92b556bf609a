"""Which items a person wants: include and exclude globs in gitignore's grammar, on paths in Drive's own names."""

from __future__ import annotations

from collections.abc import Sequence

from include.drive_backup.globs import compile_globs
from include.drive_backup.planning.tree import Tree


class PathFilter:
    """Two lists of globs. An empty ``include`` means everything.

    :raises ConfigError: names the bad glob.
    """

    def __init__(self, include: Sequence[str] = (), exclude: Sequence[str] = ()) -> None:
        self._include = compile_globs(include) if include else None
        self._exclude = compile_globs(exclude) if exclude else None

    def keeps(self, path: str, *, folder: bool) -> bool:
        """Whether the item at a path is wanted.

        :param path: Drive names joined by ``/``, see :meth:`.tree.Tree.drive_path`.
        """
        # gitignore tells folders by their slash; it also keeps pathspec from reading "./x" as "x".
        text = f"/{path}/" if folder else f"/{path}"
        if self._exclude is not None and self._exclude.match_file(text):
            return False
        return self._include is None or self._include.match_file(text)

    def kept(self, tree: Tree) -> set[str]:
        """The wanted items of a tree. A folder that holds a wanted item is wanted too: a restore needs it."""
        if self._include is None and self._exclude is None:
            return set(tree)
        return tree.with_folders(
            {ident for ident in tree if self.keeps(tree.drive_path(ident), folder=tree.is_folder(ident))}
        )

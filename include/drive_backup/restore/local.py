"""Restore into a local folder, and never outside of it.

Every step of a path is opened relative to the folder above, without following symbolic links, so that neither a name in
the backup nor a link that lies in the target leads elsewhere. A file appears under its name only when its bytes are on
disk and were read back, and takes the name from no other file, unless that was asked for.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime
from functools import cached_property
from pathlib import Path

from include.drive_backup.errors import BrokenBodyError, ContentArchivedError, CorruptStoreError, PermanentError
from include.drive_backup.manifest.schema import CatalogueRow
from include.drive_backup.model import StoredContent
from include.drive_backup.ports import BlobStore
from include.drive_backup.restore.local_look import Claims, Found, look
from include.drive_backup.restore.naming import Names, Safe, numbered, portable_name, safe_name
from include.drive_backup.restore.open_folder import OpenFolder, flush, hold, set_mode
from include.drive_backup.restore.orders import (
    Conflict,
    RestoreResult,
    left_out,
    not_saved,
    renamed_from,
    result_for,
    wrong_bytes,
)
from include.drive_backup.restore.placing import Ground, give_name, probe, sweep, temporary

_TRIES = 20
#: No other file would fare better.
_HOPELESS = {getattr(errno, name, None) for name in ("ENOSPC", "EDQUOT", "EROFS", "EIO")}
_SHORTCUT = (
    "A local folder has no shortcuts to Drive. This one leads to the item {target}: restore that with --id {target}, "
    "if the snapshot has it."
)
_CHANGED = "Somebody changed '{name}' after it was looked at; it was left alone, and this was restored beside it."
_ALIAS = "This disk takes its name for that of another item, so it is called '{name}'."
_OTHER_DISK = "Another disk is mounted there. Restore into that one by itself."


class LocalFolder:
    """Implements :class:`.orders.Destination`.

    :param root: the folder; made if it is not there.
    :param names: from :func:`.naming.local_names`.
    :param ground: from :func:`.placing.probe`; None: it is looked at now.
    :raises PermanentError: the folder cannot be used.
    """

    def __init__(
        self, root: Path, names: Names, store: BlobStore, conflict: Conflict = "copy", ground: Ground | None = None
    ) -> None:
        self._root = root
        self._names = names
        self._store = store
        self._conflict: Conflict = conflict
        self._ground = probe(root) if ground is None else ground
        self._safe: Safe = safe_name if self._ground.any_name else portable_name
        self._claims = Claims(root)
        self._swept: set[tuple[str, ...]] = set()

    async def restore(self, row: CatalogueRow) -> list[RestoreResult]:
        """Write a folder, or all contents of a file. See the port.

        :raises PermanentError: the disk is full or can no longer be written.
        """
        return [*await self._bring_back(row), *not_saved(row)]

    async def _bring_back(self, row: CatalogueRow) -> list[RestoreResult]:
        if row.item.kind == "shortcut":
            return [left_out(row, _SHORTCUT)]
        formats = [""] if row.item.kind == "folder" else [content.format for content in row.contents]
        return [await self._safely(row, content_format) for content_format in formats]

    async def _safely(self, row: CatalogueRow, content_format: str) -> RestoreResult:
        place = self._names[row.path, content_format]
        try:
            content = next((each for each in row.contents if each.format == content_format), None)
            return self._make_folder(row, place) if content is None else await self._file(row, content, place)
        except (PermanentError, BrokenBodyError) as error:
            # The other formats of the item are worth having. The base class itself is Blob's refusal of one blob.
            of_one = isinstance(error, (ContentArchivedError, CorruptStoreError, BrokenBodyError))
            if not of_one and type(error) is not PermanentError:
                raise
            return result_for(row, "failed", self._shown(place), reason=error.reason, message=str(error))
        except OSError as error:
            why = _OTHER_DISK if error.errno == errno.EXDEV else f"{error.strerror or error}."
            message = f"'{self._shown(place)}' cannot be written: {why}"
            if error.errno in _HOPELESS:
                raise PermanentError(f"{message} What is restored already stays.", reason="localFolder") from error
            return result_for(row, "failed", self._shown(place), reason="localFolder", message=message)

    def _make_folder(self, row: CatalogueRow, place: tuple[str, ...]) -> RestoreResult:
        renamed = renamed_from(row, "", place[-1])
        with self._folder(place[:-1]) as above:
            _check(place[-1])
            try:
                above.make(place[-1])
            except FileExistsError:
                with above.below(place[-1]):
                    return result_for(row, "same", self._shown(place), renamed=renamed)
        return result_for(row, "restored", self._shown(place), renamed=renamed)

    async def _file(self, row: CatalogueRow, content: StoredContent, place: tuple[str, ...]) -> RestoreResult:
        said = None
        with self._folder(place[:-1]) as folder:
            self._sweep(folder, place[:-1])
            for _ in range(_TRIES):
                try:
                    return await self._in_folder(folder, row, content, place, said)
                except _ChangedError:
                    said = _CHANGED.format(name=place[-1])
                except FileExistsError:
                    # Somebody else, or another file of this restore, was quicker: look again.
                    continue
        raise FileExistsError(errno.EEXIST, "others write files of its name all the time")

    async def _in_folder(
        self, folder: OpenFolder, row: CatalogueRow, content: StoredContent, place: tuple[str, ...], said: str | None
    ) -> RestoreResult:
        """One try.

        :param said: why what has the name is to be left alone, whatever was asked.
        """
        *above, name = place
        _check(name)
        there = look(folder, name, content)
        alias = self._claims.another(there, place)
        if alias or (there.state in ("other", "no file") and (said is not None or self._conflict == "copy")):
            name, there = self._free_name(folder, tuple(above), name, content)
            said = _ALIAS.format(name=name) if alias else said
        shown, renamed = self._shown((*above, name)), renamed_from(row, content.format, name)
        if there.state == "same":
            self._claims.take(there, (*above, name))
            return result_for(row, "same", shown, message=said, renamed=renamed)
        if there.state == "other" and self._conflict == "skip":
            return result_for(row, "skipped", shown)
        if there.state == "no file":
            raise IsADirectoryError(errno.EISDIR, "a folder or a link has its name")
        await self._write(folder, name, content, row.item.modified, there)
        self._claims.take(look(folder, name, None), (*above, name))
        return result_for(row, "restored", shown, size=content.size, message=said, renamed=renamed)

    def _free_name(
        self, folder: OpenFolder, above: tuple[str, ...], name: str, content: StoredContent
    ) -> tuple[str, Found]:
        """A name beside one that is taken; a copy that an earlier try left there is found again."""
        for other in numbered(name, self._safe):
            there = look(folder, other, content)
            free = there.state in ("nothing", "same") and not self._claims.another(there, (*above, other))
            if free and (*above, other) not in self._planned:
                return other, there
        raise AssertionError("unreachable: the names never end")

    async def _write(
        self, folder: OpenFolder, name: str, content: StoredContent, modified: datetime | None, over: Found
    ) -> None:
        """Write a file.

        :param over: what has the name, and is replaced.
        :raises _ChangedError: it is not what was seen any more.
        """
        draft = temporary()
        try:
            with os.fdopen(folder.create(draft), "wb") as file:
                hold(file.fileno())
                async for piece in self._store.stream(content.blob):
                    file.write(piece)
                file.flush()
                set_mode(file.fileno(), 0o666 & ~_UMASK)
                flush(file.fileno())
            with folder.held(draft):
                if folder.digest(draft) != (content.size, content.sha256):
                    raise wrong_bytes(content)
                if modified is not None:
                    folder.set_time(draft, modified.timestamp())
                self._give_name(folder, draft, name, over)
        finally:
            folder.remove(draft)

    def _give_name(self, folder: OpenFolder, draft: str, name: str, over: Found) -> None:
        if over.state == "nothing":
            give_name(folder, draft, name, self._ground.way)
        elif look(folder, name, None).identity != over.identity:
            raise _ChangedError
        else:
            folder.replace(draft, name)

    @contextmanager
    def _folder(self, place: tuple[str, ...]) -> Iterator[OpenFolder]:
        """A folder below the root; made where it is missing."""
        with ExitStack() as opened:
            folder = opened.enter_context(OpenFolder.at(self._root))
            for name in place:
                _check(name)
                above, opened_before = folder, opened.pop_all()
                with opened_before:
                    folder = opened.enter_context(above.below(name))
            yield folder

    @cached_property
    def _planned(self) -> frozenset[tuple[str, ...]]:
        """The places of all items, which no copy of another one may take."""
        return frozenset(self._names.values())

    def _sweep(self, folder: OpenFolder, place: tuple[str, ...]) -> None:
        if place not in self._swept:
            self._swept.add(place)
            sweep(folder)

    def _shown(self, place: tuple[str, ...]) -> str:
        return str(self._root.joinpath(*place))


class _ChangedError(Exception):
    """What was to be replaced is not what was seen."""


def _check(name: str) -> None:
    """Refuse what is not the name of something in a folder, whoever chose it."""
    if name != safe_name(name):
        raise PermissionError(errno.EPERM, "its name leads out of the folder")


def _read_umask() -> int:
    umask = os.umask(0)
    os.umask(umask)
    return umask


_UMASK = _read_umask()

"""Which texts name a person or an item: addresses, ids and paths."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from include.drive_backup.blob.segments import decode_segment
from include.drive_backup.errors import CorruptStoreError
from include.drive_backup.identity.registry import read_people
from include.drive_backup.model import Source
from include.drive_backup.paths import shown_path
from include.drive_backup.ports import BlobStore


class Texts(NamedTuple):
    """What to search for.

    :ivar anywhere: in what runs left behind.
    :ivar in_rows: in snapshots, which have links and names of all kinds, so that short texts are in many rows.
    """

    anywhere: tuple[str, ...]
    in_rows: tuple[str, ...]


async def texts_of_person(store: BlobStore, source: Source) -> tuple[Texts, str | None]:
    """The name of a source, and all addresses of its person; and why these are not known, if they are not."""
    flaw, person = None, None
    if source.user is not None:
        try:
            person = (await read_people(store))[1].named(source.id)
        except CorruptStoreError as error:
            flaw = str(error)
    addresses = () if person is None else (person.address, *person.former)
    texts = tuple(dict.fromkeys(text for text in (source.id, *addresses) if text))
    return Texts(texts, texts), flaw


def texts_of_item(item: str, paths: Iterable[str]) -> Texts:
    """The id of an item, and where it is or was.

    :param paths: of the catalogue.
    """
    all_paths = dict.fromkeys(each for path in paths for each in (path, _decoded(path)))
    long = [path for path in all_paths if "/" in path]
    short = [text for path in all_paths if "/" not in path for text in _bounded(path)]
    return Texts((item, *long, *short), (item, *long))


def _bounded(path: str) -> Iterator[str]:
    """A path of one segment with what is around it where it is written: 'a.txt' is also in 'data.txt'."""
    yield shown_path(path)
    yield json.dumps(path, ensure_ascii=False)


def _decoded(path: str) -> str:
    """The path in Drive's own names, as far as the segments hold them."""
    try:
        return "/".join(decode_segment(segment) for segment in path.split("/"))
    except ValueError:
        return path

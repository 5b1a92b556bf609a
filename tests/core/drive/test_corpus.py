"""What belongs to a source, whatever the order in which Drive lists it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.drive_backup.drive.corpus import MyDriveFilter, belongs_to_my_drive, corpus_of
from include.drive_backup.model import FOLDER, Item, Source


def item(ident: str, *parents: str, mine: bool | None = True, folder: bool = False, **more: object) -> Item:
    resource = {"id": ident, "name": ident, "mimeType": FOLDER if folder else "text/plain", "parents": list(parents)}
    if mine is not None:
        resource["ownedByMe"] = mine
    return Item.from_resource({**resource, **more})


@pytest.mark.parametrize(
    ("candidate", "answer"),
    [
        (item("mine", "root"), True),
        (item("my orphan"), True),
        (item("mine in a foreign folder", "shared"), True),
        (item("theirs in my folder", "root", mine=False), True),
        (item("theirs, not to be placed", mine=False), False),
        (item("theirs in their folder", "shared", mine=False), False),
        (item("theirs, parent not seen yet", "later", mine=False), None),
        (item("theirs, legacy of two parents", "later", "root", mine=False), True),
        (item("theirs, two parents", "later", "shared", mine=False), None),
        (item("nobody says whose", mine=None), True),
        (item("owners only", mine=None, owners=[{"me": True}]), True),
        (item("theirs by owners", mine=None, owners=[{"me": False}]), False),
        (item("of a shared drive", "root", driveId="d", mine=None), False),
    ],
    ids=lambda value: value.id if isinstance(value, Item) else str(value),
)
def test_who_belongs_to_my_drive(candidate: Item, answer: bool | None) -> None:
    assert belongs_to_my_drive(candidate, {"root": True, "shared": False}) is answer


@st.composite
def drives(draw: st.DrawFn) -> list[Item]:
    """Folders in chains of any owner, in any order; parents may be the root, a folder, unknown or none."""
    count = draw(st.integers(1, 14))
    names = [f"n{index}" for index in range(count)]
    items = []
    for index, name in enumerate(names):
        parent = draw(st.sampled_from(["root", "", *names[:index]]))
        items.append(item(name, *([parent] if parent else []), mine=draw(st.booleans()), folder=True))
    return draw(st.permutations(items))


@given(items=drives(), size=st.integers(1, 5))
def test_the_order_of_the_pages_changes_nothing(items: list[Item], size: int) -> None:
    by_id = {each.id: each for each in items}

    def belongs(each: Item) -> bool:
        if each.resource["ownedByMe"] or each.parents == ("root",):
            return True
        return bool(each.parents) and belongs(by_id[each.parents[0]])

    sieve = MyDriveFilter("root")
    passed: list[str] = []
    for start in range(0, len(items), size):
        passed += [each.id for each in sieve.sift(tuple(items[start : start + size]))]

    assert sorted(passed) == sorted(each.id for each in items if belongs(each))
    assert sieve.rest() == ()


def test_an_item_whose_folder_never_came_is_kept() -> None:
    sieve = MyDriveFilter("root")
    lost = item("theirs", "missed", "missed too", mine=False)

    assert sieve.sift((lost,)) == ()
    assert sieve.rest() == (lost,)
    assert sieve.rest() == ()


def test_folders_in_a_circle_are_kept() -> None:
    sieve = MyDriveFilter("root")
    circle = (item("a", "b", mine=False, folder=True), item("b", "a", mine=False, folder=True))

    assert sieve.sift(circle) == ()
    assert {each.id for each in sieve.rest()} == {"a", "b"}


@pytest.mark.parametrize(
    ("source", "root", "kind", "drive_id"),
    [
        ("user/ann@example.com", item("r", folder=True), "user", None),
        ("drive/d1", item("d1", folder=True, mine=None), "drive", "d1"),
        ("drive/d1", item("d1", folder=True, mine=None, driveId="d1"), "drive", "d1"),
        ("folder/f", item("f", "d1", folder=True, mine=None, driveId="d1"), "drive", "d1"),
        ("folder/f", item("f", "r", folder=True), "user", None),
        ("folder/f", item("f", folder=True, mine=False), "walk", None),
    ],
)
def test_which_corpus_holds_a_source(source: str, root: Item, kind: str, drive_id: str | None) -> None:
    corpus = corpus_of(Source.parse(source), root)

    assert (corpus.kind, corpus.drive_id, corpus.root_id) == (kind, drive_id, root.id)

"""Paths are rebuilt from parents, and nothing that lives is lost on the way."""

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from include.drive_backup.model import FOLDER
from include.drive_backup.planning.tree import ORPHANS, OWN, Node, Tree, build_tree
from tests.support.trees import ROOT, file, folder, shortcut, tree


def build(*entries, subtree=False, root=ROOT, shuffle=0, trash=False):
    resources = tree(*entries)
    random.Random(shuffle).shuffle(resources)
    return build_from(resources, subtree=subtree, root=root, trash=trash)


def build_from(resources, *, subtree=False, root=ROOT, trash=False) -> Tree:
    nodes = {each["id"]: node(each) for each in resources}
    return build_tree(nodes, root, subtree=subtree, trash=trash)


def node(resource) -> Node:
    return Node(
        id=resource["id"],
        name=resource["name"],
        mime_type=resource["mimeType"],
        parents=tuple(resource.get("parents", ())),
        trashed=resource.get("trashed", False),
    )


def paths(built: Tree) -> dict[str, str]:
    return {ident: built.path(ident) for ident in built}


def test_paths_do_not_depend_on_the_order_of_the_listing():
    entries = (folder("A", folder("B", file("x.txt", id="x"), id="b"), id="a"), file("y.txt", id="y"))
    for shuffle in range(10):
        assert paths(build(*entries, shuffle=shuffle)) == {"a": "A", "b": "A/B", "x": "A/B/x.txt", "y": "y.txt"}


def test_two_files_of_one_name_have_two_paths():
    built = build(
        file("x.txt", id="new", createdTime="2026-03-01T00:00:00Z"),
        file("x.txt", id="old", createdTime="2026-02-01T00:00:00Z"),
    )
    assert len(set(paths(built).values())) == 2


def test_an_item_whose_id_is_the_name_of_our_own_folder_is_an_item_like_any_other():
    for trash in (False, True):
        built = build(
            folder("A", file("x", id="x"), id="~orphans", parents=None),
            folder("B", file("y", id="y"), id="~trash", trashed=True),
            trash=trash,
        )
        assert built.path("x") == f"{ORPHANS}/A/x"
        assert ("y" in built) == trash
        assert not trash or built.path("y") == "~trash/B/y"


def test_an_item_without_parents_is_an_orphan_and_so_is_one_whose_parent_is_not_listed():
    built = build(file("none", id="none", parents=None), file("hidden", id="hidden", parents=["not-listed"]))
    assert paths(built) == {"none": f"{ORPHANS}/none", "hidden": f"{ORPHANS}/hidden"}
    assert built.orphans == 2


def test_the_children_of_an_orphaned_folder_stay_in_it():
    built = build(folder("Lost", file("x", id="x"), id="lost", parents=None))
    assert built.path("x") == f"{ORPHANS}/Lost/x"
    assert built.orphans == 1


def test_a_real_folder_called_like_the_orphans_is_another_folder():
    built = build(folder("~orphans", file("x", id="x"), id="real"), file("x", id="lost", parents=None))
    assert built.path("x") == "%7Eorphans/x"
    assert built.path("lost") == "~orphans/x"


def test_of_several_parents_the_nearest_to_the_root_wins_and_then_the_lowest_id():
    built = build(
        folder("A", folder("Deep", id="deep"), id="a"),
        folder("C", id="c"),
        folder("B", id="b"),
        file("x", id="x", parents=["deep", "c", "b"]),
    )
    assert built.path("x") == "B/x"


def test_a_parent_in_the_trash_does_not_count_while_another_lives():
    built = build(folder("Bin", id="bin", trashed=True), folder("Z", id="z"), file("x", id="x", parents=["bin", "z"]))
    assert built.path("x") == "Z/x"
    assert built.trashed == 1


def test_what_is_below_a_trashed_folder_is_left_out_even_when_drive_does_not_mark_it():
    built = build(folder("Bin", folder("B", file("x", id="x"), id="b"), id="bin", trashed=True), file("y", id="y"))
    assert paths(built) == {"y": "y"}
    assert built.trashed == 3


def test_a_loop_is_cut_and_nothing_in_it_is_lost():
    built = build(
        folder("A", id="a", parents=["b"]), folder("B", id="b", parents=["a"]), file("x", id="x", parents=["b"])
    )
    assert paths(built) == {"a": f"{ORPHANS}/A", "b": f"{ORPHANS}/A/B", "x": f"{ORPHANS}/A/B/x"}


def test_a_folder_in_itself_is_an_orphan():
    assert paths(build(folder("A", id="a", parents=["a"]))) == {"a": f"{ORPHANS}/A"}


def test_a_shortcut_is_never_followed():
    built = build(folder("A", id="a"), shortcut("to A", "a", id="s"), file("x", id="x", parents=["s"]))
    assert built.path("s") == "to A"
    assert built.path("x") == f"{ORPHANS}/x"


def test_a_folder_source_is_its_subtree_only():
    entries = (
        folder("Wanted", folder("Sub", file("in", id="in"), id="sub"), id="wanted"),
        file("out", id="out"),
        file("no parents", id="lost", parents=None),
        folder("Bin", file("gone", id="gone"), trashed=True, id="bin"),
    )
    built = build(*entries, subtree=True, root="wanted")
    assert paths(built) == {"sub": "Sub", "in": "Sub/in"}
    assert built.trashed == 0


def test_trash_inside_a_folder_source_is_counted():
    entries = (folder("W", folder("Bin", file("x"), trashed=True), file("y", id="y"), id="w"),)
    built = build(*entries, subtree=True, root="w")
    assert paths(built) == {"y": "y"}
    assert built.trashed == 2


def test_thousands_of_levels_are_no_problem():
    resources = [
        {"id": f"d{n}", "name": "d", "mimeType": FOLDER, "parents": [f"d{n - 1}" if n else ROOT]} for n in range(5000)
    ]
    random.Random(1).shuffle(resources)
    assert build_from(resources).path("d4999").count("/") == 4999


def test_globs_see_drives_own_names():
    built = build(folder("50% off", file("a/b.txt", id="x")))
    assert built.item_path("x").names == ("50% off", "a/b.txt")
    assert built.item_path("x").shown == "/50%25 off/a%2Fb.txt"


@given(
    st.lists(
        st.tuples(
            st.sampled_from("abc"),
            st.lists(st.sampled_from([*range(8), "root", "gone"]), max_size=3),
            st.booleans(),
            st.booleans(),
        ),
        max_size=8,
    )
)
def test_every_item_is_placed_or_in_the_trash_and_paths_are_unique(shape):
    def ident(parent):
        return ROOT if parent == "root" else f"n{parent}"

    nodes = {
        f"n{number}": Node(
            id=f"n{number}",
            name=name,
            mime_type=FOLDER if is_folder else "text/plain",
            parents=tuple(ident(parent) for parent in parents),
            trashed=trashed,
        )
        for number, (name, parents, is_folder, trashed) in enumerate(shape)
    }
    built = build_tree(nodes, ROOT, subtree=False)
    assert len(built) + built.trashed == len(nodes)
    assert not any(nodes[each].trashed for each in built)
    all_paths = [built.path(each) for each in built]
    assert len(set(all_paths)) == len(all_paths)
    for each in built:
        folders = [folder for folder in built.above(each) if folder not in OWN]
        assert all(nodes[folder].is_folder and not nodes[folder].trashed for folder in folders)


TRASHED = (
    folder("Live", file("a.txt", id="a"), file("a.txt", id="gone", trashed=True), id="live"),
    folder("Bin", file("b.txt", id="b"), folder("In", file("c.txt", id="c"), id="in"), id="bin", trashed=True),
)


def test_the_trash_is_left_out_and_counted():
    built = build(*TRASHED)
    assert (set(built), built.trashed) == ({"live", "a"}, 5)


def test_the_trash_is_kept_apart_when_it_is_wanted_and_changes_no_live_path():
    built = build(*TRASHED, trash=True)
    assert built.trashed == 0
    assert paths(built) == {
        "live": "Live",
        "a": "Live/a.txt",
        "gone": "~trash/a.txt",
        "bin": "~trash/Bin",
        "b": "~trash/Bin/b.txt",
        "in": "~trash/Bin/In",
        "c": "~trash/Bin/In/c.txt",
    }
    assert built.item_path("c").shown == "/~trash/Bin/In/c.txt"


def test_of_a_folder_source_only_its_own_trash_is_kept():
    entries = (*TRASHED, folder("Elsewhere", file("x", id="x", trashed=True), id="else"))
    assert set(build(*entries, subtree=True, root="live", trash=True)) == {"a", "gone"}


@settings(deadline=None)
@given(st.data())
def test_every_item_has_exactly_one_place_when_the_trash_is_kept(data):
    """Whatever the parents are, loops and the trash included."""
    ids = [f"i{number}" for number in range(data.draw(st.integers(1, 12)))]
    nodes = {
        ident: Node(
            id=ident,
            name="n",
            mime_type=data.draw(st.sampled_from([FOLDER, "text/plain"])),
            parents=tuple(data.draw(st.lists(st.sampled_from([*ids, ROOT, "unseen"]), max_size=2))),
            trashed=data.draw(st.booleans()),
        )
        for ident in ids
    }
    built = build_tree(nodes, ROOT, subtree=False, trash=True)
    assert set(built) == set(ids)
    assert len(set(paths(built).values())) == len(ids)

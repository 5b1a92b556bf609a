"""Names in a container: Drive's own where Blob holds them, legal and unique whatever the backup holds."""

import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from include.drive_backup.blob.rules import check_name
from include.drive_backup.restore.container_names import container_names, safe_segment
from include.drive_backup.restore.naming import numbered
from tests.core.restore.test_naming import TEXT, entry


def names(*entries, prefix=""):
    return list(container_names(entries, prefix).values())


def test_names_are_drives_own():
    assert names(
        entry("100%25 sure", "100% sure", "folder"),
        entry("100%25 sure/what%3F~1.txt", "what?~1.txt"),
        entry("naïve 🙂.pdf"),
        prefix="safe/",
    ) == ["safe/100% sure/", "safe/100% sure/what?~1.txt", "safe/naïve 🙂.pdf"]


def test_what_blob_cannot_hold_is_encoded():
    assert names(
        *(entry(f"{n}", name) for n, name in enumerate(["a/b", "a\\b", "a.", " a", "a\n", "..", "", "~path-x"]))
    ) == [
        "a%2Fb",
        "a%5Cb",
        "a%2E",
        "%20a",
        "a%0A",
        "%2E%2E",
        "~",
        "%7Epath-x",
    ]


def test_a_folder_that_nothing_is_written_into_is_an_empty_one():
    shut = entry("full/sub", kind="folder"), entry("full/sub/link", kind="shortcut")
    lost = entry("lost", kind="folder"), entry("lost/never saved", formats=())
    assert names(entry("full", kind="folder"), *shut, entry("full/a"), entry("empty", kind="folder"), *lost) == [
        "full/",
        "full/sub",
        "full/sub/link",
        "full/a",
        "empty",
        "lost",
        "lost/never saved",
    ]


def test_a_path_that_is_too_long_or_too_deep_ends_in_a_folder_that_stands_for_it():
    for segment, depth in (("x" * 200, 6), ("d", 300)):
        path, entries = "", []
        for _ in range(depth):
            path = f"{path}/{segment}".lstrip("/")
            entries.append(entry(path, kind="folder"))
        made = names(*entries, entry(f"{path}/a.txt"), entry(f"{path}/b.txt"), prefix="p" * 200 + "/")
        *_, first, second = (name.rpartition("/")[0] for name in made)
        assert first == second
        assert "/~path-" in first
        for name in made[-2:]:
            check_name(name)


def test_a_number_goes_before_the_extension_and_nothing_else():
    def first(name):
        return next(numbered(name, safe_segment))

    assert first("a.tar.gz") == "a.tar (2).gz"
    assert first("no extension") == "no extension (2)"
    assert first("v1. of the plan") == "v1. of the plan (2)"
    assert first("a." + "b" * 250) == "a." + "b" * 249 + " (2)"


HARD = TEXT | st.sampled_from(["a.", " a", "a ", "\\", "%2F", "~", "~path-0", "\ufffe", "x" * 254 + ".y", "語" * 300])


@given(st.lists(st.tuples(HARD, st.sampled_from(["file", "folder", "native"]))), st.sampled_from(["", "a/b/"]))
def test_whatever_the_names_each_blob_has_a_legal_name_of_its_own(children, prefix):
    entries = [
        entry(f"seg{n}", name, kind, ("docx", "pdf") if kind == "native" else ("original",), f"{n}")
        for n, (name, kind) in enumerate(children)
    ]
    made = names(*entries, prefix=prefix)
    assert len(made) == sum(len(each.formats or "1") for each in entries)
    assert len({unicodedata.normalize("NFC", name).casefold() for name in made}) == len(made)
    for name in made:
        check_name(name)
        assert name.startswith(prefix)
        assert "/" not in name.removeprefix(prefix)
        assert name[-1] not in ". "
        assert name.removeprefix(prefix)[0] != " "
        for _, other in zip(range(3), numbered(name.removeprefix(prefix), safe_segment), strict=False):
            check_name(prefix + other)
            assert "/" not in other


@given(HARD)
def test_a_safe_segment_stays_what_it_is(name):
    assert safe_segment(safe_segment(name)) == safe_segment(name)

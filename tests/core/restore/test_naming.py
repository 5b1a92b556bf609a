"""Names in a local folder: safe and unique whatever the backup holds, Drive's own where possible."""

import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from include.drive_backup.restore.naming import local_names, safe_name
from include.drive_backup.restore.selection import Entry


def entry(path, name=None, kind="file", formats=("original",), ident=None):
    name = path.rpartition("/")[2] if name is None else name
    formats = formats if kind in ("file", "native") else ()
    return Entry(item_id=ident or f"id-{path}", path=path, name=name, kind=kind, formats=formats)


def names(*entries):
    return ["/".join(each) for each in local_names(entries).values()]


def test_names_are_drives_own():
    assert names(
        entry("100%25 sure", "100% sure", "folder"),
        entry("100%25 sure/what%3F~1.txt", "what?~1.txt"),
        entry("naïve 🙂.pdf"),
    ) == ["100% sure", "100% sure/what?~1.txt", "naïve 🙂.pdf"]


def test_exports_get_their_extension_once():
    native = entry("Plan", kind="native", formats=("docx", "pdf"))
    assert names(native, entry("Notes.docx", kind="native", formats=("docx",))) == [
        "Plan.docx",
        "Plan.pdf",
        "Notes.docx",
    ]


def test_what_would_be_the_same_file_carries_its_id():
    assert names(
        entry("a.txt", ident="1"),
        entry("a.txt~2", "a.txt", ident="2"),
        entry("A.TXT", ident="3"),
        entry("Plan", kind="native", formats=("docx",), ident="4"),
        entry("Plan.docx", ident="5"),
    ) == ["a.txt", "a (2).txt", "A (3).TXT", "Plan.docx", "Plan (5).docx"]


def test_names_that_lead_elsewhere_do_not():
    assert names(entry("%2E%2E", "..", "folder"), entry("%2E%2E/a%2Fb", "a/b"), entry("~", "")) == [
        "%2E%2E",
        "%2E%2E/a%2Fb",
        "~",
    ]


def test_long_names_keep_their_extension():
    [name] = names(entry("x", "語" * 300 + ".docx"))
    assert name.endswith("語.docx")
    assert 252 <= len(name.encode()) <= 255


TEXT = st.text(max_size=120) | st.sampled_from(
    ["", ".", "..", "/", "../..", "a/b", "\0", "\ud800", "A", "a", "Ä", "A\u0308"]
)


@given(st.lists(st.tuples(TEXT, st.sampled_from(["file", "folder", "native"]))))
def test_whatever_the_names_each_item_has_a_place_of_its_own_inside(children):
    entries = [
        entry(f"seg{n}", name, kind, ("docx", "pdf") if kind == "native" else ("original",), f"{n}")
        for n, (name, kind) in enumerate(children)
    ]
    places = list(local_names(entries).values())
    assert len(places) == sum(len(each.formats or "1") for each in entries)
    assert len({unicodedata.normalize("NFC", name).casefold() for (name,) in places}) == len(places)
    for (name,) in places:
        assert name not in ("", ".", "..")
        assert "/" not in name
        assert "\0" not in name
        assert len(name.encode()) <= 255


@given(TEXT)
def test_a_safe_name_stays_what_it_is(name):
    assert safe_name(safe_name(name)) == safe_name(name)

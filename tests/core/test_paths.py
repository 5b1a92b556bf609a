"""A shown path means its item as a glob, and nothing else; what else a glob may be taken for is said."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from include.drive_backup.blob.segments import encode_segment
from include.drive_backup.glob_watch import GlobWatch, sentences
from include.drive_backup.globs import Wanted, compile_globs
from include.drive_backup.paths import OURS, ItemPath
from include.drive_backup.printing import markdown_code, one_line, visible

SPECIAL = st.text(st.sampled_from("ab/*?[]!\\#~% .%25\n\r\u2028\u00a0\u3000-^^{}"), max_size=8)
NAMES = SPECIAL | st.text(st.characters(exclude_categories=["Cs"]), max_size=12)


def path_of(*names, folder=False):
    return ItemPath(tuple(map(encode_segment, names)), names, folder)


@given(st.lists(NAMES, min_size=1, max_size=3), st.lists(NAMES, min_size=1, max_size=3), st.booleans(), st.booleans())
def test_a_shown_path_fits_its_item_alone(names, others, folder, other_is_folder):
    path, other = path_of(*names, folder=folder), path_of(*others, folder=other_is_folder)
    globs = compile_globs([path.shown])
    assert globs.match(path)
    below = len(others) > len(names) and path_of(*others[: len(names)]).shown == path_of(*names).shown
    same = path.shown == other.shown or (not folder and path.shown == other.shown.rstrip("/"))
    # Two ways to write a letter are one name to whoever types it.
    assume(compile_globs([path.shown]).match(other) is False or path.named.isascii())
    assert globs.match(other) is (below or same)


@given(NAMES.filter(str.strip))
def test_a_shown_path_is_found_and_is_one_line(name):
    path = path_of("Folder", name)
    assert Wanted(path.shown).matches(path)
    assert Wanted(name).matches(path)
    assert path.shown.splitlines() == [path.shown]
    assert one_line(path.shown) == visible(path.shown) == path.shown.strip() == path.shown


@pytest.mark.parametrize(
    ("glob", "path", "fits"),
    [
        ("100%.txt", path_of("100%.txt"), True),
        ("~$*", path_of("Docs", "~$a.docx"), True),
        ("*.pdf", path_of("3/4.pdf"), True),
        ("4.pdf", path_of("3/4.pdf"), False),
        ("3/", path_of("3/4.pdf"), False),
        ("*2F*", path_of("3/4.pdf"), False),
        ("3?4.pdf", path_of("3/4.pdf"), True),
        ("*.pdf", path_of("a\nb", "c\nd.pdf"), True),
        ("/a", path_of("a\n"), False),
        (r"\%2A", path_of("%2A"), True),
        (r"\%2A", path_of("*"), False),
        ("/%2A", path_of("x"), False),
        ("%C3%A9", path_of("e\u0301"), True),
        ("/%FF", path_of("%FF"), True),
        ("*.pdf", ItemPath(("plan.pdf~id7",), ("plan.pdf",)), True),
        ("/plan.pdf~id7", ItemPath(("plan.pdf~id7",), ("plan.pdf",)), True),
        ("/plan.pdf~id7", ItemPath(("plan.pdf",), ("plan.pdf",)), False),
        ("/~trash/", ItemPath(("~trash", "a"), (f"{OURS}~trash", "a")), True),
        ("/%7Etrash/", ItemPath(("~trash", "a"), (f"{OURS}~trash", "a")), False),
    ],
)
def test_globs_are_on_shown_paths_and_on_drives_own_names(glob, path, fits):
    assert compile_globs([glob]).match(path) is fits


def test_the_last_glob_that_fits_counts_in_whichever_spelling():
    twin, first = ItemPath(("a.txt~id7",), ("a.txt",)), ItemPath(("a.txt",), ("a.txt",))
    globs = compile_globs(["*.txt", "!/a.txt~id7"])
    assert (globs.match(first), globs.match(twin)) == (True, False)


@pytest.mark.parametrize(
    ("glob", "names", "said"),
    [
        ("[draft].txt", ["[draft].txt"], ["'/%5Bdraft].txt'"]),
        ("3/4.pdf", ["3/4.pdf"], ["'/3%2F4.pdf'"]),
        ("a*", ["a*", "ab"], ["'/a%2A'"]),
        ("!a*", ["a*"], ["'/a%2A'"]),
        ("gone*", ["a"], ["'gone*' fits no item"]),
        ("/a", ["a", "b"], []),
        ("a%2Fb", ["a%2Fb"], ["'/a%252Fb'"]),
        ("*.txt", ["a.txt"], []),
        ("~$a", ["~$a"], []),
    ],
)
def test_what_a_glob_may_be_taken_for_is_said(glob, names, said):
    watch = GlobWatch([glob])
    for name in names:
        watch.see(path_of(name))
    texts = list(sentences(watch.unfit))
    assert len(texts) == len(said)
    assert all(words in text for words, text in zip(said, texts, strict=True))


@given(st.text(max_size=30))
def test_markdown_shows_a_text_in_one_line_of_code(text):
    code = markdown_code(text)
    assert code.startswith("`")
    assert "\n" not in code
    inner = code.strip("`")
    assert "`" * (len(code) - len(code.lstrip("`"))) not in inner

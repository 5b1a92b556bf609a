"""Drive names as blob name segments: reversible, accepted by Blob, never twice in one folder."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from include.drive_backup.blob.rules import check_name
from include.drive_backup.blob.segments import MAX_SEGMENT, decode_segment, encode_segment, sibling_segments, units

ANY_TEXT = st.text(st.characters(codec=None), max_size=300)
NASTY = st.text(st.sampled_from("a.~%/\\ \x00\n\x85\ud800\ufffe\ufdd0\U0001ffff😀é中+-_"), max_size=12)
NAMES = ANY_TEXT | NASTY
IDS = st.text(st.sampled_from("abAB01-_~/."), min_size=1, max_size=80)
TIMES = st.none() | st.datetimes(timezones=st.just(UTC))


@given(NAMES)
@example("")
@example(".")
@example("..")
@example("~")
@example(" ")
def test_every_name_is_accepted_and_comes_back(name):
    segment = encode_segment(name)
    check_name(f"content/{segment}/x")
    assert "/" not in segment
    assert units(segment) <= MAX_SEGMENT
    if len(name) <= 20:
        assert decode_segment(segment) == name


@given(st.lists(NAMES, min_size=2, max_size=2, unique=True))
def test_different_names_have_different_segments(names):
    first, second = map(encode_segment, names)
    assert first != second


@pytest.mark.parametrize(
    ("name", "segment"),
    [
        ("Report 2026 (final).pdf", "Report 2026 (final).pdf"),
        ("Übersicht 😀 中文: a?b#c.txt", "Übersicht 😀 中文: a%3Fb#c.txt"),
        ("a/b\\c%d", "a%2Fb%5Cc%25d"),
        ("~orphans", "%7Eorphans"),
        ("ends with dot.", "ends with dot%2E"),
        (" blanks ", "%20blanks%20"),
        ("..", "%2E%2E"),
        (".", "%2E"),
        ("", "~"),
        ("bell\x07 and \x85", "bell%07 and %C2%85"),
        ("half \ud83d", "half %ED%A0%BD"),
    ],
)
def test_names_stay_as_readable_as_blob_allows(name, segment):
    assert encode_segment(name) == segment
    assert decode_segment(segment) == name


def test_long_names_that_differ_at_the_end_stay_apart():
    one, two = encode_segment("x" * 400 + "1"), encode_segment("x" * 400 + "2")
    assert one != two
    assert one.startswith("x" * 200)
    with pytest.raises(ValueError, match="catalogue"):
        decode_segment(one)


def test_shortening_cuts_neither_an_escape_nor_a_surrogate_pair():
    assert "%~~" not in encode_segment("/" * 300).replace("%2F", "")
    assert units(encode_segment("a" + "😀" * 300)) <= MAX_SEGMENT


def test_a_folder_that_we_add_is_no_drive_name():
    with pytest.raises(ValueError, match="catalogue"):
        decode_segment("~orphans")


@given(
    st.lists(
        st.tuples(IDS, NASTY | st.sampled_from(["x", "x~a", "y" * 300, "y" * 301]) | ANY_TEXT, TIMES),
        unique_by=lambda child: child[0],
        max_size=12,
    )
)
def test_siblings_never_share_a_segment(children):
    segments = sibling_segments(children)
    assert set(segments) == {ident for ident, _, _ in children}
    assert len(set(segments.values())) == len(children)
    for segment in segments.values():
        check_name(f"content/{segment}/x")
        assert units(segment) <= MAX_SEGMENT


@given(st.lists(st.tuples(IDS, st.sampled_from(["x", "X", "y"]), TIMES), unique_by=lambda c: c[0]), st.randoms())
def test_the_order_of_the_listing_does_not_matter(children, random):
    shuffled = list(children)
    random.shuffle(shuffled)
    assert sibling_segments(shuffled) == sibling_segments(children)


def test_the_earliest_keeps_the_plain_name_and_case_counts():
    day = [datetime(2026, 1, number, tzinfo=UTC) for number in (1, 2, 3)]
    children = [("late", "a", day[2]), ("early", "a", day[0]), ("other", "A", day[1]), ("new", "a", None)]
    assert sibling_segments(children) == {"early": "a", "late": "a~late", "new": "a~new", "other": "A"}
    assert decode_segment("a~late") == "a"


def test_a_duplicate_of_a_long_name_still_shows_its_id():
    segments = sibling_segments([("id1", "z" * 300, None), ("id2", "z" * 300, None)])
    assert segments["id2"].endswith("~id2")
    assert units(segments["id2"]) <= MAX_SEGMENT

"""The search language."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.local_cloud.drive.errors import ApiError
from include.local_cloud.drive.model import Item
from include.local_cloud.drive.query import compile_query
from include.local_cloud.drive.state import DriveState
from include.local_cloud.drive.terms import Viewer

ANN = "ann@example.com"
STATE = DriveState()
STATE.add_user(ANN)
VIEWER = Viewer(STATE, ANN)


def item(name="x", **changes):
    made = Item("1x", name, "text/plain", ["p"], ANN, 1_767_225_600_000, 1_767_225_600_000)
    for field, value in changes.items():
        setattr(made, field, value)
    return made


def matches(query, **changes):
    return compile_query(query, VIEWER).test(item(**changes))


@pytest.mark.parametrize(
    ("query", "name", "expected"),
    [
        ("name contains 'hello'", "HelloWorld", True),
        ("name contains 'World'", "HelloWorld", False),
        ("name contains 'world'", "Hello World", True),
        ("name = 'HELLO'", "hello", True),
        ("name != 'HELLO'", "hello", False),
        ("not name = 'a'", "b", True),
        ("not (name = 'a' or name = 'b')", "b", False),
        (r"name = 'it\'s'", "it's", True),
        (r"name = 'back\\slash'", "back\\slash", True),
        ("mimeType = 'text/plain'", "x", True),
        ("mimeType contains 'text/'", "x", True),
        ("modifiedTime > '2025-12-31T23:00:00'", "x", True),
        ("modifiedTime >= '2026-01-01T00:00:00Z'", "x", True),
        ("modifiedTime > '2026-01-01T00:00:00Z'", "x", False),
        ("modifiedTime > '2026-01-01T00:00:00+01:00'", "x", True),
        ("'me' in owners", "x", True),
        ("'bob@example.com' in owners", "x", False),
        ("'me' in writers and 'me' in readers", "x", True),
        ("trashed = false and starred != true", "x", True),
        ("sharedWithMe", "x", False),
        ("visibility = 'limited'", "x", True),
    ],
)
def test_terms(query, name, expected):
    assert matches(query, name=name) is expected


@pytest.mark.parametrize(("a", "b", "c"), [(a, b, c) for a in (0, 1) for b in (0, 1) for c in (0, 1)])
def test_and_and_or_bind_alike_from_left_to_right(a, b, c):
    term = {0: "trashed = true", 1: "trashed = false"}
    assert matches(f"{term[a]} or {term[b]} and {term[c]}") is ((bool(a) or bool(b)) and bool(c))
    assert matches(f"{term[a]} or ({term[b]} and {term[c]})") is (bool(a) or (bool(b) and bool(c)))


def test_properties():
    query = "properties has { key='k' and value='v' }"
    assert matches(query, fields={"properties": {"k": "v"}})
    assert not matches(query, fields={"properties": {"k": "w"}, "appProperties": {"k": "v"}})


@pytest.mark.parametrize(
    "query",
    [
        "name",
        "name = ",
        "name = x",
        "name = 'a",
        "name = 'a' and",
        "(name = 'a'",
        "name = 'a')",
        "size > 5",
        "id = 'x'",
        "name like 'x'",
        "'x' in nothing",
        "trashed = 'false'",
        "trashed",
        "modifiedTime > 'yesterday'",
        "name < 'a'",
        "fullText = 'a'",
        "name = 'a' name = 'b'",
        "properties has { key='k' }",
        "and",
        "#",
    ],
)
def test_what_cannot_be_read_is_400_invalid(query):
    with pytest.raises(ApiError) as caught:
        compile_query(query, VIEWER)
    assert (caught.value.status, caught.value.reason, caught.value.location) == (400, "invalid", "q")


def test_too_many_terms_are_too_complex():
    with pytest.raises(ApiError, match="too complex"):
        compile_query(" or ".join(["name = 'a'"] * 301), VIEWER)


@given(st.text(max_size=30))
def test_any_name_can_be_asked_for_when_it_is_escaped(name):
    escaped = name.replace("\\", "\\\\").replace("'", "\\'")
    assert matches(f"name = '{escaped}'", name=name)


@given(st.text(alphabet="()'\\= andortrue<>{}name", max_size=40))
def test_nonsense_is_refused_and_never_breaks(query):
    try:
        compile_query(query, VIEWER)
    except ApiError as error:
        status = error.status
    else:
        status = 400
    assert status == 400


def test_unknown_parents_give_nothing_and_the_multi_parent_fault_gives_nothing(drive, ann, everything):
    one, two = drive.named("Odd names").id, drive.named("Refused").id
    assert everything(ann, q="'nowhere' in parents") == []
    both = f"('{one}' in parents or '{two}' in parents)"
    singly = everything(ann, q=f"'{one}' in parents") + everything(ann, q=f"'{two}' in parents")
    assert {f["id"] for f in everything(ann, q=both)} == {f["id"] for f in singly}
    drive.faults(multi_parent_fault=True)
    assert everything(ann, q=both) == []
    assert everything(ann, q=f"'{one}' in parents")


def test_a_negated_or_mixed_parent_term_looks_everywhere(drive, ann, everything):
    place = drive.named("Odd names").id
    inside = {f["id"] for f in everything(ann, q=f"'{place}' in parents")}
    outside = {f["id"] for f in everything(ann, q=f"not '{place}' in parents")}
    assert inside | outside == {f["id"] for f in everything(ann)}
    assert not inside & outside
    mixed = {f["id"] for f in everything(ann, q=f"'{place}' in parents or name = 'empty.txt'")}
    assert mixed - inside == {drive.named("empty.txt").id}

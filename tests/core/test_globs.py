"""What people look for: in upper or lower case, and however a letter with a mark is stored."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.drive_backup.blob.segments import encode_segment
from include.drive_backup.errors import ConfigError
from include.drive_backup.globs import Wanted, compile_globs
from include.drive_backup.paths import ItemPath


def item(path, *names):
    """The path of an item.

    :param names: more of them, which may have slashes.
    """
    names = (*path.strip("/").split("/"), *names)
    return ItemPath(tuple(map(encode_segment, names)), names, path.endswith("/"))


NFD = unicodedata.normalize("NFD", "Résumé Straße.pdf")


@pytest.mark.parametrize(
    ("text", "path", "found"),
    [
        ("budget", "/Finance/Budget 2026 final.xlsx", True),
        ("*budget*", "/Finance/Budget 2026 final.xlsx", True),
        ("BUDGET*.XLSX", "/Finance/Budget 2026 final.xlsx", True),
        ("budget", "/Budget/plan.txt", False),
        ("budget", "/Budget/", True),
        ("budget/plan", "/Budget/plan.txt", True),
        ("/finance/", "/Finance/Budget.xlsx", True),
        ("résumé", f"/{NFD}", True),
        (NFD, "/résumé strasse.PDF", True),
        ("r?sum?*", f"/{NFD}", True),
        ("budget.xlsx", "/Finance/Budget 2026 final.xlsx", False),
        ("#1", "/Invoice #1.pdf", True),
        ("[ab]udget*", "/Budget.xlsx", True),
    ],
)
def test_what_a_person_would_say_it_is_it_is(text, path, found):
    assert Wanted(text).matches(item(path)) is found


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
def test_a_name_is_found_by_itself_in_any_case_and_form(name):
    if not name.strip():
        return
    for form in ("NFC", "NFD"):
        stored = unicodedata.normalize(form, name)
        assert Wanted(name).matches(item("/Folder", stored))
        assert Wanted(stored.casefold()).matches(item("/Folder", name))


def test_nothing_to_look_for_is_a_sentence():
    with pytest.raises(ConfigError, match="a part of a name"):
        Wanted("  ")


def test_globs_of_settings_tell_case_apart_but_not_how_a_letter_is_stored():
    globs = compile_globs(["Résumé*"])
    assert globs.match(item(f"/{NFD}"))
    assert not globs.match(item("/résumé.pdf"))

"""What may stand under ``sources``."""

import unicodedata

import pytest

from include.drive_backup.errors import ConfigError
from include.drive_backup.model import Source
from include.drive_backup.selection import Selection, parse_entry


@pytest.mark.parametrize(
    ("text", "entry"),
    [
        ("user/Ann@Example.com", Source(kind="user", id="ann@example.com")),
        ("user/me", Source(kind="user", id="me")),
        ("shared/Ann@example.com", Source(kind="shared", id="ann@example.com")),
        ("shared/me", Source(kind="shared", id="me")),
        ("drive/0AbC", Source(kind="drive", id="0AbC")),
        ("folder/1x", Source(kind="folder", id="1x")),
        ("users/*", Selection(kind="user")),
        ("users/*@example.com", Selection(kind="user", include=("*@example.com",))),
        ("shared/*@example.com", Selection(kind="shared", include=("*@example.com",))),
        ("drives/Team *", Selection(kind="drive", include=("Team *",))),
        ({"users": None}, Selection(kind="user")),
        (
            {"users": {"domain": "example.com", "org_units": ["/Sales"], "exclude": ["robot-*"], "admin": "a@b.c"}},
            Selection(kind="user", domain="example.com", org_units=("/Sales",), exclude=("robot-*",), admin="a@b.c"),
        ),
        ({"drives": {"include": ["Team *"]}}, Selection(kind="drive", include=("Team *",))),
    ],
    ids=str,
)
def test_good_entries(text, entry):
    assert parse_entry(text) == entry


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ("usr/ann", "user/<email address>"),
        ("user/*", "users/*"),
        ("drive/*", "drives/*"),
        ("folder/*", "single folder"),
        ("users/", "not a source"),
        ("*", "not a source"),
        (7, "users/*"),
        ({"users": {}, "drives": {}}, "one key"),
        ({"folders": {}}, "one key"),
        ({}, "one key"),
        ({"users": ["*"]}, "mapping of domain"),
        ({"drives": {"domain": "example.com"}}, "mapping of include"),
        ({"users": {"exclude": "robot-*"}}, "users.exclude"),
        ({"users": {"include": []}}, "finds nothing"),
        ({"users": {"domain": 3}}, "users.domain"),
        ({"users": {"org_units": ["Sales"]}}, "/Sales/Europe"),
        ({"users": {"admin": "root"}}, "e-mail address"),
    ],
    ids=str,
)
def test_a_mistake_is_said_with_what_is_allowed(entry, words):
    with pytest.raises(ConfigError, match=r".") as caught:
        parse_entry(entry)
    assert words in str(caught.value)


def test_globs_choose_by_address_whatever_its_case():
    selection = Selection(kind="user", include=("*@Example.com",), exclude=("Robot-*",))
    assert selection.names("ann@EXAMPLE.com")
    assert not selection.names("robot-7@example.com")
    assert not selection.names("ann@example.org")


def test_an_organisational_unit_holds_those_below_it_and_no_namesakes():
    selection = Selection(kind="user", org_units=("/Sales", "/IT/"))
    assert selection.holds_unit("/Sales")
    assert selection.holds_unit("/sales/Europe")
    assert selection.holds_unit("/IT/Support")
    assert not selection.holds_unit("/Salesmen")
    assert not selection.holds_unit("/")
    assert Selection(kind="user", org_units=("/",)).holds_unit("/Sales")


@pytest.mark.parametrize(("written", "stored"), [("NFC", "NFD"), ("NFD", "NFC")])
def test_a_name_is_meant_however_its_letters_are_stored(written, stored):
    unit, name = unicodedata.normalize(written, "Équipe"), unicodedata.normalize(stored, "équipe")
    assert Selection(kind="drive", include=(f"{unit} *",)).names(f"{name} 7")
    assert not Selection(kind="drive", exclude=(f"{unit} *",)).names(f"{name} 7")
    assert Selection(kind="user", org_units=(f"/{unit}",)).holds_unit(f"/{name}/Paris")


def test_the_name_of_a_shared_drive_may_look_like_a_glob():
    assert Selection(kind="drive", include=("Team [A]",)).names("Team [A]")
    assert not Selection(kind="drive", exclude=("What?*",)).names("what?*")

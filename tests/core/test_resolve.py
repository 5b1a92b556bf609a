"""From what a job says to the sources that there are."""

import pytest

from include.drive_backup.errors import SourceNotFoundError
from include.drive_backup.ports import Account, SharedDrive
from include.drive_backup.resolve import resolve
from include.drive_backup.selection import parse_entry
from tests.support.fake_directory import FakeDirectory

PEOPLE = (
    Account(email="Ann@example.com", org_unit="/Sales"),
    Account(email="bob@example.com", org_unit="/Sales/Europe"),
    Account(email="cid@example.org"),
    Account(email="gone@example.com", suspended=True),
)
DRIVES = (
    SharedDrive(id="d1", name="Team One"),
    SharedDrive(id="d2", name="Team Two", readable=False),
    SharedDrive(id="d3", name="Old"),
)


async def found(*entries, directory=None):
    directory = directory or FakeDirectory(PEOPLE, DRIVES)
    sources, left_out = await resolve([parse_entry(each) for each in entries], directory)
    return {str(each.source): each.asked for each in sources}, {row.source: row.reason for row in left_out}


async def test_every_user_and_every_drive():
    assert await found("users/*", "drives/*") == (
        {
            "user/ann@example.com": False,
            "user/bob@example.com": False,
            "user/cid@example.org": False,
            "drive/d1": False,
            "drive/d3": False,
        },
        {"user/gone@example.com": "suspended", "drive/d2": "notAMember"},
    )


@pytest.mark.parametrize(
    ("entry", "sources"),
    [
        ("users/*@example.org", ["user/cid@example.org"]),
        ({"users": {"domain": "example.org"}}, ["user/cid@example.org"]),
        ({"users": {"org_units": ["/Sales"], "exclude": ["bob@*"]}}, ["user/ann@example.com"]),
        ({"shared": {"include": ["ann@*", "cid@*"]}}, ["shared/ann@example.com", "shared/cid@example.org"]),
        ("drives/team*", ["drive/d1"]),
        ("drives/d3", ["drive/d3"]),
        ({"drives": {"exclude": ["Team*"]}}, ["drive/d3"]),
    ],
    ids=str,
)
async def test_patterns_choose(entry, sources):
    assert list((await found(entry))[0]) == sources


async def test_what_is_named_is_asked_for_and_comes_once():
    sources, left_out = await found("users/*@example.com", "user/gone@example.com", "user/ANN@example.com", "drive/d2")
    assert sources == {
        "user/gone@example.com": True,
        "user/ann@example.com": True,
        "drive/d2": True,
        "user/bob@example.com": False,
    }
    assert left_out == {}


async def test_me_is_the_user_that_the_connection_acts_as():
    assert await found("user/me", "shared/me") == ({"user/me@example.com": True, "shared/me@example.com": True}, {})


async def test_the_domain_is_listed_once_for_all_patterns():
    directory = FakeDirectory(PEOPLE, DRIVES)
    await found("users/*", "shared/*", "users/a*", {"users": {"admin": "root@example.com"}}, directory=directory)
    assert directory.asked == [("users", None, None), ("users", None, "root@example.com")]


async def test_nobody_is_asked_for_what_is_named():
    directory = FakeDirectory()
    await found("user/ann@example.com", "drive/d9", directory=directory)
    assert directory.asked == []


@pytest.mark.parametrize("entry", ["users/*@nowhere.example", "users/gone@*"])
async def test_patterns_that_find_nothing_to_back_up_are_an_error(entry):
    with pytest.raises(SourceNotFoundError, match="nothing to back up"):
        await found(entry)


async def test_a_pattern_that_finds_nothing_beside_others_is_said(caplog):
    await found("user/ann@example.com", "drives/Nobody knows [it]")
    assert "'drives/Nobody knows [it]' of the job's sources finds nothing" in caplog.text

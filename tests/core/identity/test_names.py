"""Where a person's files go: never to another person because of a name."""

from __future__ import annotations

import pytest

from include.drive_backup.errors import ConfigError
from include.drive_backup.identity.names import address_of, place_of, stored_source
from include.drive_backup.identity.people import People, Person
from include.drive_backup.model import Source

BOB, NEW = "bob@example.com", "bob.new@example.com"


def people(address=None):
    """The first Bob, with the address that he has now, and the second one, who got the first one's."""
    first = Person(name=BOB, address=address, permission_id="p1", former=(BOB,))
    return People([first, Person(name=f"{BOB}~2", address=BOB, permission_id="p2")])


def place(known, source, to):
    written = Source.parse(source)
    stored, _ = stored_source(known, written)
    return str(place_of(known, written, stored, Source.parse(to)))


def test_who_has_no_address_is_never_acted_for_by_a_name():
    assert address_of(people(), Source.parse(f"user/{BOB}")) is None
    with pytest.raises(ConfigError, match=r"`to` in the form.*Only if that person shall have the files, say user/bob"):
        place(people(), f"user/{BOB}", f"user/{BOB}")
    with pytest.raises(ConfigError, match=r"No address is known"):
        place(People([Person(name=BOB, former=(BOB,))]), f"user/{BOB}", f"user/{BOB}")


def test_what_was_stored_under_an_address_that_another_history_has_now_is_no_proof():
    joined = People([Person(name="ann@example.com", address=BOB, permission_id="p1")])
    assert address_of(joined, Source.parse(f"user/{BOB}")) is None
    assert address_of(joined, Source.parse("user/nobody@example.com")) == "nobody@example.com"


@pytest.mark.parametrize(
    ("source", "to", "goes"),
    [
        (BOB, BOB, NEW),
        (NEW, NEW, NEW),
        (NEW, BOB, NEW),
        (f"{BOB}~2", f"{BOB}~2", BOB),
        (f"{BOB}~2", BOB, BOB),
        (BOB, f"{BOB}~2", BOB),
        ("ann@example.com", BOB, BOB),
        ("ann@example.com", "ann@example.com", "ann@example.com"),
    ],
)
def test_the_files_go_to_the_address_of_now_of_who_is_meant(source, to, goes):
    assert place(people(NEW), f"user/{source}", f"user/{to}") == f"user/{goes}"


def test_a_shared_drive_is_taken_as_it_is_written():
    assert place(people(), f"user/{BOB}", "drive/D1") == "drive/D1"

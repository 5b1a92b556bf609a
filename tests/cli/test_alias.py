"""`drive-backup sources alias`, and addresses of now and of once as the names of sources."""

import asyncio
import json
from types import SimpleNamespace

import pytest

from include.drive_backup.groups import Listed
from include.drive_backup.identity.people import People, Person
from include.drive_backup.identity.recognise import Recogniser
from include.drive_backup.identity.registry import read_people, write_people
from include.drive_backup.stopped import find_stopped, record_stopped
from tests.support.fake_drive import FakeDrive
from tests.support.flow import Backup
from tests.support.trees import file

OLD, NEW = "ann@example.com", "anne@example.com"


class House:
    """Ann's snapshots, and what is known of people."""

    def __init__(self, on_store):
        self.backup = Backup(FakeDrive(file("a.txt", b"alpha", id="a")))
        self.store = self.backup.store
        self.store.clock = SimpleNamespace(now=self.backup.clock.now)
        self.cli = on_store(self.store)
        asyncio.run(self.backup.run("2026-03-01", f"user/{OLD}"))

    def know(self, *persons):
        assert asyncio.run(write_people(self.store, 0, People(persons), "run-1", self.backup.clock))

    def known(self):
        return {each.name: each for each in asyncio.run(read_people(self.store))[1]}

    def seen(self, address, directory_id, permission_id):
        """The name under which the next run stores."""

        async def look():
            async def ask(_):
                return permission_id

            _, people = await read_people(self.store)
            return (await Recogniser(people, ask).person(address, directory_id)).name

        return asyncio.run(look())


@pytest.fixture
def house(on_store):
    return House(on_store)


def test_sources_still_lists_what_is_backed_up(house):
    code, out, _ = house.cli("sources")
    assert (code, f"user/{OLD}" in out) == (0, True)


def test_every_command_takes_the_address_of_now_and_says_what_it_took(house, tmp_path):
    house.know(Person(name=OLD, address=NEW, former=(OLD,), permission_id="p1"))
    for command in (
        ("snapshots", f"user/{NEW}"),
        ("ls", f"user/{NEW}", "/"),
        ("find", f"user/{NEW}", "a.txt"),
        ("verify", f"user/{NEW}"),
        ("forget", f"user/{NEW}", "--keep-last", "1"),
        ("restore", f"user/{NEW}", "--to", str(tmp_path)),
    ):
        code, _, err = house.cli(*command)
        assert (code, f"the person whose history is user/{OLD}" in " ".join(err.split())) == (0, True), (command, err)
    assert (tmp_path / "a.txt").read_bytes() == b"alpha"
    code, _, err = house.cli("settle", f"user/{NEW}")
    assert code == 0, err


def test_what_is_known_is_shown(house):
    house.know(Person(name=OLD, address=NEW, former=(OLD,), directory_id="d1", permission_id="p1"))
    _, out, _ = house.cli("--json", "sources", "alias")
    assert json.loads(out) == {
        "source": f"user/{OLD}",
        "address": NEW,
        "former": [OLD],
        "directory_id": "d1",
        "permission_id": "p1",
    }


def test_a_person_joins_what_was_taken_for_two(house):
    house.know(
        Person(name=OLD, address=OLD, directory_id="d1", permission_id="p1"),
        Person(name=NEW, address=NEW, directory_id="d9", permission_id="p9"),
    )
    code, _, err = house.cli("sources", "alias", f"user/{OLD}", NEW, "--note", "married")
    assert code == 0, err
    assert house.seen(NEW, "d9", "p9") == OLD
    assert house.known()[NEW].address is None


def test_a_person_joins_an_address_that_nobody_has_seen_yet(house):
    house.know(Person(name=OLD, address=OLD, directory_id="d1", permission_id="p1"))
    assert house.cli("sources", "alias", f"user/{OLD}", NEW)[0] == 0
    assert house.seen(NEW, "d9", "p9") == OLD


@pytest.mark.parametrize("written", [f"user/{NEW}", f" {NEW.upper()} "])
def test_the_address_may_be_written_as_a_source(house, written):
    house.know(Person(name=OLD, address=OLD, directory_id="d1", permission_id="p1"))
    assert house.cli("sources", "alias", f"user/{OLD}", written)[0] == 0
    assert (house.known()[OLD].address, house.known()[OLD].permission_id) == (NEW, "p1")


@pytest.mark.parametrize("written", ["anne", "drive/x", "a@b@c", "user/anne", "a b@example.com", "@x", f"{NEW}~2", ""])
def test_what_is_no_address_is_refused_and_changes_nothing(house, written):
    house.know(Person(name=OLD, address=OLD, directory_id="d1", permission_id="p1"))
    code, _, err = house.cli("sources", "alias", f"user/{OLD}", written)
    assert (code, "is no e-mail address" in " ".join(err.split())) == (2, True), err
    assert [name for name in house.store.blobs if name.startswith("people/")] == ["people/00000001.json"]


def test_a_mistake_in_an_address_costs_nobody_the_history(house):
    house.know(Person(name=OLD, address=OLD, directory_id="d1", permission_id="p1"))
    assert house.cli("sources", "alias", f"user/{OLD}", "typo@example.com")[0] == 0
    assert house.seen(NEW, "d1", "p1") == OLD


def test_a_restore_into_drive_goes_to_nobody_because_of_a_name(house, tmp_path):
    house.know(Person(name=OLD, former=(OLD,), permission_id="p1"), Person(name=f"{OLD}~2", address=OLD))
    for more in ((), ("--dry-run",)):
        code, _, err = house.cli("restore", f"user/{OLD}", "--to-drive", f"user/{OLD}", *more)
        assert (code, f"say user/{OLD}~2" in " ".join(err.split())) == (2, True), err


def test_a_person_parts_what_was_taken_for_one(house):
    house.know(Person(name=OLD, address=OLD, directory_id="d1", permission_id="p1"))
    assert house.cli("sources", "alias", f"user/{OLD}", "--apart")[0] == 0
    assert house.seen(OLD, "d1", "p1") == f"{OLD}~2"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ((f"user/{OLD}",), "either the address"),
        ((f"user/{OLD}", NEW, "--apart"), "either the address"),
        (("drive/x", NEW), "an id that never changes"),
        (("user/nobody@example.com", NEW), "neither a person nor a snapshot"),
    ],
)
def test_what_makes_no_sense_is_refused_with_a_sentence(house, arguments, sentence):
    code, _, err = house.cli("sources", "alias", *arguments)
    assert (code, sentence in " ".join(err.split())) == (2, True), err
    assert not [name for name in house.store.blobs if name.startswith("people/")]


def test_what_is_known_of_people_and_damaged_keeps_nobody_from_restoring(house, tmp_path):
    asyncio.run(house.store.put("people/00000001.json", b"{"))
    code, _, err = house.cli("restore", f"user/{OLD}", "--to", str(tmp_path))
    assert (code, "cannot be read" in err) == (1, True)
    assert (tmp_path / "a.txt").read_bytes() == b"alpha"


def test_who_left_is_a_state_of_its_own(house):
    async def notice():
        row = Listed(source=f"user/{OLD}", outcome="left_out", reason="deleted", message="The account was deleted.")
        new, _ = await find_stopped(house.store, "default", "run-2", set(), [row], house.backup.clock)
        await record_stopped(house.store, new)

    asyncio.run(notice())
    code, out, _ = house.cli("--json", "doctor")
    [(result, said)] = [
        (row["result"], row["message"]) for row in map(json.loads, out.splitlines()) if row["check"] == f"user/{OLD}"
    ]
    assert (code, result) == (0, "left")
    assert "has left (deleted)" in said
    assert "drive-backup settle" in said
    assert "has left (deleted)" in " ".join(house.cli("snapshots", f"user/{OLD}")[2].split())

"""The persons whose Drives are backed up: ids, the address of now, and the name of their sources. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import count
from typing import Literal

from msgspec.structs import replace

from include.drive_backup.model import Struct

Key = Literal["address", "directory_id", "permission_id"]
_KEYS: tuple[Key, ...] = ("address", "directory_id", "permission_id")


class Person(Struct, frozen=True):
    """One person.

    :param name: what follows ``user/`` and ``shared/`` in the names of the person's sources; it never changes. It is
        the address at which the person was seen first, unless another person's sources have that name.
    :param address: the address of now; None: it is another person's by now, or somebody cleared it.
    :param directory_id: the Directory's ``id``, and ``permission_id`` Drive's, as far as they are known.
    :param former: earlier addresses.
    :param given: a person said whose address it is, and no id of who has it is known yet: those that are found are
        taken.
    """

    name: str
    address: str | None = None
    directory_id: str | None = None
    permission_id: str | None = None
    former: tuple[str, ...] = ()
    given: bool = False

    def contradicts(self, directory_id: str | None, permission_id: str | None) -> bool:
        """Whether an id that is known of both is another one."""
        pairs = ((self.directory_id, directory_id), (self.permission_id, permission_id))
        return any(None not in pair and pair[0] != pair[1] for pair in pairs)

    def without(self, **values: str | None) -> Person:
        """The person without an address or ids that are somebody else's by now."""
        lost = {key: None for key, value in values.items() if value is not None and getattr(self, key) == value}
        former = self.former
        if "address" in lost and self.address is not None:
            former = _added(former, self.address)
        return replace(self, **lost, former=former)

    def at(self, address: str, directory_id: str | None, permission_id: str | None) -> Person:
        """The person with the address of now, and what is new of the ids.

        Where a person said whose address it is, ids that are others take the place of those of before.
        """
        former, known = self.former, (self.directory_id, self.permission_id)
        if self.given and self.contradicts(directory_id, permission_id):
            known = (None, None)
        if self.address not in (None, address):
            former = _added(former, self.address or "")
        return replace(
            self,
            address=address,
            directory_id=known[0] or directory_id,
            permission_id=known[1] or permission_id,
            given=self.given and not (directory_id or permission_id),
            former=tuple(each for each in former if each != address),
        )


class People:
    """All persons that are known. Each name, address and id is of one person at most."""

    def __init__(self, persons: Iterable[Person] = ()) -> None:
        self._persons: dict[str, Person] = {}
        self._index: dict[tuple[Key, str], str] = {}
        for person in persons:
            self.put(person)

    def __iter__(self) -> Iterator[Person]:
        return iter(self._persons.values())

    def named(self, name: str) -> Person | None:
        """The person whose sources have this name."""
        return self._persons.get(name)

    def find(self, key: Key, value: str | None) -> Person | None:
        """The person with this address or id."""
        name = None if value is None else self._index.get((key, value))
        return None if name is None else self._persons[name]

    def formerly(self, address: str) -> list[Person]:
        """The persons who once had an address."""
        return [person for person in self if address in person.former]

    def put(self, person: Person) -> Person:
        """Take a person in, in place of who has the name. What others had of the address and ids is theirs no more."""
        values = {key: getattr(person, key) for key in _KEYS}
        for holder in {found.name: found for key in _KEYS if (found := self.find(key, values[key]))}.values():
            if holder.name != person.name:
                self._set(holder.without(**values))
        self._set(person)
        return person

    def free_name(self, address: str) -> str:
        """A name for the sources of somebody new."""
        return next(self.free_names(address))

    def free_names(self, address: str) -> Iterator[str]:
        """All names that sources of somebody new may have, the best one first."""
        names = (address if number == 1 else f"{address}~{number}" for number in count(1))
        return (name for name in names if name not in self._persons)

    def _set(self, person: Person) -> None:
        for key in _KEYS:
            old = self._persons.get(person.name)
            if old is not None and (value := getattr(old, key)) is not None:
                self._index.pop((key, value), None)
        self._persons[person.name] = person
        self._index.update({(key, value): person.name for key in _KEYS if (value := getattr(person, key)) is not None})


def _added(former: tuple[str, ...], address: str) -> tuple[str, ...]:
    return (*(each for each in former if each != address), address)

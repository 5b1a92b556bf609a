"""Tell who has an address now: somebody who is known, under whatever address, or somebody new.

An id is a proof, an address is none: it may have been given to another person. Two persons are never taken for one. In
doubt the address gets a source of its own, and a sentence says so.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

from include.drive_backup.identity.people import People, Person

log = logging.getLogger(__name__)

#: Given an address, Drive's ``permissionId`` of who has it; None when nobody can be asked as that user.
Ask = Callable[[str], Awaitable[str | None]]
#: Given a name, whether sources of that name have snapshots.
Stored = Callable[[str], Awaitable[bool]]

_CORRECT = "If that is wrong, correct it: `drive-backup sources alias`."


class Recogniser:
    """Tells persons by their ids.

    :param people: what is known; changed in place.
    :param ask: asks Drive. It is asked of named users each time, of those that the Directory lists when they are new.
    :param stored: looks what is stored: somebody who is certainly new never gets the snapshots of others.
    :ivar changed: whether there is something new to write down.
    """

    def __init__(self, people: People, ask: Ask, stored: Stored | None = None) -> None:
        self.people = people
        self.changed = False
        self._ask = ask
        self._stored = stored

    async def person(self, address: str, directory_id: str | None = None) -> Person:
        """Who has an address.

        :param directory_id: the Directory's id of the account, where the Directory lists it.
        """
        known = self.people.find("directory_id", directory_id)
        if known is not None and known.address == address and known.permission_id is not None:
            return known
        proof = await self._ask(address)
        if directory_id is None and (reached := await self._by_alias(address, proof)) is not None:
            return reached
        return await self._tell(address, directory_id, proof)

    def silent(self, address: str, directory_id: str | None) -> Person:
        """Who has an address that nobody can act as, such as a suspended user's. Nothing is written down."""
        known = self.people.find("directory_id", directory_id)
        holder = known or self.people.find("address", address)
        if holder is not None and not holder.contradicts(directory_id, None):
            return holder
        return Person(name=self.people.free_name(address), address=address, directory_id=directory_id)

    async def _by_alias(self, address: str, proof: str | None) -> Person | None:
        """Who is named by a further address, and has the one that is known still: that one stays."""
        person = self.people.find("permission_id", proof)
        if person is None or person.given or person.address in (None, address):
            return None
        return person if await self._ask(person.address or "") == proof else None

    async def _tell(self, address: str, directory_id: str | None, proof: str | None) -> Person:
        holder = self.people.find("address", address)
        found = self.people.find("directory_id", directory_id) or self.people.find("permission_id", proof)
        if found is not None and not found.contradicts(directory_id, proof):
            return self._goes_on(found, address, directory_id, proof)
        if found is None and proof is None:
            return self._unproven(holder, address, directory_id)
        if found is None and holder is not None and self._is_open(holder, directory_id):
            return self._goes_on(holder, address, directory_id, proof)
        return await self._somebody_new(found or holder, address, directory_id, proof)

    @staticmethod
    def _is_open(holder: Person, directory_id: str | None) -> bool:
        """Whether a person said whose address it is, or the Directory alone knows it: then nothing was stored yet."""
        if holder.given:
            return True
        only_listed = holder.directory_id is not None and holder.permission_id is None
        return only_listed and not holder.contradicts(directory_id, None)

    def _goes_on(self, person: Person, address: str, directory_id: str | None, proof: str | None) -> Person:
        now = person.at(address, directory_id, proof)
        if now != person:
            self.changed = True
            self.people.put(now)
        if person.address not in (None, address):
            log.warning(
                "user/%s has the address %s now (before: %s). Its history goes on under the same name. %s",
                now.name,
                address,
                person.address,
                _CORRECT,
            )
        return now

    def _unproven(self, holder: Person | None, address: str, directory_id: str | None) -> Person:
        """Nobody can be asked as this user: then nothing can be read as this user either, and nothing is stored."""
        known = holder or (self.people.named(address) if directory_id is None else None)
        if known is not None and known.address is not None and not known.contradicts(directory_id, None):
            return known
        return Person(name=self.people.free_name(address), address=address, directory_id=directory_id)

    async def _new_name(self, address: str, *, anew: bool) -> str:
        """A name without a history. Who is the first to be seen at an address has what is stored for it."""
        names = self.people.free_names(address)
        for name in names:
            if self._stored is None or (name == address and not anew) or not await self._stored(name):
                return name
        raise AssertionError("There is always a further name.")

    async def _somebody_new(
        self, other: Person | None, address: str, directory_id: str | None, proof: str | None
    ) -> Person:
        name = await self._new_name(address, anew=other is not None)
        new = Person(name=name, address=address, directory_id=directory_id, permission_id=proof)
        if other is not None or new.name != address:
            log.warning(
                "%s is, by its ids, not for certain the person whose history is user/%s. It is saved anew as user/%s, "
                "and nothing is mixed. %s",
                address,
                other.name if other else address,
                new.name,
                _CORRECT,
            )
        self.changed = True
        return self.people.put(new)

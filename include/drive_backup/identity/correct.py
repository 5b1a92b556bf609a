"""What a person says of who is who, where the ids do not tell it right. Pure."""

from __future__ import annotations

from msgspec.structs import replace

from include.drive_backup.identity.people import People, Person


def join(people: People, name: str, address: str) -> Person:
    """Say that who has an address now is the person whose sources have a name: that history goes on.

    What was stored for the address under another name stays there. The ids are those that are known of the address.
    Where none are, the person keeps those of before until a run finds others at the address.
    """
    person = people.named(name) or Person(name=name)
    holder = people.find("address", address)
    if holder is not None and holder.name == name:
        return person
    ids = (holder.directory_id, holder.permission_id) if holder else (None, None)
    if not any(ids):
        return people.put(replace(person.at(address, None, None), given=True))
    bare = replace(person, directory_id=None, permission_id=None)
    return people.put(replace(bare.at(address, *ids), given=False))


def part(people: People, name: str) -> Person | None:
    """Say that who has the address now is not the person whose sources have a name: the next run saves that user anew.

    :return: None when nobody is known by the name.
    """
    person = people.named(name)
    if person is None:
        return None
    values = {key: getattr(person, key) for key in ("address", "directory_id", "permission_id")}
    return people.put(replace(person.without(**values), given=False))

"""What a person writes, an address of now or of once, as the source that is stored."""

from __future__ import annotations

from include.drive_backup.identity.people import People, Person
from include.drive_backup.model import Source


def stored_source(people: People, source: Source) -> tuple[Source, str | None]:
    """The source that a person means, and what to say about it; None for nothing.

    The name of a source goes before an address: it is what all lists show.
    """
    if source.user is None:
        return source, None
    named, holder = people.named(source.user), people.find("address", source.user)
    if named is not None:
        return source, _note(source, named, holder)
    once = people.formerly(source.user)
    found = holder or (once[0] if len(once) == 1 else None)
    if found is None:
        return source, None
    stored = Source(kind=source.kind, id=found.name)
    is_was = "is the address of" if holder else "was the address of"
    return stored, f"{source.user} {is_was} the person whose history is {stored}, so that is taken."


def address_of(people: People, source: Source) -> str | None:
    """The address to act as for a source that is stored; None when any reader will do."""
    person = people.named(source.user) if source.user is not None else None
    return (person.address if person else None) or source.user


def _note(source: Source, named: Person, holder: Person | None) -> str | None:
    if named.address == source.user:
        return None
    now = f"its person has the address {named.address} now" if named.address else "its person has no address now"
    if holder is None:
        return f"{source} is a source's name; {now}."
    return f"{source} is a source's name; {now}. The address {source.user} is of {source.kind}/{holder.name} now."

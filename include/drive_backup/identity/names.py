"""What a person writes, an address of now or of once, as the source that is stored."""

from __future__ import annotations

from include.drive_backup.errors import ConfigError
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
    """The address to act as for a source that is stored.

    :return: None when any reader will do, and when its person has no address that is known: the one in the source's
        name may be another person's by now.
    """
    if source.user is None:
        return None
    person = people.named(source.user)
    if person is not None:
        return person.address
    others = people.find("address", source.user) or people.formerly(source.user)
    return None if others else source.user


def place_of(people: People, written: Source, stored: Source, to: Source) -> Source:
    """The place of a restore. What goes back to the person goes to the address of now.

    :param written: the source as somebody wrote it, and ``stored``: the one that is stored.
    :param to: as it was written: an address, or the name of a source.
    :raises ConfigError: the person whose Drive it is has no address that is known.
    """
    if to.user is None:
        return to
    back = to.user in (written.user, stored.user)
    meant = stored if back else to
    if not back and (people.named(to.user) is None or people.find("address", to.user) is not None):
        return to
    address = address_of(people, meant)
    if address is None:
        raise ConfigError(_NO_ADDRESS.format(name=meant.id, elsewhere=_elsewhere(people, to.user)))
    return Source(kind=to.kind, id=address)


def _elsewhere(people: People, address: str) -> str:
    holder = people.find("address", address)
    if holder is None:
        return ""
    return (
        f" The address {address} is another person's now, whose history is user/{holder.name}. Only if that person "
        f"shall have the files, say user/{holder.name}."
    )


_NO_ADDRESS = (
    "No address is known that the person whose history is user/{name} has now, so nothing was restored. Say where the "
    "files go: `to` in the form, `--to-drive` on the command line. If the person has an address, write it down first: "
    "`drive-backup sources alias user/{name} <address>`.{elsewhere}"
)


def _note(source: Source, named: Person, holder: Person | None) -> str | None:
    if named.address == source.user:
        return None
    now = f"its person has the address {named.address} now" if named.address else "its person has no address now"
    if holder is None:
        return f"{source} is a source's name; {now}."
    return f"{source} is a source's name; {now}. The address {source.user} is of {source.kind}/{holder.name} now."

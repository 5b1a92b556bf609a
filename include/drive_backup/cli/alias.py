"""``drive-backup sources alias``: who is who, and how a person corrects it."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Annotated, Any

import typer

from include.drive_backup.cli.app import Session
from include.drive_backup.cli.browse import sources_app
from include.drive_backup.clock import SystemClock
from include.drive_backup.errors import ConfigError
from include.drive_backup.identity.correct import join, part
from include.drive_backup.identity.people import People, Person
from include.drive_backup.identity.registry import change_people, read_people
from include.drive_backup.manifest.repository import SnapshotRepository
from include.drive_backup.model import Source
from include.drive_backup.ports import BlobStore

_ADDRESS = re.compile(r"[^@/\s]+@[^@/\s~]+")
_COLUMNS = ("source", "address", "former", "directory_id", "permission_id")


@sources_app.command(
    epilog="Examples: `drive-backup sources alias`; "
    "`drive-backup sources alias user/ann@example.com anne@example.com`; "
    "`drive-backup sources alias user/ann@example.com --apart`"
)
def alias(
    context: typer.Context,
    source: Annotated[
        str | None, typer.Argument(help="The source whose history it is, e.g. user/ann@example.com.")
    ] = None,
    address: Annotated[str | None, typer.Argument(help="The address that its person has now.")] = None,
    *,
    apart: Annotated[
        bool, typer.Option("--apart", help="Who has the address now is somebody else, and is saved anew from now on.")
    ] = False,
    note: Annotated[str, typer.Option(help="Why; it is written down.")] = "",
) -> None:
    """Show whose address belongs to which history; with a source and an address, correct it.

    Nothing that is stored is moved or deleted: what changes is where the next run stores.
    """
    session: Session = context.obj
    if source is None:
        session.output.rows(session.run(_known), _COLUMNS)
        return
    if (address is None) != apart:
        raise ConfigError("Say either the address that the person has now, or --apart.")
    session.output.say(session.run(lambda store: _correct(store, _person_source(source), address, note)))


async def _known(store: BlobStore) -> list[dict[str, Any]]:
    _, people = await read_people(store)
    return [_row(person) for person in sorted(people, key=lambda each: each.name)]


def _row(person: Person) -> dict[str, Any]:
    return {
        "source": f"user/{person.name}",
        "address": person.address,
        "former": list(person.former),
        "directory_id": person.directory_id,
        "permission_id": person.permission_id,
    }


async def _correct(store: BlobStore, source: Source, address: str | None, note: str) -> str:
    await _check_known(store, source)
    change: Callable[[People], Person | None]
    if address is None:
        change, said = lambda people: part(people, source.id), "is nobody's who has an address now; it is kept"
    else:
        now = _address(address)
        change, said = lambda people: join(people, source.id, now), f"goes on with who has the address {now}"
    await change_people(store, change, "drive-backup sources alias", SystemClock(), note=note)
    return f"The history {source} {said}. The next run goes by that."


async def _check_known(store: BlobStore, source: Source) -> None:
    _, people = await read_people(store)
    if people.named(source.id) is None and not await SnapshotRepository(store).names(source):
        raise ConfigError(f"There is no {source}, neither a person nor a snapshot. `drive-backup sources` lists them.")


def _address(text: str) -> str:
    """Read an address, which may be written as a source."""
    bare = text.strip().removeprefix("user/").removeprefix("shared/")
    if _ADDRESS.fullmatch(bare) is None:
        raise ConfigError(f"'{text}' is no e-mail address. Write the one that the person has now: anne@example.com.")
    return bare.lower()


def _person_source(text: str) -> Source:
    source = Source.parse(text)
    if source.user is None:
        raise ConfigError(f"{source} is told by an id that never changes; only user/… and shared/… are of a person.")
    return source

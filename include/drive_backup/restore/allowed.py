"""Whether the config allows a restore, and whether a person has to agree to it first. Pure."""

from __future__ import annotations

from fnmatch import fnmatchcase

from include.drive_backup.errors import ConfigError
from include.drive_backup.model import Source
from include.drive_backup.restore.batches import RestoreTask
from include.drive_backup.restore.settings import RestoreSettings


def check_allowed(settings: RestoreSettings, task: RestoreTask, own_connection: str, own_container: str) -> None:
    """Refuse a restore that the config does not allow.

    :param own_connection: the Airflow connection of the backup's container.
    :param own_container: the name of that container.
    :raises ConfigError: with where it may go, and which key allows more.
    """
    if (place := task.place) is not None:
        found = f"{task.to_conn or own_connection}/{place.container}"
        # The backup's own container is refused later, with the better reason.
        if found != f"{own_connection}/{own_container}" and not _fits(found, settings.containers):
            raise ConfigError(_NO_CONTAINER.format(found=found, allowed=_listed(settings.containers)))
        return
    if not goes_back(task) and not _fits(task.to, settings.places):
        raise ConfigError(_NO_PLACE.format(task=task, allowed=_listed(settings.places)))
    if task.subject not in (None, Source.parse(task.to).user) and not _fits(task.subject or "", settings.act_as):
        raise ConfigError(_NO_SUBJECT.format(task=task, allowed=_listed(settings.act_as)))


def goes_back(task: RestoreTask) -> bool:
    """Whether a restore goes back to where it came from."""
    if task.place is not None:
        return False
    source, to = Source.parse(task.source), Source.parse(task.to)
    if source.user is None:
        return source == to
    # A name is no proof: the address in it may be another person's by now.
    return to.kind == "user" and to.user == task.home


def asks(settings: RestoreSettings, task: RestoreTask) -> bool:
    """Whether a person has to agree to a restore first."""
    if task.dry_run or settings.approval == "never":
        return False
    return settings.approval == "always" or not goes_back(task) or task.conflict == "replace"


def _fits(found: str, globs: tuple[str, ...]) -> bool:
    """Addresses are compared in small letters, as those of sources are."""
    found = found.lower() if "@" in found else found
    return any(fnmatchcase(found, each.lower() if "@" in each else each) for each in globs)


def _listed(globs: tuple[str, ...]) -> str:
    return ", ".join(globs) or "nothing yet"


_NO_CONTAINER = (
    "to: by the config, a restore may not go into the container {found}. Have it added to restore.containers in "
    "the config file (there now: {allowed})."
)
_NO_PLACE = (
    "to: by the config, what was backed up of {task.source} may not be restored to {task.to}, only back to where it "
    "came from. Leave 'to' empty, or have {task.to} added to restore.places in the config file (there now: {allowed})."
)
_NO_SUBJECT = (
    "act_as: by the config, a restore may not act as {task.subject}. Leave it empty, or have the address added to "
    "restore.act_as in the config file (there now: {allowed})."
)

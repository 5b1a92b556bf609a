"""The trigger form of the restore DAG, and what it means."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk import Param

from drive_backup_airflow.params import refuse_unknown
from include.drive_backup.errors import ConfigError
from include.drive_backup.model import Source
from include.drive_backup.restore.batches import RestoreTask
from include.drive_backup.restore.container_target import KIND, ContainerPlace
from include.drive_backup.restore.drive_place import parse_drive_place

if TYPE_CHECKING:
    from airflow.sdk import Context


def restore_params(time_zone: str = "UTC") -> dict[str, Param]:
    """The Params of the DAG.

    :param time_zone: in which times are that name none, unless the form says another one.
    """
    return {
        "source": _text(
            "",
            "Source",
            "What was backed up: `user/<email address>`, `drive/<id>`, `folder/<id>` or `file/<id>`.",
        ),
        "snapshot": _text(
            "latest",
            "As of",
            "`latest`, a snapshot's id, or a time such as `2026-11-23T18:00+01:00`; `2026-11-23` means the end of that "
            "day.",
        ),
        "time_zone": _text(
            time_zone, "Time zone", "In which dates, and times that name no zone, are, e.g. `Europe/Berlin`."
        ),
        "series": _text(
            "",
            "Series",
            "A job's name, where several jobs back up this source; or a series that was selected by hand, as "
            "`drive-backup snapshots` shows it. Empty: the job's.",
        ),
        "to": _text(
            "",
            "Restore to",
            "In Drive: `user/<email address>`, `drive/<id>` or `folder/<id>`. Another Blob container: "
            "`container/<name>` or `container/<name>/<prefix>`. Empty: where it came from, which has to be a "
            "user, a drive or a folder.",
        ),
        "to_conn_id": _text(
            "", "Connection of that container", "Of the storage account, type `wasb`. Empty: the one of the backup."
        ),
        "paths": _lines(
            "Paths",
            "Paths as `drive-backup ls` shows them, or globs in gitignore grammar, e.g. `/Reports/2026/`. One that "
            "fits nothing ends the restore. With no ids either: everything.",
        ),
        "ids": _lines("Ids", "Drive ids of items; a folder's brings all that it holds."),
        "act_as": _text(
            "", "Act as", "The user to act as, for a shared drive or a folder. Empty: the connection's own."
        ),
        "merge": _flag(
            "Straight into that place", "Otherwise into a new folder 'Restored … as of …' in it, beside what is there."
        ),
        "conflict": Param(
            "copy",
            type="string",
            enum=["copy", "skip", "replace"],
            title="When a file of that name is there",
            description="In Drive: straight into that place only. `copy` writes another one beside it, `skip` leaves "
            "it, `replace` gives it the content of the backup as a new revision.",
        ),
        "permissions": _flag("Share as it was shared", "If the backup saved permissions. No mail is sent."),
        "rehydrate": Param(
            "standard",
            type="string",
            enum=["standard", "high"],
            title="If it is archived",
            description="How soon to rehydrate what is in the archive tier: `standard` takes up to 15 hours, `high` is "
            "dearer and often done within one. The dry run says how much it is.",
        ),
        "dry_run": _flag("Dry run", "Only say what would be restored."),
    }


def _text(value: str, title: str, description: str) -> Param:
    return Param(value, type=["null", "string"], title=title, description=description)


def _lines(title: str, description: str) -> Param:
    return Param([], type=["null", "array"], items={"type": "string"}, title=title, description=description)


def _flag(title: str, description: str) -> Param:
    return Param(False, type="boolean", title=title, description=description)  # noqa: FBT003 - Param's signature


def restore_task(context: Context) -> RestoreTask:
    """Read and check the run's params.

    :raises ConfigError: names the param and what is allowed.
    """
    params: dict[str, Any] = dict(context["params"])
    refuse_unknown(context)
    if not params["source"]:
        raise ConfigError("source: say what to restore, e.g. user/ann@example.com.")
    source = Source.parse(params["source"])
    to = params["to"] or str(source)
    return RestoreTask(
        source=str(source),
        home=source.user,
        **(_container(to, params) if to.startswith(KIND) else _drive(to, params)),
        run=context["run_id"],
        snapshot=params["snapshot"] or "latest",
        series=params["series"] or None,
        time_zone=params["time_zone"] or "UTC",
        paths=tuple(params["paths"] or ()),
        ids=tuple(params["ids"] or ()),
        conflict=params["conflict"],
        priority=params["rehydrate"],
        dry_run=params["dry_run"],
    )


def _drive(text: str, params: dict[str, Any]) -> dict[str, Any]:
    to = parse_drive_place(text, "to")
    if params["to_conn_id"]:
        raise ConfigError("to_conn_id: goes with a container; write container/<name> in 'to', or leave it empty.")
    subject = params["act_as"] or to.user
    return {"to": str(to), "merge": params["merge"], "permissions": params["permissions"], "subject": subject}


def _container(text: str, params: dict[str, Any]) -> dict[str, Any]:
    ContainerPlace.parse(text)
    given = [name for name in ("merge", "permissions", "act_as") if params[name]]
    if given:
        raise ConfigError(f"{', '.join(given)}: of no meaning for a container; leave it empty.")
    return {"to": text, "to_conn": params["to_conn_id"] or None}

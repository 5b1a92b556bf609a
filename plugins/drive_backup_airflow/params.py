"""The trigger form of a backup DAG, and what it means."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, get_args

from airflow.sdk import Param

from include.drive_backup.errors import ConfigError
from include.drive_backup.item_settings import ItemSettings
from include.drive_backup.model import CLOCKS, Detail, Mode, floor_ms
from include.drive_backup.moments import read_moment
from include.drive_backup.selection import Entry, parse_entry
from include.drive_backup.series import Selected
from include.drive_backup.settings import Job

if TYPE_CHECKING:
    from airflow.sdk import Context


def backup_params(job: Job) -> dict[str, Param]:
    """The Params of a job's DAG; the job's settings are the defaults."""
    return {
        "sources": Param(
            list(job.sources),
            type="array",
            # With nothing but texts the form has a box of lines, with mappings one of JSON.
            items={"type": "string"} if all(isinstance(each, str) for each in job.sources) else {},
            minItems=1,
            title="Sources",
            description="One a line: `user/<email address>`, `shared/<email address>` (what others share with that "
            "user), `drive/<shared drive id>`, `folder/<folder id>`, `file/<file id>`; `me` for the user that the "
            "connection acts as; or patterns: `users/*@example.com`, `shared/*@example.com`, `drives/*`.",
        ),
        "instant": Param(
            None,
            type=["null", "string"],
            format="date-time",
            title="As of",
            description="Back up the Drive as of this instant, as far as Drive still can tell. Empty: the run's own.",
        ),
        "mode": Param(
            "incremental",
            type="string",
            enum=["incremental", "full"],
            title="Mode",
            description="`incremental` reads what changed since the latest complete snapshot, where that is certain. "
            "`full` lists everything. Either way nothing that is stored already is copied again.",
        ),
        **_filter_params(job),
        "batch_files": Param(
            job.batch_files,
            type="integer",
            minimum=1,
            maximum=100_000,
            title="Files per batch",
            description="One mapped task copies one batch.",
            section="Tuning",
        ),
        "batch_mb": Param(
            job.batch_mb, type="integer", minimum=1, title="MB per batch", section="Tuning",
        ),
        "dry_run": Param(
            False,  # noqa: FBT003 - Param's own signature
            type="boolean",
            title="Dry run",
            description="List and plan, and report what would be copied; copy and commit nothing.",
        ),
    }  # fmt: skip


_INCLUDE = (
    "Globs in gitignore grammar on paths within the source, e.g. `Projects/**` or `*.tmp`. Empty: everything. "
    "A run with other filters than the job's, with the trash or with other details makes snapshots of a series of its "
    "own, which never stand for what the job saves (docs/configuration.md, *Series*)."
)
#: Title and description of each filter that is a list.
_LISTS = {
    "include": ("Include", _INCLUDE),
    "exclude": ("Exclude", "Globs in gitignore grammar on paths within the source."),
    "folders": ("Only these folders", "Ids of folders, one a line: these and all below them. Empty: all."),
    "exclude_folders": ("Not these folders", "Ids of folders, one a line: these and all below them are left out."),
    "mime_types": ("Only these MIME types", "Globs, one a line, e.g. `image/*`. Folders stay. Empty: all."),
    "exclude_mime_types": ("Not these MIME types", "Globs, one a line, e.g. `video/*`."),
    "owners": ("Only of these owners", "E-mail addresses or globs, one a line. Empty: all."),
}
_TEXTS = {
    "min_size": ("Smallest size", "Of files, e.g. `1 kB`. Empty: any."),
    "max_size": ("Largest size", "Of files, e.g. `5 GB`. Empty: any."),
    "modified_since": ("Modified since", "A date, or a time with its zone, e.g. `2026-01-31`. Empty: always."),
}


def _filter_params(job: Job) -> dict[str, Param]:
    values = job.model_dump(mode="json", include={*_LISTS, *_TEXTS})
    lists = {
        name: Param(
            values[name],
            type=["null", "array"],
            items={"type": "string"},
            title=title,
            description=description,
            section="Filters",
        )
        for name, (title, description) in _LISTS.items()
    }
    texts = {
        name: Param(
            None if values[name] is None else str(values[name]),
            type=["null", "string"],
            title=title,
            description=description,
            section="Filters",
        )
        for name, (title, description) in _TEXTS.items()
    }
    trash = Param(
        job.trashed,
        type="boolean",
        title="The trash, too",
        description="Also save what is in the trash, in a folder `~trash` of the snapshot.",
        section="Filters",
    )
    save = Param(
        list(job.save),
        type=["null", "array"],
        items={"type": "string", "enum": list(get_args(Detail))},
        examples=list(get_args(Detail)),
        title="Save beside the content",
        description="Of each item: `permissions`, `comments`, `labels`, `revisions` (a list, not their bytes). "
        "Each costs Drive calls for each item in each run.",
        section="Filters",
    )
    return {**lists, **texts, "trashed": trash, "save": save}


def own_params(job: Job) -> dict[str, Any]:
    """The values of the form that say what is selected, as the job's settings give them."""
    params = backup_params(job)
    return {name: params[name].value for name in ("sources", *ItemSettings.model_fields)}


def selected_by(params: Mapping[str, Any]) -> Selected:
    """What the form's values select.

    :raises ConfigError: names the param and what is allowed.
    """
    sources = tuple(parse_entry(each) for each in params["sources"])
    return Selected(sources=sources, items=ItemSettings.of_params(params))


@dataclass(frozen=True)
class RunOptions:
    """The params of one run, checked."""

    sources: tuple[Entry, ...]
    instant: datetime | None
    mode: Mode
    items: ItemSettings
    batch_files: int
    batch_bytes: int
    dry_run: bool

    @property
    def selected(self) -> Selected:
        """What the run selects."""
        return Selected(sources=self.sources, items=self.items)

    @classmethod
    def of(cls, context: Context) -> RunOptions:
        """Read and check the run's params.

        :raises ConfigError: names the param and what is allowed.
        """
        params: dict[str, Any] = dict(context["params"])
        refuse_unknown(context)
        return cls(
            sources=tuple(parse_entry(each) for each in params["sources"]),
            instant=_instant(params["instant"]),
            mode=params["mode"],
            items=ItemSettings.of_params(params),
            batch_files=params["batch_files"],
            batch_bytes=params["batch_mb"] * 1_000_000,
            dry_run=params["dry_run"],
        )


def refuse_unknown(context: Context) -> None:
    """Check that the run was triggered with params that there are.

    Airflow accepts unknown conf keys in silence; a mistyped `exclude` would back up what it should not.

    :raises ConfigError: names those that there are not, and those that there are.
    """
    # The run's params hold unknown keys too; the DAG's are what there is.
    known = set(context["dag"].params)
    unknown = sorted(set(context["dag_run"].conf or {}) - known)
    if unknown:
        raise ConfigError(f"There is no param {', '.join(map(repr, unknown))}; allowed: {', '.join(sorted(known))}.")


def _instant(text: str | None) -> datetime | None:
    if not text:
        return None
    instant = read_moment(text, None)
    if instant is None:
        raise ConfigError(f"instant: '{text}' is not a time with its zone; write e.g. 2026-11-23T02:00:00Z for UTC.")
    return instant


def instant_of(context: Context, options: RunOptions) -> datetime:
    """The run's own instant, the same in every try and after a clear.

    The param if given; the end of the data interval for scheduled and backfilled runs; the trigger time for manual ones
    (whose context has no logical date in Airflow 3.3).

    :raises ConfigError: the instant lies in the future.
    """
    run: Any = context["dag_run"]
    own = run.data_interval_end if run.run_type in ("scheduled", "backfill") else run.run_after
    instant = floor_ms(options.instant or own or run.run_after)
    now = context["ti"].start_date
    if now is not None and instant > now + CLOCKS:
        raise ConfigError(f"instant: {instant.isoformat()} lies in the future; nothing can be backed up as of then.")
    return instant


def check_clock(instant: datetime, now: datetime) -> None:
    """Refuse a run that is ahead of time: its snapshot would count as the newest one until then.

    :param now: the time by the container's clock, which is the same for all workers.
    :raises ConfigError: the instant lies in the future.
    """
    if instant > now + CLOCKS:
        raise ConfigError(
            f"The run's instant is {instant.isoformat()}, and by the clock of the storage account it is only "
            f"{now.isoformat(timespec='seconds')}. Set the clocks of the machines that Airflow runs on, and run again."
        )

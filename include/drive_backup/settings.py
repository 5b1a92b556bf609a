"""The config file: jobs, schedules, sources, limits. One YAML file, validated; every default works.

:func:`load` never raises for a bad *job*: it returns the good jobs and, for each bad one, a sentence that names the
file, the key and what is allowed, so that one mistake does not take the other backups down. A file that cannot be read
at all is one bad job called ``default``.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from include.drive_backup.errors import ConfigError
from include.drive_backup.exports import DEFAULT_FORMATS, check_formats
from include.drive_backup.item_settings import ItemSettings
from include.drive_backup.model import Tier
from include.drive_backup.restore.settings import RestoreSettings
from include.drive_backup.retention.settings import MOST_DAYS, RetentionSettings
from include.drive_backup.schedules import CronLine, TimeZone
from include.drive_backup.selection import parse_entry
from include.drive_backup.verification.settings import VerificationSettings

DEFAULT_JOB = "default"
POOL = "drive_backup"
DAG_ID = "google_drive_backup"
RETENTION_DAG_ID = "google_drive_retention"
VERIFICATION_DAG_ID = "google_drive_verify"
#: Every DAG of ours has this tag.
TAG = "drive-backup"
DEFAULT_PATH = Path(__file__).resolve().parents[1] / "drive_backup.yaml"
PATH_VARIABLE = "DRIVE_BACKUP_CONFIG"

#: Far more than Drive or Airflow know of, and so little that times and sums of them stay in range.
MOST = 10**12
_DAY, _YEAR = 86_400, 366 * 86_400
Positive = Annotated[int, Field(gt=0, le=MOST)]
PositiveFloat = Annotated[float, Field(gt=0, le=MOST, allow_inf_nan=False)]
Minutes = Annotated[float, Field(gt=0, le=_YEAR / 60, allow_inf_nan=False)]
Hours = Annotated[float, Field(gt=0, le=_YEAR / 3_600, allow_inf_nan=False)]
#: Airflow's columns hold so many characters (``dag_tag.name``, ``dag.owners``).
Tag = Annotated[str, Field(min_length=1, max_length=100)]
Owner = Annotated[str, Field(min_length=1, max_length=500)]
#: Of a job's name; the id of a DAG has at most 250, and ours begins with ``google_drive_backup_``.
LONGEST_NAME = 200
_NAME = f"[A-Za-z0-9_-]{{1,{LONGEST_NAME}}}"
NotNegative = Annotated[float, Field(ge=0, le=MOST, allow_inf_nan=False)]
Model = TypeVar("Model", bound=BaseModel)


class Section(BaseModel):
    """Base of the sections: unknown keys are mistakes, and values do not change afterwards."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Connections(Section):
    """Airflow connection ids."""

    drive: str = Field("drive_backup_google", description="type google_cloud_platform")
    blob: str = Field("drive_backup_blob", description="type wasb")
    events: str | None = Field("drive_backup_events", description="type azure_event_hubs; null sends no events")

    @field_validator("*")
    @classmethod
    def _name(cls, value: str | None) -> str | None:
        # Key Vault secret names allow nothing else, and the backend turns `_` into `-`.
        if value is not None and not all(c.isascii() and (c.isalnum() or c in "_-") for c in value):
            raise ValueError("a connection id of letters, digits, '_' and '-' (Key Vault allows nothing else)")
        return value


class Storage(Section):
    """Where the backup goes."""

    container: str = "drive-backup"
    create_container: bool = True
    tier: Tier | None = Field(None, description="that content is written to; null: the account's default")

    @field_validator("container")
    @classmethod
    def _container(cls, value: str) -> str:
        if not re.fullmatch(r"[a-z0-9](?:[a-z0-9]|-(?=[a-z0-9])){2,62}", value):
            raise ValueError("a container name of 3 to 63 lower-case letters, digits and single dashes")
        return value


class JobLimits(Section):
    """Limits that each job may have otherwise. The time-outs take fractions."""

    files_in_flight: Annotated[int, Field(gt=0, le=256)] = Field(128, description="per task, at most")
    memory_mb: Annotated[int, Field(ge=64)] = Field(96, description="for file contents, per task")
    attempts: Annotated[int, Field(gt=0, le=20)] = Field(6, description="of one request, before the task's own retry")
    max_groups: Annotated[int, Field(gt=0, le=1000)] = Field(200, description="mapped tasks that list, and that commit")
    max_batches: Annotated[int, Field(gt=0, le=1000)] = Field(200, description="mapped copy tasks per run")
    task_retries: Annotated[int, Field(ge=0, le=20)] = 4
    retry_delay_seconds: Annotated[int, Field(gt=0, le=_DAY)] = Field(
        60, description="before the first retry; doubles, up to 30 minutes"
    )
    list_timeout_minutes: Minutes = 12 * 60
    batch_timeout_minutes: Minutes = 6 * 60
    run_timeout_hours: Hours = 7 * 24


class Limits(JobLimits):
    """How fast, how much at once. Units are Drive's quota units of 2026: list 100, download 200, get 5."""

    units_per_minute: Positive | None = Field(325_000, description="quota units for all tasks of one user")
    project_units_per_minute: Positive | None = Field(1_000_000, description="for all users; at least the above")
    queries_per_minute: Positive | None = Field(None, description="calls of one user; the model of older projects")
    project_queries_per_minute: Positive | None = Field(None, description="calls of all users")
    mb_per_minute: Positive | None = Field(None, description="megabytes of content that all tasks download")
    units_per_day: Positive | None = Field(None, description="of all jobs; a run that reaches it ends partial")
    gb_per_day: PositiveFloat | None = Field(None, description="of all jobs; a run that reaches it ends partial")
    tasks_at_once: Positive = Field(8, description="slots of the Airflow pool `drive_backup`")
    expected_mb_per_second: PositiveFloat = Field(50, description="of all tasks together, for the estimate")


class Prices(Section):
    """What Azure charges, for the estimate. The defaults are of the order of hot, locally redundant storage in 2026."""

    currency: str = "USD"
    storage_gb_month: NotNegative = Field(0.018, description="one GB for a month")
    writes_10k: NotNegative = Field(0.05, description="10,000 write operations")


class Notifier(Section):
    """A further Airflow notifier that is called when a task or a run fails for good."""

    class_: str = Field(alias="class", description="dotted path, e.g. airflow.providers.slack.notifications.slack.…")
    kwargs: dict[str, Any] = {}


class Job(ItemSettings):
    """One backup: one DAG."""

    schedule: CronLine | None = "@daily"
    timezone: TimeZone = "UTC"
    start_date: Annotated[date, Field(ge=date(1970, 1, 2), le=date(2200, 1, 1))] = date(2026, 1, 1)
    owner: Owner = "drive-backup"
    tags: tuple[Tag, ...] = ()
    sources: Annotated[tuple[Any, ...], Field(min_length=1)] = ("user/me",)
    batch_files: Annotated[int, Field(gt=0, le=100_000)] = 2_000
    batch_mb: Positive = 4_096
    full_listing_days: Annotated[int, Field(ge=0, le=MOST_DAYS)] = Field(7, description="0: in each run")
    fail_on_unavailable: bool = False
    acknowledge_abuse: bool = False
    units_per_day: Positive | None = None
    gb_per_day: PositiveFloat | None = None
    storage: Storage = Field(Storage(), description="keys that are given here hold instead of the file's")
    limits: JobLimits = Field(JobLimits(), description="keys that are given here hold instead of the file's")

    @field_validator("sources")
    @classmethod
    def _sources(cls, value: tuple[Any, ...]) -> tuple[Any, ...]:
        for entry in value:
            _as_value_error(parse_entry, entry)
        return value


class Config(Section):
    """The whole file."""

    version: Literal[1] = 1
    connections: Connections = Connections()
    storage: Storage = Storage()
    limits: Limits = Limits()
    prices: Prices = Prices()
    export_formats: dict[str, tuple[str, ...]] = dict(DEFAULT_FORMATS)
    retention: RetentionSettings = RetentionSettings()
    verification: VerificationSettings = VerificationSettings()
    restore: RestoreSettings = RestoreSettings()
    notifiers: tuple[Notifier, ...] = ()

    def quota(self, name: str, job: Job) -> dict[str, Any]:
        """What the tasks of a job share of Drive's quota: the fields of ``quota.settings.QuotaSettings``."""
        limits = self.limits
        shared = ("units_per_minute", "queries_per_minute", "project_queries_per_minute", "mb_per_minute")
        project = limits.project_units_per_minute
        return {
            **{key: getattr(limits, key) for key in (*shared, "tasks_at_once", "units_per_day", "gb_per_day")},
            "project_units_per_minute": project and max(project, limits.units_per_minute or 0),
            "group": self.connections.drive,
            "job": name,
            "job_units_per_day": job.units_per_day,
            "job_gb_per_day": job.gb_per_day,
        }

    @field_validator("export_formats")
    @classmethod
    def _formats(cls, value: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
        _as_value_error(check_formats, value)
        return value

    def of(self, job: Job) -> Config:
        """The config as one job has it: with the job's own storage and limits."""
        return self.model_copy(
            update={"storage": _over(self.storage, job.storage), "limits": _over(self.limits, job.limits)}
        )


class Loaded(BaseModel):
    """What a config file gives: the shared part, the good jobs, and a sentence for each bad one."""

    path: Path
    config: Config = Config()
    jobs: dict[str, Job] = {}
    problems: dict[str, str] = {}

    def containers(self) -> dict[str, Config]:
        """The containers that good jobs write to, each with the config of the first such job."""
        found: dict[str, Config] = {}
        for job in self.jobs.values():
            config = self.config.of(job)
            found.setdefault(config.storage.container, config)
        return found

    def container_dags(self, dag_id: str) -> dict[str, Config]:
        """The ids of a DAG that there is once for each container.

        The one for the file's own container has the plain id; others end in their container's name. So no two share an
        id, and what is added to the file never gives a container's DAG another id.

        :param dag_id: the plain id.
        """
        own, containers = self.config.storage.container, self.containers()
        return {dag_id if name == own else f"{dag_id}_{name}": config for name, config in containers.items()}


def _over(shared: Model, own: BaseModel) -> Model:
    """``shared`` with what ``own`` says itself."""
    return shared.model_copy(update={name: getattr(own, name) for name in own.model_fields_set})


def _as_value_error(check: Callable[[Any], object], value: Any) -> None:
    """Let pydantic place the error: it wraps ValueError and nothing else."""
    try:
        check(value)
    except ConfigError as error:
        raise ValueError(str(error)) from None


def dag_id_of(job_name: str) -> str:
    """``google_drive_backup`` for the default job, ``google_drive_backup_<job>`` for others.

    A name that Airflow would not take gets one that it takes, so that its problem can be shown.
    """
    if job_name == DEFAULT_JOB:
        return DAG_ID
    if re.fullmatch(_NAME, job_name):
        return f"{DAG_ID}_{job_name}"
    mark = hashlib.sha256(job_name.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return f"{DAG_ID}_{re.sub('[^A-Za-z0-9_-]', '_', job_name)[:LONGEST_NAME]}.{mark}"


def config_path() -> Path:
    """The config file: ``$DRIVE_BACKUP_CONFIG``, else ``include/drive_backup.yaml``."""
    return Path(os.environ.get(PATH_VARIABLE) or DEFAULT_PATH)


def load(path: Path = DEFAULT_PATH) -> Loaded:
    """Read and validate the config file. The default file may be missing: that means the defaults.

    A mistake in the shared part (``storage``, ``limits`` …) is a problem of every job: none can run as it was meant.
    """
    try:
        data = _read(path)
        jobs = _job_bodies(data, path)
    except ConfigError as error:
        return Loaded(path=path, problems={DEFAULT_JOB: str(error)})
    try:
        loaded = Loaded(path=path, config=_validate(Config, data, path, ""))
    except ConfigError as error:
        return Loaded(path=path, problems=dict.fromkeys(jobs, str(error)))
    for name, body in jobs.items():
        try:
            _check_name(name, path)
            loaded.jobs[name] = _validate(Job, body or {}, path, f"jobs.{name}")
        except ConfigError as error:
            loaded.problems[name] = str(error)
    return loaded


class _Loader(yaml.SafeLoader):
    """Leaves dates and times as they are written: whether one is right is asked where it is used, job by job."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def _read(path: Path) -> dict[str, Any]:
    if path == DEFAULT_PATH and not path.exists():
        return {}
    try:
        data = yaml.load(path.read_text(encoding="utf-8"), Loader=_Loader)  # noqa: S506 - a safe one
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read ({error}). Check that the file is there and readable.") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" in line {mark.line + 1}" if mark else ""
        raise ConfigError(f"{path}: is not valid YAML{where}: {getattr(error, 'problem', error)}.") from error
    except (ValueError, TypeError, AttributeError, ArithmeticError, RecursionError) as error:
        # PyYAML lets through what its constructors of numbers and other types raise.
        raise ConfigError(f"{path}: holds a value that cannot be read: {error}. Put it in quotes.") from error
    if data is not None and not isinstance(data, dict):
        raise ConfigError(f"{path}: must hold keys such as 'jobs:' and 'storage:' at the top level.")
    return data or {}


def _job_bodies(data: dict[str, Any], path: Path) -> dict[str, Any]:
    """Take the jobs out of the file's data, unchecked."""
    jobs = data.pop("jobs", {DEFAULT_JOB: {}})
    if not isinstance(jobs, dict) or not jobs:
        raise ConfigError(f"{path}: jobs: must map job names to their settings, e.g. 'jobs: {{default: {{}}}}'.")
    return {str(name): body for name, body in jobs.items()}


def _check_name(name: str, path: Path) -> None:
    if not re.fullmatch(_NAME, name):
        shown = f"{name[:LONGEST_NAME]!a}".strip("'")
        raise ConfigError(
            f"{path}: jobs.{shown}: a job's name has 1 to {LONGEST_NAME} characters: letters, digits, '_' and '-'."
        )


def _validate(model: type[Model], body: Any, path: Path, where: str) -> Model:
    try:
        return model.model_validate(body)
    except ValidationError as error:
        sentences = [_sentence(model, each, where) for each in error.errors()]
        raise ConfigError(f"{path}: " + "; ".join(sentences)) from None


def _sentence(model: type[BaseModel], error: Any, where: str) -> str:
    location = [str(part) for part in error["loc"]]
    key = ".".join(([where] if where else []) + location) or "the file"
    if error["type"] == "extra_forbidden":
        return f"{key}: there is no such key; allowed: {', '.join(_keys(model, location))}"
    message = str(error.get("ctx", {}).get("error") or error["msg"])
    return f"{key}: {error['input']!r} is not allowed: {message[0].lower() + message[1:]}"


def _keys(model: type[BaseModel], location: list[str]) -> list[str]:
    """The keys that are allowed beside the one at ``location``."""
    for part in location[:-1]:
        annotation = model.model_fields[part].annotation if part in model.model_fields else None
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            model = annotation
    names = [field.alias or name for name, field in model.model_fields.items()]
    return [*names, "jobs"] if model is Config else names

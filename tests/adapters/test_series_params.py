"""Which series a run's snapshots are of, from the trigger form to the tasks."""

from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from airflow.sdk.definitions.param import ParamsDict

from drive_backup_airflow.operators.resolve_sources import ResolveSourcesOperator
from drive_backup_airflow.params import RunOptions, backup_params, own_params
from include.drive_backup.model import Source
from include.drive_backup.resolve import Found
from include.drive_backup.settings import Job

JOB = Job(
    sources=("user/ann@example.com", "shared/ann@example.com"),
    exclude=("*.tmp",),
    mime_types=("image/*", "text/*"),
    min_size="1 kB",
    save=("permissions",),
)
FOUND = [Found(source=Source.parse(text), asked=True) for text in ("user/ann@example.com", "shared/ann@example.com")]


def series(filled_in, found=FOUND):
    """The series and the mark of each source of a run whose form was filled in like this."""
    params = ParamsDict(backup_params(JOB))
    params.update(filled_in)
    context = {
        "params": params.validate(),
        "dag_run": SimpleNamespace(conf=filled_in),
        "dag": SimpleNamespace(params=params),
    }
    operator = ResolveSourcesOperator(task_id="resolve_sources", job="team", own_params=own_params(JOB))
    tasks = operator._tasks(found, RunOptions.of(context), datetime(2026, 3, 1, tzinfo=UTC), "run")
    return {task.source: (task.series, task.by_hand) for task in tasks}


@pytest.mark.parametrize(
    "filled_in",
    [
        {},
        {"mode": "full", "batch_files": 7, "dry_run": True},
        {"mime_types": ["text/*", "image/*"], "min_size": "1000"},
        {"include": [], "folders": None, "max_size": None, "modified_since": None},
    ],
)
def test_a_form_that_selects_what_the_job_does_is_of_the_jobs_series(filled_in):
    assert set(series(filled_in).values()) == {("team", False)}


@pytest.mark.parametrize(
    "filled_in",
    [{"include": ["*.txt"]}, {"exclude": []}, {"min_size": None}, {"trashed": True}, {"save": []}],
)
def test_a_form_that_selects_something_else_is_not(filled_in):
    found = series(filled_in)
    assert all(name.startswith("team~") and not by_hand for name, by_hand in found.values())
    assert found == series(filled_in)


def test_other_sources_change_what_is_shared_and_nothing_else():
    found = series({"sources": ["user/ann@example.com", "shared/ann@example.com", "user/bob@example.com"]})
    assert found["user/ann@example.com"] == ("team", False)
    assert found["shared/ann@example.com"][0].startswith("team~")


def test_a_source_that_only_this_run_asks_for_is_marked():
    bob = Found(source=Source.parse("user/bob@example.com"), asked=True)
    assert series({"sources": ["user/bob@example.com"]}, [bob]) == {"user/bob@example.com": ("team", True)}

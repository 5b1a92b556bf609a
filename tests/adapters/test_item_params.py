"""The trigger form's filters: what a person fills in is what the tasks get."""

from types import SimpleNamespace

import pytest
from airflow.sdk.definitions.param import ParamsDict, ParamValidationError

from drive_backup_airflow.params import RunOptions, backup_params
from include.drive_backup.handover import Filters
from include.drive_backup.settings import Job


def options(job=None, **filled_in):
    """What a run gets whose form was filled in like this."""
    params = ParamsDict(backup_params(job or Job()))
    params.update(filled_in)
    context = {
        "params": params.validate(),
        "dag_run": SimpleNamespace(conf=filled_in),
        "dag": SimpleNamespace(params=params),
    }
    return RunOptions.of(context)


def test_an_untouched_form_means_what_the_job_says():
    job = Job(
        exclude=("*.tmp",),
        min_size="1 kB",
        max_size="2 GB",
        modified_since="2026-01-31",
        owners=("*@example.com",),
        trashed=True,
        save=("permissions",),
    )
    items = options(job).items
    assert items.model_dump() == {name: getattr(job, name) for name in type(items).model_fields}


def test_what_is_filled_in_replaces_what_the_job_says():
    items = options(Job(max_size="2 GB"), max_size="10 MB", mime_types=["video/*"], trashed=True, save=["labels"]).items
    assert items.filters == Filters(max_size=10_000_000, mime_types=("video/*",))
    assert (items.trashed, items.save) == (True, ("labels",))


def test_an_emptied_field_filters_nothing():
    items = options(Job(max_size="2 GB", exclude=("*.tmp",)), max_size=None, exclude=None, save=None).items
    assert items.filters == Filters()
    assert (items.exclude, items.save) == ((), ())


def test_what_cannot_be_saved_is_refused_by_the_form():
    with pytest.raises(ParamValidationError):
        options(save=["thoughts"])

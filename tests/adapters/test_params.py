"""The trigger form's sources: a box of lines while they are texts, JSON when there are mappings."""

import pytest

from drive_backup_airflow.params import _instant, backup_params
from include.drive_backup.errors import ConfigError
from include.drive_backup.settings import Job


def test_the_form_takes_lines_when_all_sources_are_texts():
    param = backup_params(Job(sources=("users/*", "drive/d1")))["sources"]
    assert param.resolve() == ["users/*", "drive/d1"]
    assert param.schema["items"] == {"type": "string"}


def test_the_form_takes_json_when_there_are_mappings():
    job = Job(sources=("user/me", {"users": {"exclude": ["robot-*"]}}))
    assert backup_params(job)["sources"].resolve() == ["user/me", {"users": {"exclude": ["robot-*"]}}]


@pytest.mark.parametrize("text", ["0001-01-01T00:00:00+05:00", "9999-12-31T23:59:59-05:00", "10000-01-01T00:00:00Z"])
def test_an_instant_that_there_is_not_is_a_sentence(text):
    with pytest.raises(ConfigError, match="is not a time"):
        _instant(text)


def test_the_form_says_that_other_filters_make_a_series_of_their_own():
    assert "series of its own" in backup_params(Job(sources=("user/me",)))["include"].description

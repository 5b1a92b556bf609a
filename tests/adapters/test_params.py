"""The trigger form's sources: a box of lines while they are texts, JSON when there are mappings."""

from drive_backup_airflow.params import backup_params
from include.drive_backup.settings import Job


def test_the_form_takes_lines_when_all_sources_are_texts():
    param = backup_params(Job(sources=("users/*", "drive/d1")))["sources"]
    assert param.resolve() == ["users/*", "drive/d1"]
    assert param.schema["items"] == {"type": "string"}


def test_the_form_takes_json_when_there_are_mappings():
    job = Job(sources=("user/me", {"users": {"exclude": ["robot-*"]}}))
    assert backup_params(job)["sources"].resolve() == ["user/me", {"users": {"exclude": ["robot-*"]}}]

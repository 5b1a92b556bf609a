"""docs/configuration.md against the code: every key, every default, every param, every field of a connection."""

import re

import pytest
import yaml
from pydantic import BaseModel

from include.drive_backup.exports import EXPORT_FORMATS
from include.drive_backup.restore.settings import RestoreSettings
from include.drive_backup.retention.settings import KeepSettings, RetentionSettings, TierSettings
from include.drive_backup.schedules import PRESETS
from include.drive_backup.selection import parse_entry
from include.drive_backup.settings import (
    PATH_VARIABLE,
    Config,
    Connections,
    Job,
    Limits,
    Notifier,
    Prices,
    Storage,
)
from include.drive_backup.verification.settings import VerificationSettings
from tests.docs import markdown

PAGE = "docs/configuration.md"
SECTIONS = {
    "": Config,
    "connections.": Connections,
    "storage.": Storage,
    "limits.": Limits,
    "prices.": Prices,
    "retention.": RetentionSettings,
    "restore.": RestoreSettings,
    "verification.": VerificationSettings,
    "retention.keep.": KeepSettings,
    "retention.tiers.": TierSettings,
    "jobs.<name>.": Job,
    "notifiers[].": Notifier,
}
# Sections have tables of their own.
SECTION_KEYS = {"connections", "storage", "limits", "prices", "restore", "retention", "verification"}


def settings():
    """Documented name → default, as the models have it."""
    for prefix, model in SECTIONS.items():
        for name, field in model.model_fields.items():
            if prefix or name not in SECTION_KEYS:
                default = "required" if field.is_required() else field.get_default()
                yield prefix + (field.alias or name), plain(default)


def plain(value):
    if isinstance(value, BaseModel):
        return plain(value.model_dump(exclude_unset=True))
    if isinstance(value, dict):
        return {key: plain(each) for key, each in value.items()}
    return [plain(each) for each in value] if isinstance(value, tuple | list) else value


def settings_rows():
    tables = markdown.text(PAGE).split("## The trigger form")[0]
    return {row[0].strip("`"): row for row in markdown.rows(PAGE) if len(row) == 4 and f"| {row[0]} |" in tables}


@pytest.mark.parametrize(
    ("key", "default"), list(settings()), ids=lambda value: value if isinstance(value, str) else ""
)
def test_every_key_is_documented_with_its_default(key, default):
    row = settings_rows().get(key)
    assert row is not None, f"{key} is not in {PAGE}"
    assert yaml.safe_load(row[2].strip("`")) == default


def test_no_key_is_documented_that_does_not_exist():
    assert set(settings_rows()) == {key for key, _ in settings()}


def test_every_export_format_and_preset_is_documented():
    formats = {
        row[0].strip("`"): re.sub(r"\(.*\)", "", row[1]).replace(" ", "").split(",")
        for row in markdown.rows(PAGE)
        if len(row) == 2 and row[0].strip("`") in EXPORT_FORMATS
    }
    assert formats == {native: list(allowed) for native, allowed in EXPORT_FORMATS.items()}
    schedule = settings_rows()["jobs.<name>.schedule"]
    assert set(markdown.codes(schedule[3])) >= set(PRESETS)
    assert PATH_VARIABLE in markdown.text(PAGE)


def test_every_param_of_the_trigger_form_is_documented_with_its_default():
    from drive_backup_airflow.params import backup_params

    section = markdown.text(PAGE).split("## The trigger form")[1].split("## The connections")[0]
    documented = {row[0].strip("`"): row[2] for row in markdown.rows(PAGE) if f"\n| {row[0]} |" in section}
    params = backup_params(Job())
    assert set(documented) == set(params)
    for name, param in params.items():
        if name in Job.model_fields:
            assert documented[name] == f"the job's `{name}`"
        else:
            assert yaml.safe_load(documented[name].strip("`")) == param.value


@pytest.mark.parametrize("file", ["hooks/google_credentials.py", "hooks/drive.py", "hooks/eventhub.py"])
def test_every_field_that_a_hook_reads_from_a_connection_is_documented(file):
    source = (markdown.ROOT / "plugins/drive_backup_airflow" / file).read_text(encoding="utf-8")
    read = set(re.findall(r"""(?:\.field|\.number|extra\.get)\("(\w+)\"""", source))
    assert read
    documented = {code for row in markdown.rows(PAGE) for code in markdown.codes(row[0])}
    assert read - documented == set()


def test_the_example_of_sources_is_valid():
    [example] = [block for block in markdown.fenced(PAGE, "yaml") if block.startswith("sources:")]
    entries = [parse_entry(each) for each in yaml.safe_load(example)["sources"]]
    assert [entry.kind for entry in entries] == ["user", "drive", "shared"]

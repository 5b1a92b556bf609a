"""Which items are wanted: read alike from the config and from the trigger form."""

import pytest
import yaml

from include.drive_backup.errors import ConfigError
from include.drive_backup.handover import Filters
from include.drive_backup.item_settings import ItemSettings


def read(text):
    return ItemSettings.model_validate(yaml.safe_load(text))


def test_people_write_sizes_and_times_as_they_think_of_them():
    settings = read("{min_size: 1 kB, max_size: 1.5 GiB, modified_since: 2026-01-31, owners: ['*@example.com']}")
    assert settings.filters == Filters(
        min_size=1000, max_size=1610612736, modified_since="20260131T000000.000Z", owners=("*@example.com",)
    )
    # Tasks hand it on as JSON.
    assert Filters.from_dict(settings.filters.to_dict()) == settings.filters
    assert read("{modified_since: 2026-01-31T18:00:00+02:00}").filters.modified_since == "20260131T160000.000Z"


def test_the_trigger_form_says_nothing_with_empty_fields():
    params = {"include": None, "exclude": ["*.tmp"], "min_size": None, "modified_since": None, "dry_run": True}
    settings = ItemSettings.of_params(params)
    assert settings.exclude == ("*.tmp",)
    assert settings.filters == Filters()


@pytest.mark.parametrize(
    ("param", "value", "allowed"),
    [
        ("exclude", ["["], "gitignore"),
        ("min_size", "much", "10 MB"),
        ("max_size", "-1", "10 MB"),
        ("modified_since", "yesterday", "2026-01-31"),
        ("owners", ["ann"], "ann@example.com"),
        ("mime_types", ["pdf"], "application/pdf"),
        ("exclude_folders", ["My folder"], "ids of folders"),
    ],
)
def test_a_bad_param_is_named_with_what_is_allowed(param, value, allowed):
    with pytest.raises(ConfigError) as caught:
        ItemSettings.of_params({param: value})
    assert param in str(caught.value)
    assert allowed in str(caught.value)

"""docs/coverage.md: the tests that it names exist, and nothing of Drive's own description is missing from it."""

import re

import pytest

from include.drive_backup.drive import errors
from include.drive_backup.drive.fields import FILE_FIELDS
from include.drive_backup.exports import EXPORT_FORMATS
from include.local_cloud.drive.discovery import schema
from tests.docs import markdown

PAGE = "docs/coverage.md"
ROWS = markdown.rows(PAGE)
TESTS = sorted({code for row in ROWS for code in markdown.codes(row[-1])})


def section(title):
    return markdown.text(PAGE).split(f"\n## {title}\n")[1].split("\n## ")[0]


def described(title):
    """What stands in backticks in the first column of the tables of a section."""
    text = section(title)
    return {code for row in ROWS if f"\n| {row[0]} |" in text for code in markdown.codes(row[0])}


@pytest.mark.parametrize("test", TESTS)
def test_a_test_that_is_named_exists(test):
    path, _, name = test.partition("::")
    assert re.search(rf"^(async )?def {name}\(", (markdown.ROOT / path).read_text(encoding="utf-8"), re.MULTILINE)


def test_every_row_names_a_test():
    assert [row[0] for row in ROWS if not markdown.codes(row[-1])] == []


def test_every_property_of_a_file_is_listed_where_it_belongs():
    saved, not_saved = section("Properties of a file").split("| not in the resource |")
    asked = set(re.findall(r"(\w+)(?:\([^)]*\))?(?:,|$)", FILE_FIELDS))
    first = [re.findall(r"^\| ([^|]+) \|", part, re.MULTILINE) for part in (saved, not_saved)]
    listed = [{code for cell in cells for code in markdown.codes(cell)} for cells in first]
    assert listed[0] == asked
    assert listed[1] == set(schema("File")["properties"]) - asked


def test_every_reason_that_the_program_knows_is_listed():
    known = {*errors._ITEM, *errors._CREDENTIALS, *errors._RATE, *errors._TRANSIENT, "dailyLimitExceeded"}
    assert known - described("Answers that refuse") == set()


def test_every_type_that_can_be_exported_is_listed():
    assert EXPORT_FORMATS.keys() - described("Kinds of items") == set()

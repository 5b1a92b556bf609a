"""docs/troubleshooting.md knows every error class and every reason that the code can give."""

import inspect

import pytest

from include.drive_backup import errors
from include.drive_backup.blob import errors as blob_errors
from include.drive_backup.blob import sas
from include.drive_backup.drive import errors as drive_errors
from include.drive_backup.drive import refused_writes, token_errors
from tests.docs import markdown

PAGE = "docs/troubleshooting.md"
ABSTRACT = {errors.DriveBackupError, errors.PermanentError, errors.TransientError}


def leaves():
    found = inspect.getmembers(errors, lambda each: inspect.isclass(each) and issubclass(each, errors.DriveBackupError))
    return [each for _, each in found if each not in ABSTRACT]


def documented():
    return {code for row in markdown.rows(PAGE) for code in markdown.codes(row[0])}


@pytest.mark.parametrize("error", leaves(), ids=lambda error: error.__name__)
def test_every_error_is_explained_with_its_kind(error):
    kinds = {code: row[1] for row in markdown.rows(PAGE) for code in markdown.codes(row[0]) if len(row) == 4}
    expected = "permanent" if issubclass(error, errors.PermanentError) else "transient"
    assert kinds[error.__name__].split(",")[0] == expected


def test_every_reason_of_drive_is_explained():
    reasons = {*drive_errors._ITEM, *drive_errors._LATER, *drive_errors._CREDENTIALS}
    assert reasons - documented() == set()


def test_every_limit_that_a_restore_may_meet_is_explained():
    explained = {code for row in markdown.rows("docs/restore.md") for code in markdown.codes(row[0])}
    assert (set(refused_writes.LIMITS) | refused_writes.RATE) - {"teamDrivesParentLimit"} - explained == set()


def test_every_refusal_of_blob_is_explained():
    assert {*blob_errors._DENIED, *sas._BOUNDS} - documented() == set()


def test_every_refusal_of_googles_token_endpoint_is_explained():
    page = markdown.text(PAGE).lower()
    assert [piece for piece, _ in token_errors._ADVICE if piece not in page] == []

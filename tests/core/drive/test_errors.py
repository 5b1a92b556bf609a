"""Drive's answers become the right kind of error: what to retry, what to record, what stops the run."""

from __future__ import annotations

import json
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.drive_backup.drive.errors import _ITEM, UnexpectedAnswerError, error_from, operation_error, retry_after
from include.drive_backup.errors import (
    AccountUnavailableError,
    CredentialsError,
    DailyQuotaError,
    DriveBackupError,
    ItemLaterError,
    ItemUnavailableError,
    RateLimitError,
    ServiceUnavailableError,
    TransientError,
)


def body(reason: str, message: str = "Said so.", location: str = "", code: int = 403) -> bytes:
    first = {"domain": "global", "reason": reason, "message": message, "location": location}
    return json.dumps({"error": {"code": code, "message": message, "errors": [first]}}).encode()


@pytest.mark.parametrize(
    ("status", "reason", "expected"),
    [
        (400, "invalid", UnexpectedAnswerError),
        (400, "invalidParameter", UnexpectedAnswerError),
        (401, "authError", CredentialsError),
        (403, "userRateLimitExceeded", RateLimitError),
        (403, "rateLimitExceeded", RateLimitError),
        (403, "sharingRateLimitExceeded", RateLimitError),
        (403, "quotaExceeded", RateLimitError),
        (429, "rateLimitExceeded", RateLimitError),
        (403, "dailyLimitExceeded", DailyQuotaError),
        (403, "downloadQuotaExceeded", ItemLaterError),
        (403, "UrlLeaseLimitExceeded", ItemLaterError),
        (403, "insufficientFilePermissions", ItemUnavailableError),
        (403, "insufficientPermissions", CredentialsError),
        (403, "appNotAuthorizedToFile", ItemUnavailableError),
        (403, "cannotDownloadFile", ItemUnavailableError),
        (403, "cannotExportFile", ItemUnavailableError),
        (403, "fileNotDownloadable", ItemUnavailableError),
        (403, "fileNotExportable", ItemUnavailableError),
        (403, "cannotDownloadAbusiveFile", ItemUnavailableError),
        (403, "exportSizeLimitExceeded", ItemUnavailableError),
        (403, "download_restricted_for_revision", ItemUnavailableError),
        (403, "domainPolicy", AccountUnavailableError),
        (403, "accessNotConfigured", CredentialsError),
        (404, "notFound", ItemUnavailableError),
        (416, "requestedRangeNotSatisfiable", UnexpectedAnswerError),
        (500, "internalError", ServiceUnavailableError),
        (502, "badGateway", ServiceUnavailableError),
        (503, "backendError", ServiceUnavailableError),
        (504, "gatewayTimeout", ServiceUnavailableError),
        (403, "backendError", ServiceUnavailableError),
        (418, "teapot", UnexpectedAnswerError),
    ],
)
def test_each_reason_of_drives_table_has_its_type(status: int, reason: str, expected: type[DriveBackupError]) -> None:
    error = error_from(status, body(reason), {}, "the file 'a.txt'")

    assert type(error) is expected
    assert error.reason == reason
    assert "the file 'a.txt'" in str(error)
    assert "Said so" in str(error)
    assert str(error).endswith(".")


@pytest.mark.parametrize(
    ("reason", "advice"),
    [
        ("accessNotConfigured", "Enable the Google Drive API"),
        ("insufficientPermissions", "auth/drive.readonly"),
        ("domainPolicy", "Admin console"),
        ("cannotDownloadAbusiveFile", "acknowledge_abuse"),
    ],
)
def test_a_sentence_says_what_to_do(reason: str, advice: str) -> None:
    assert advice in str(error_from(403, body(reason), {}, "the file 'a.txt'"))


def test_the_first_reason_decides_when_there_are_several() -> None:
    both = {"error": {"code": 403, "errors": [{"reason": "cannotDownloadFile"}, {"reason": "rateLimitExceeded"}]}}

    assert type(error_from(403, json.dumps(both).encode(), {}, "x")) is ItemUnavailableError


@pytest.mark.parametrize(("location", "message"), [("quota.download", "x"), ("", "The download quota for this file …")])
def test_the_old_name_of_a_files_download_quota_is_no_rate_limit(location: str, message: str) -> None:
    error = error_from(403, body("quotaExceeded", message, location), {}, "x")

    assert type(error) is ItemLaterError
    assert error.reason == "downloadQuotaExceeded"


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        ({"code": 404, "status": "NOT_FOUND"}, "notFound"),
        ({"code": 403, "status": "PERMISSION_DENIED", "details": [{"reason": "SERVICE_DISABLED"}]}, "SERVICE_DISABLED"),
        ({"code": 429, "status": "RESOURCE_EXHAUSTED"}, "RESOURCE_EXHAUSTED"),
    ],
)
def test_the_newer_shape_of_errors_is_read_too(error: dict[str, object], expected: str) -> None:
    assert error_from(int(str(error["code"])), json.dumps({"error": error}).encode(), {}, "x").reason == expected


@pytest.mark.parametrize("status", [403, 404, 502, 503])
def test_html_of_a_front_end_says_nothing_about_an_item(status: int) -> None:
    error = error_from(status, b"<!DOCTYPE html><title>Error</title>", {}, "x")

    assert isinstance(error, TransientError)


def test_a_conversion_that_drive_does_not_have_is_the_items_own() -> None:
    error = error_from(400, body("badRequest", "The requested conversion is not supported."), {}, "x")

    assert type(error) is ItemUnavailableError
    assert error.reason == "fileNotExportable"


@given(status=st.integers(400, 599), text=st.binary() | st.sampled_from([b'{"error":[]}', b'{"error":"x"}', b"null"]))
def test_any_answer_gives_an_error_and_none_but_drives_own_words_blame_an_item(status: int, text: bytes) -> None:
    error = error_from(status, text, {}, "x")

    assert not isinstance(error, ItemUnavailableError)
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"Retry-After": "7"}, 7.0),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": "-3"}, None),
        ({"Retry-After": "Mon, 05 Jan 2026 10:00:09 GMT", "Date": "Mon, 05 Jan 2026 10:00:00 GMT"}, 9.0),
        ({"Retry-After": "Mon, 05 Jan 2026 10:00:00 GMT", "Date": "Mon, 05 Jan 2026 10:00:09 GMT"}, 0.0),
        ({"Retry-After": "Mon, 05 Jan 2026 10:00:09 GMT"}, None),
    ],
)
def test_retry_after_is_read_as_seconds_or_as_a_date(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after(headers) == seconds
    assert getattr(error_from(429, b"", headers, "x"), "retry_after", 0) == seconds


@pytest.mark.parametrize("code", range(1, 17))
def test_a_failed_operation_is_retried_by_its_code(code: int) -> None:
    error = operation_error({"code": code, "message": "m"}, "x")

    assert isinstance(error, TransientError) == (code in {2, 4, 8, 10, 13, 14})


@pytest.mark.parametrize("reason", sorted(_ITEM))
def test_every_reason_that_is_an_items_own_has_advice(reason):
    error = error_from(403, body(reason, "No."), {}, "the file 'a.txt'")
    assert isinstance(error, ItemUnavailableError)
    assert error.reason == reason
    assert str(error).endswith(_ITEM[reason])

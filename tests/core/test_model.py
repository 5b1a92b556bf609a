"""The nouns: what they read and write."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.drive_backup.errors import ConfigError
from include.drive_backup.handover import BatchRef, SourceTask
from include.drive_backup.model import Item, Source, floor_ms, format_instant, human_bytes, parse_instant

moments = st.datetimes(datetime(1, 1, 1), datetime(9999, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001


@given(moments)
def test_an_instant_survives_its_text_to_the_millisecond(moment):
    assert parse_instant(format_instant(moment)) == floor_ms(moment)


@given(moments, moments)
def test_instants_sort_as_text(one, other):
    assert (format_instant(one) < format_instant(other)) == (floor_ms(one) < floor_ms(other))


@pytest.mark.parametrize("text", ["", "20260301", "20260301T100000Z", "20260301T100000.000", "20261301T100000.000Z"])
def test_what_is_no_instant_is_not_taken_for_one(text):
    with pytest.raises(ValueError, match=r"instant|month"):
        parse_instant(text)


def test_an_instant_is_utc():
    assert format_instant(datetime(2026, 11, 23, 1, 2, 3, 4999, timezone(timedelta(hours=1)))) == "20261123T000203.004Z"


def test_sources_are_read_and_addresses_are_lower_case():
    assert str(Source.parse("user/Ann@Example.com")) == "user/ann@example.com"
    assert str(Source.parse("drive/0AbC")) == "drive/0AbC"
    assert str(Source.parse("folder/1x")) == "folder/1x"


@pytest.mark.parametrize("text", ["", "user", "user/", "users/a", "user/a/b", "drive/a b"])
def test_what_is_no_source_is_refused_with_what_is_allowed(text):
    with pytest.raises(ConfigError, match="user/<email address>"):
        Source.parse(text)


def test_an_item_is_read_as_drive_sends_it():
    item = Item.from_resource(
        {
            "id": "1",
            "name": "a/b",
            "mimeType": "text/plain",
            "size": "9007199254740993",
            "sha256Checksum": "AB",
            "modifiedTime": "2026-01-02T03:04:05.678Z",
            "capabilities": {"canDownload": False},
        }
    )
    assert (item.size, item.sha256, item.can_download, item.kind) == (9007199254740993, "ab", False, "file")
    assert item.modified == datetime(2026, 1, 2, 3, 4, 5, 678000, UTC)


@pytest.mark.parametrize(
    ("mime_type", "kind"),
    [
        ("application/vnd.google-apps.folder", "folder"),
        ("application/vnd.google-apps.shortcut", "shortcut"),
        ("application/vnd.google-apps.drive-sdk.123", "shortcut"),
        ("application/vnd.google-apps.document", "native"),
        ("application/pdf", "file"),
    ],
)
def test_kinds(mime_type, kind):
    assert Item(id="1", name="x", mime_type=mime_type).kind == kind


def test_the_name_of_a_batch_is_readable():
    task = SourceTask(source="user/ann@example.com", instant="i", run="r")
    batch = BatchRef(task=task, plan="p", number=3, of=12, parts=1, files=214, bytes=1_200_000_000)
    assert batch.label == "user/ann@example.com · batch 3 of 12 · 214 files · 1.2 GB"
    assert BatchRef.from_dict(batch.to_dict()) == batch


@pytest.mark.parametrize(("count", "text"), [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (5e15, "5000.0 TB")])
def test_bytes_for_people(count, text):
    assert human_bytes(count) == text

"""Each native has the formats that the settings name, in the spelling that Drive offers."""

import pytest

from include.drive_backup.errors import ConfigError
from include.drive_backup.exports import DEFAULT_FORMATS, EXPORT_FORMATS, MIME_TYPES, check_formats
from include.drive_backup.planning.exports import NoExport, exports_of
from tests.support.trees import items, native


def exports(kind, formats=None, **fields):
    return exports_of(items(native("n", kind, **fields))[0], formats or {})


def pairs(kind, formats=None, **fields):
    return [(each.format, each.mime_type) for each in exports(kind, formats, **fields)]


def test_the_defaults_are_the_office_formats():
    assert pairs("document") == [("docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document")]
    assert [name for name, _ in pairs("drawing")] == ["svg", "pdf"]
    assert pairs("script") == [("json", "application/vnd.google-apps.script+json")]


def test_a_video_of_google_vids_is_exported_as_mp4():
    assert pairs("vid") == [("mp4", "video/mp4")]


def test_a_form_is_asked_for_only_when_the_settings_say_so():
    assert "export_formats.form: [zip]" in exports("form").message
    assert pairs("form", {"form": ["zip"]}) == [("zip", "application/zip")]


def test_the_tables_agree():
    check_formats(DEFAULT_FORMATS)
    assert {name for formats in EXPORT_FORMATS.values() for name in formats} == set(MIME_TYPES)


def test_the_settings_decide_and_leave_other_types_alone():
    formats = {"document": ["pdf", "md", "pdf"]}
    assert pairs("document", formats) == [("pdf", "application/pdf"), ("md", "text/markdown")]
    assert [name for name, _ in pairs("spreadsheet", formats)] == ["xlsx"]


def test_the_spelling_of_the_items_own_export_links_is_used():
    links = {"application/x-vnd.oasis.opendocument.spreadsheet": "https://docs.google.com/x"}
    assert pairs("spreadsheet", {"spreadsheet": ["ods"]}, exportLinks=links) == [
        ("ods", "application/x-vnd.oasis.opendocument.spreadsheet")
    ]
    assert pairs("spreadsheet", {"spreadsheet": ["ods"]}) == [("ods", "application/vnd.oasis.opendocument.spreadsheet")]


@pytest.mark.parametrize("kind", ["form", "site", "map", "jam", "fusiontable", "mail-layout", "brand-new-type"])
def test_a_type_without_export_says_so(kind):
    found = exports(kind)
    assert isinstance(found, NoExport)
    assert found.reason == "notExportable"
    assert kind in found.message


def test_no_format_by_the_settings_is_said_too():
    assert exports("drawing", {"drawing": []}).reason == "exportNotConfigured"


@pytest.mark.parametrize(("formats", "named"), [({"map": ["zip"]}, "map"), ({"document": ["xlsx"]}, "xlsx")])
def test_impossible_settings_are_named(formats, named):
    with pytest.raises(ConfigError, match=named):
        check_formats(formats)

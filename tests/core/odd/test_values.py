"""What Drive says in a form that nobody can read becomes "not known", and stops nothing but itself."""

from datetime import UTC, datetime

import pytest

from include.drive_backup import values
from include.drive_backup.blob.names import content_identity
from include.drive_backup.model import Item, Revision

ODD_TIMES = [
    "0000-01-01T00:00:00Z",
    "10000-01-01T00:00:00Z",
    "",
    "2026-12-31T23:59:60Z",
    "0001-01-01T00:00:00+05:00",
    "9999-12-31T23:59:59-05:00",
    "tomorrow",
    "\ud800",
    "2" * 100_000,
    5,
    1.5,
    True,
    [],
    {},
]
ODD_NUMBERS = ["", "many", "1.5", "-1", 1.5, -1, True, [], {}, 2**63, str(2**63), "9" * 5000, "\u00b2", "1_0", " 1"]
ODD_TEXTS = [None, 5, True, [], {}, "\ud800"]
ODD_SHAPES = [None, 5, True, "text", [], [1], {}, {"a": 1}, [[]], [None]]


@pytest.mark.parametrize("claim", ODD_TIMES)
@pytest.mark.parametrize("field", ["createdTime", "modifiedTime"])
def test_a_time_that_cannot_be_read_is_not_known(field, claim):
    item = Item.from_resource({"id": "1", field: claim})
    assert (item.created, item.modified) == (None, None)
    assert item.resource[field] is claim


def test_a_time_without_a_zone_is_utc_whatever_the_machine():
    assert values.read_time("2026-01-01T00:00:00") == datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize("claim", ODD_NUMBERS)
def test_a_number_that_cannot_be_read_is_not_known(claim):
    item = Item.from_resource({"id": "1", "size": claim, "version": claim})
    assert (item.size, item.version) == (None, None)


@pytest.mark.parametrize("claim", ODD_TEXTS)
def test_a_text_that_is_none_is_not_known(claim):
    keys = ("mimeType", "md5Checksum", "sha256Checksum", "headRevisionId", "driveId", "resourceKey")
    item = Item.from_resource({"id": "1", **dict.fromkeys(keys, claim)})
    assert (item.mime_type, item.kind) == ("application/octet-stream", "file")
    assert {item.md5, item.sha256, item.head_revision_id, item.drive_id, item.resource_key} == {None}


@pytest.mark.parametrize("claim", [None, 5, True, [], {}])
def test_a_name_that_is_no_text_is_empty(claim):
    assert Item.from_resource({"id": "1", "name": claim}).name == ""


@pytest.mark.parametrize("claim", ODD_SHAPES)
def test_parents_rights_owners_and_links_of_another_shape_are_not_known(claim):
    keys = ("parents", "capabilities", "owners", "exportLinks", "shortcutDetails")
    item = Item.from_resource({"id": "1", **dict.fromkeys(keys, claim)})
    assert (item.can_download, item.can_list_children, item.may("canReadRevisions")) == (None, None, None)
    assert (item.parents, item.export_links) == ((), {})
    assert item.owner is None


@pytest.mark.parametrize("claim", ["false", "true", 0, 1, [], {}])
def test_only_true_is_in_the_trash(claim):
    assert not Item.from_resource({"id": "1", "trashed": claim}).trashed


@pytest.mark.parametrize("resource", [None, 5, "text", [], {}, {"id": None}, {"id": ""}, {"id": 5}, {"id": "\ud800"}])
def test_what_has_no_id_is_not_an_item(resource):
    with pytest.raises(ValueError, match="id"):
        Item.from_resource(resource)


@pytest.mark.parametrize("ident", [".", "..", "a\nb", "a\0b", "x" * 2000])
def test_an_id_that_no_address_can_hold_is_not_an_id(ident):
    with pytest.raises(ValueError, match="id"):
        Item.from_resource({"id": ident})


@pytest.mark.parametrize("claim", ODD_TIMES)
def test_a_revision_needs_a_time(claim):
    with pytest.raises(ValueError, match="time"):
        Revision.from_resource({"id": "1", "modifiedTime": claim})


@pytest.mark.parametrize("claim", ODD_NUMBERS)
def test_a_revision_with_an_odd_size_is_one(claim):
    revision = Revision.from_resource({"id": "1", "modifiedTime": "2026-01-01T00:00:00Z", "size": claim})
    assert revision.size is None


NATIVE = {"id": "1", "mimeType": "application/vnd.google-apps.document"}


@pytest.mark.parametrize("claim", ODD_TIMES)
def test_a_document_without_a_readable_time_is_another_one_when_its_version_grows(claim):
    old, new = (Item.from_resource({**NATIVE, "modifiedTime": claim, "version": each}) for each in ("1", "2"))
    assert content_identity(old) != content_identity(new)


def test_a_document_without_readable_time_and_version_is_another_one_when_either_changes():
    claims = [("never", "x"), ("never", "y"), ("later", "x")]
    made = [Item.from_resource({**NATIVE, "modifiedTime": time, "version": version}) for time, version in claims]
    assert len({content_identity(each) for each in made}) == 3

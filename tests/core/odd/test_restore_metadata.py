"""What Drive said in an odd form is not sent back to it, where it would refuse the whole item."""

from datetime import UTC, datetime

import pytest

from include.drive_backup.model import CopyOrder, Item
from include.drive_backup.restore.drive_metadata import metadata_of, permissions_to_give
from include.drive_backup.transfer.details import save_details
from tests.core.odd.test_values import ODD_SHAPES, ODD_TIMES
from tests.support.fake_drive import FakeDrive

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize("claim", [each for each in ODD_TIMES if each])
def test_times(claim):
    item = Item.from_resource({"id": "1", "createdTime": claim, "modifiedTime": claim})
    assert not {"createdTime", "modifiedTime"} & metadata_of(item, "p", {}).keys()
    assert permissions_to_give([{"type": "user", "role": "reader", "expirationTime": claim}], NOW) == []


@pytest.mark.parametrize("claim", [5, True, [], [1], {"a": 1}, [[]]])
def test_shapes(claim):
    keys = ("description", "properties", "starred", "folderColorRgb", "appProperties")
    made = metadata_of(Item.from_resource({"id": "1", **dict.fromkeys(keys, claim)}), "p", {"mark": "m"})
    assert made["appProperties"] == {"mark": "m"}
    assert not {"description", "properties", "folderColorRgb"} & made.keys()
    assert made.get("starred") in (None, True)


@pytest.mark.parametrize("claim", ODD_SHAPES)
def test_permissions(claim):
    saved = [{"type": "user", "role": "reader", "emailAddress": "bob@example.com", "permissionDetails": claim}]
    assert len(permissions_to_give(saved, NOW)) == 1


async def test_details_with_text_that_is_no_unicode():
    drive = FakeDrive()
    drive.kept["1", "comments"] = [{"content": "\ud800"}]
    item = Item.from_resource({"id": "1"})
    result = await save_details(drive, CopyOrder(item=item, path="x", blob="", format="details", details=("comments",)))
    assert result.details == {"comments": [{"content": "\ud800"}]}

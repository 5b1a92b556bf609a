"""What has bytes is not decided by the name of a type, nor how many by what Drive says."""

import pytest

from include.drive_backup.exports import MIME_TYPES
from tests.support.claims import Nights
from tests.support.trees import file, native

APPS = "application/vnd.google-apps."


@pytest.mark.parametrize(
    "kind", ["photo", "video", "file", "unknown", "drive-sdk", "drive-sdk.123", "shortcut", "form"]
)
async def test_what_has_a_checksum_is_saved_whatever_its_type_is_called(kind):
    nights = Nights(file("f", b"bytes", id="f"))
    nights.drive.items["f"]["mimeType"] = APPS + kind
    row = (await nights.night())["f"]
    assert (row["kind"], row["data"], row["outcome"]) == ("file", b"bytes", "copied")


async def test_a_new_type_is_exported_as_what_drive_offers_of_it():
    links = {MIME_TYPES["pdf"][0]: "https://docs.google.com/x"}
    nights = Nights(native("n", "hologram", content=b"%PDF-", id="n", exportLinks=links))
    row = (await nights.night())["n"]
    assert ([content["format"] for content in row["contents"]], row["outcome"]) == (["pdf"], "copied")


async def test_a_new_type_without_anything_says_that_nobody_knows_it():
    nights = Nights(native("n", "hologram", id="n"))
    row = (await nights.night())["n"]
    assert (row["outcome"], row["reason"]) == ("unavailable", "notExportable")
    assert "does not know" in row["message"]


@pytest.mark.parametrize("size", ["3", "999"])
async def test_a_size_that_lies_is_said_and_never_stored_as_good(size):
    nights = Nights(file("f", b"bytes", id="f", size=size))
    plan, (batch,) = await nights.backup.plan("2026-03-01")
    with pytest.raises(Exception, match="could not be copied"):
        await nights.backup.copy(batch)
    row = (await nights.rows(await nights.backup.commit(plan)))["f"]
    assert (row["outcome"], row["reason"], row["data"]) == ("failed", "checksumMismatch", None)
    assert nights.summary["status"] == "partial"


@pytest.mark.parametrize("size", ["0", "1", None, "999999999999"])
async def test_the_size_of_a_document_says_nothing_of_its_export(size):
    nights = Nights(native("Plan", content=b"exported", id="plan", size=size))
    assert (await nights.night())["plan"]["data"] == b"exported"

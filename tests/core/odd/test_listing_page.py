"""One odd item on a page of Drive's: all the others are saved and come back byte for byte, and the run ends."""

import asyncio
import json
import tempfile
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from include.drive_backup.blob.names import parse_snapshot
from include.drive_backup.drive.client import _decode
from include.drive_backup.drive.source import _read_page
from include.drive_backup.errors import TransientError
from include.drive_backup.manifest.compare import compare
from include.drive_backup.manifest.repository import SnapshotRepository
from include.drive_backup.model import Item, Source
from include.drive_backup.planning.witnesses import _witness
from include.drive_backup.restore.local import LocalFolder
from include.drive_backup.restore.naming import local_names
from include.drive_backup.restore.run import restore
from include.drive_backup.restore.selection import Selection, drive_rows, select
from tests.core.odd.test_values import ODD_NUMBERS, ODD_TIMES
from tests.support.examples import share_of
from tests.support.fake_drive import FakeDrive
from tests.support.flow import Backup
from tests.support.trees import file, folder, native, tree

ANN = Source.parse("user/ann@example.com")
GOOD = (
    folder("Reports", file("q1.pdf", b"first quarter", id="q1"), native("Plan", content=b"plan", id="plan"), id="rep"),
    file("a.txt", b"alpha", id="a"),
)
CONTENT = {"Reports/q1.pdf": b"first quarter", "Reports/Plan.docx": b"plan", "a.txt": b"alpha"}
FIELDS = sorted(
    {
        *tree(file("x", b"x"))[0],
        *("owners", "ownedByMe", "capabilities", "permissions", "exportLinks", "driveId", "resourceKey", "shared"),
        *("trashedTime", "explicitlyTrashed", "shortcutDetails", "properties", "appProperties", "description"),
        *("starred", "folderColorRgb", "hasAugmentedPermissions"),
    }
)

texts = st.text(st.characters(exclude_categories=[]), max_size=20)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | texts,
    lambda inside: st.lists(inside, max_size=3) | st.dictionaries(texts, inside, max_size=3),
    max_leaves=6,
)
known_odd = st.sampled_from(
    [*ODD_TIMES, *ODD_NUMBERS, "n" * 1_000_000, "a\0b", "..", "~orphans", {"canDownload": "no"}]
)


class PagedDrive(FakeDrive):
    """Its listing is the JSON of Drive's pages, read as the real client reads it."""

    def __init__(self, *entries, odd):
        super().__init__(*entries)
        self.odd = odd

    async def list_items(self, source):
        body = json.dumps({"files": [*self.items.values(), self.odd]}).encode()
        yield _read_page(_decode(body))

    def _known(self, ident):
        return self.odd if isinstance(self.odd, dict) and self.odd.get("id") == ident else super()._known(ident)


def odd_one(base, field, value):
    [resource] = tree(base)
    return {**resource, field: value}


async def saved_and_restored(odd):
    """Back up twice and restore; the snapshot's summary."""
    drive = PagedDrive(*GOOD, odd=odd)
    drive.contents |= {"odd": b"odd bytes"}
    backup = Backup(drive)
    first, summary = await one_run(backup, "2026-03-01"), await one_run(backup, "2026-03-02")
    await read_every_way(backup, first, summary)
    with tempfile.TemporaryDirectory() as place:
        manifest = await SnapshotRepository(backup.store).read(_name(summary))
        wanted = await select(backup.store, manifest, Selection())
        folder_ = LocalFolder(Path(place), local_names(wanted.values()), backup.store)
        await restore(backup.store, manifest, wanted, folder_, lambda _: None)
        for path, content in CONTENT.items():
            assert (Path(place) / path).read_bytes() == content
    return summary


async def one_run(backup, instant):
    plan, batches = await backup.plan(instant, formats={"document": ["docx"]})
    for batch in batches:
        # What is odd of the one item may be its checksum: then it is the one that fails.
        with suppress(TransientError):
            await backup.copy(batch)
    return await backup.commit(plan)


async def read_every_way(backup, first, second):
    store, repository = backup.store, SnapshotRepository(backup.store)
    one, two = await repository.read(_name(first)), await repository.read(_name(second))
    assert [change async for change in compare(store, one, two, {})] == []
    assert [path async for path, _ in drive_rows(store, two, ["item_id"], pytest.fail)]
    for row in (await backup.rows(second)).values():
        _witness(row, two)


def _name(summary):
    return parse_snapshot(summary["manifest"])


BASES = st.sampled_from([file("odd", b"odd bytes", id="odd"), native("odd", id="odd"), folder("odd", id="odd")])


@settings(max_examples=share_of(150), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(BASES, st.sampled_from(FIELDS), known_odd | json_values)
@example(file("odd", b"", id="odd"), "modifiedTime", ODD_TIMES[0])
@example(file("odd", b"", id="odd"), "modifiedTime", ODD_TIMES[1])
@example(file("odd", b"", id="odd"), "modifiedTime", ODD_TIMES[2])
@example(file("odd", b"", id="odd"), "modifiedTime", ODD_TIMES[3])
@example(file("odd", b"", id="odd"), "modifiedTime", ODD_TIMES[4])
@example(file("odd", b"", id="odd"), "size", "many")
@example(file("odd", b"", id="odd"), "size", 2**70)
@example(file("odd", b"", id="odd"), "headRevisionId", "h" * 100_000)
@example(file("odd", b"", id="odd"), "mimeType", "m" * 100_000)
@example(file("odd", b"", id="odd"), "description", 1e308 * 10)
@example(file("odd", b"", id="odd"), "explicitlyTrashed", "yes")
def test_any_value_in_any_field_stops_no_other_item(base, field, value):
    summary = asyncio.run(saved_and_restored(odd_one(base, field, value)))
    assert summary["items"] >= 4


@settings(max_examples=share_of(60), deadline=None)
@given(json_values)
def test_any_value_instead_of_an_item_stops_no_other_item(value):
    summary = asyncio.run(saved_and_restored(value))
    assert summary["items"] >= 4


@pytest.mark.parametrize("odd", [None, 5, "text", [], {}, {"id": None, "name": "x"}])
async def test_what_is_no_item_makes_the_listing_incomplete(odd, caplog):
    summary = await saved_and_restored(odd)
    assert summary["items"] == 4
    assert not summary["listing_complete"]
    assert "without an id" in caplog.text


def test_a_number_that_python_does_not_read_spoils_no_page():
    page = _read_page(_decode(b'{"files": [{"id": "a", "x": %s}, {"id": "b", "x": 1e999}]}' % (b"1" * 5000)))
    assert [item.id for item in page.items] == ["a", "b"]


def test_a_byte_that_is_no_utf_8_spoils_no_page():
    body = json.dumps({"files": tree(*GOOD)}).encode().replace(b"q1.pdf", b"q\xff.pdf")
    page = _read_page(_decode(body))
    assert [item.name for item in page.items if item.id == "q1"] == ["q\ufffd.pdf"]
    assert not page.incomplete


async def test_a_document_whose_time_cannot_be_read_is_copied_again_when_it_changes():
    drive = FakeDrive(native("Plan", content=b"v1", id="plan", modifiedTime="0000-00-00T00:00:00Z"))
    backup = Backup(drive)
    await backup.run(formats={"document": ["docx"]})
    drive.write("plan", b"v2", "0000-00-00T00:00:00Z")
    summary = await backup.run("2026-03-02", formats={"document": ["docx"]})
    assert await backup.restored(summary) == {"plan": b"v2"}
    assert isinstance(Item.from_resource(drive.items["plan"]).version, str)

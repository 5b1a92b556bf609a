"""What becomes of one item, case by case."""

from datetime import timedelta

import pytest
from msgspec.structs import replace

from include.drive_backup.blob.metadata import content_metadata
from include.drive_backup.blob.names import parse_content
from include.drive_backup.model import Item, Source, StoredContent
from include.drive_backup.planning.decide import Place, Rules, created_later, decide
from include.drive_backup.planning.stored import StoredIndex
from include.drive_backup.ports import BlobInfo
from tests.support.fake_drive import at
from tests.support.trees import checksums, file, folder, items, native, shortcut

SOURCE = Source.parse("user/ann@example.com")
T = at("2026-03-01")
PLACE = Place(folders=("A",), segment="x.txt")
RULES = Rules(source=SOURCE, instant=T, now=at("2026-03-02"), export_formats={})


def one(entry) -> Item:
    return items(entry)[0]


def stored_of(*decisions, written="2026-02-15", read=None, **tampered) -> StoredIndex:
    """The index after the orders of some decisions were carried out."""
    index = StoredIndex()
    for decision in decisions:
        for order in decision.orders:
            index.add(blob_of(order, written, read, **tampered))
    return index


def blob_of(order, written, read=None, **tampered) -> BlobInfo:
    md5, sha256 = order.item.md5 or "a" * 32, order.item.sha256 or "b" * 64
    content = StoredContent(
        blob=order.blob, format=order.format, mime_type="x/y", size=order.item.size or 7, md5=md5, sha256=sha256
    )
    info = BlobInfo(
        name=order.blob,
        size=content.size,
        md5=md5,
        content_type="x/y",
        metadata=content_metadata(order, content, read=at(read or written)),
        modified=at(written),
    )
    return replace(info, **tampered)


def test_a_new_file_is_copied():
    decision = decide(one(file("x.txt", b"abc")), PLACE, StoredIndex(), RULES)
    (order,) = decision.orders
    assert (decision.row.outcome, decision.row.copies, decision.row.fidelity) == (None, 1, "exact")
    assert decision.row.path == order.path == "A/x.txt"
    name = parse_content(order.blob)
    assert (name.folders, name.segment, name.extension) == (("A",), "x.txt", ".txt")


def test_an_order_is_light_and_still_says_who_may_acknowledge_abuse():
    entry = file("x", b"abc", ownedByMe=True, capabilities={"canDelete": True}, description="long" * 1000)
    (order,) = decide(one(entry), PLACE, StoredIndex(), RULES).orders
    assert order.item.resource == {"ownedByMe": True, "capabilities": {"canDelete": True}}


def test_a_stored_file_is_unchanged_also_when_it_was_renamed_or_touched():
    first = decide(one(file("x.txt", b"abc")), PLACE, StoredIndex(), RULES)
    later = one(file("y.txt", b"abc", modifiedTime="2026-02-09T00:00:00.000Z", version="9"))
    again = decide(later, Place(folders=("B", "C"), segment="y.txt"), stored_of(first), RULES)
    assert (again.row.outcome, again.orders) == ("unchanged", ())
    assert again.row.contents[0].blob == first.orders[0].blob
    assert again.row.path == "B/C/y.txt"


def test_changed_content_is_copied_to_a_name_of_its_own():
    first = decide(one(file("x.txt", b"abc")), PLACE, StoredIndex(), RULES)
    again = decide(one(file("x.txt", b"abd")), PLACE, stored_of(first), RULES)
    assert again.orders[0].blob != first.orders[0].blob


def test_the_same_bytes_of_another_file_are_known():
    first = decide(one(file("x.txt", b"abc", id="one")), PLACE, StoredIndex(), RULES)
    again = decide(one(file("copy.txt", b"abc", id="two")), PLACE, stored_of(first), RULES)
    assert (again.row.outcome, again.orders) == ("known", ())
    assert again.row.contents[0].blob == first.orders[0].blob


def test_equal_md5_and_size_alone_do_not_make_another_file_known():
    first = decide(one(file("x.txt", b"abc", id="one")), PLACE, StoredIndex(), RULES)
    weak = one(file("y.txt", b"abc", id="two", sha256Checksum=None))
    assert len(decide(weak, PLACE, stored_of(first), RULES).orders) == 1


@pytest.mark.parametrize(
    "damage", [{"size": 2}, {"md5": "f" * 32}, {"md5": None}, {"metadata": {}}, {"name": "content/odd"}]
)
def test_a_damaged_blob_does_not_count(damage):
    first = decide(one(file("x.txt", b"abc")), PLACE, StoredIndex(), RULES)
    assert len(decide(one(file("x.txt", b"abc")), PLACE, stored_of(first, **damage), RULES).orders) == 1


@pytest.mark.parametrize("entry", [folder("F"), shortcut("s", "f9"), native("third", "drive-sdk.123")])
def test_what_has_no_content_is_metadata(entry):
    decision = decide(one(entry), PLACE, StoredIndex(), RULES)
    assert (decision.row.outcome, decision.row.fidelity, decision.orders) == ("metadata", "exact", ())


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        (file("x", b"abc", capabilities={"canDownload": False}), "cannotDownloadFile"),
        (native("x", capabilities={"canDownload": False}), "cannotDownloadFile"),
        (folder("x", capabilities={"canListChildren": False}), "cannotListChildren"),
        (native("x", "form"), "notExportable"),
    ],
)
def test_what_drive_will_not_give_is_a_gap_with_a_reason(entry, reason):
    row = decide(one(entry), PLACE, StoredIndex(), RULES).row
    assert (row.outcome, row.fidelity, row.reason) == ("unavailable", "unavailable", reason)
    assert row.message.endswith(".")


def test_a_file_that_may_no_longer_be_downloaded_stays_saved():
    first = decide(one(file("x.txt", b"abc")), PLACE, StoredIndex(), RULES)
    now = one(file("x.txt", b"abc", capabilities={"canDownload": False}))
    assert decide(now, PLACE, stored_of(first), RULES).row.outcome == "unchanged"


def test_a_native_has_an_order_per_format_and_copies_only_what_is_missing():
    rules = replace(RULES, export_formats={"document": ["docx", "pdf"]})
    first = decide(one(native("Plan")), PLACE, StoredIndex(), RULES)
    both = decide(one(native("Plan")), PLACE, stored_of(first), rules)
    assert [order.format for order in both.orders] == ["pdf"]
    assert both.orders[0].export_mime_type == "application/pdf"
    assert [content.format for content in both.row.contents] == ["docx"]
    assert (both.row.outcome, both.row.copies) == (None, 1)
    edited = decide(one(native("Plan", modifiedTime="2026-02-20T00:00:00.000Z")), PLACE, stored_of(both), rules)
    assert len(edited.orders) == 2


def test_a_head_from_after_the_instant_is_said_to_be_later():
    item = one(file("x", b"abc", modifiedTime="2026-03-01T00:00:00.001Z"))
    decision = decide(item, PLACE, StoredIndex(), RULES)
    assert decision.row.fidelity == decision.orders[0].fidelity == "head-later"
    on_time = one(file("x", b"abc", modifiedTime="2026-03-01T00:00:00.000Z"))
    assert decide(on_time, PLACE, StoredIndex(), RULES).row.fidelity == "exact"


@pytest.mark.parametrize(("written", "fidelity"), [("2026-03-01T01:00", "exact"), ("2026-02-28", "head-later")])
def test_a_version_stored_after_the_instant_and_modified_before_is_the_one_of_the_instant(written, fidelity):
    before = decide(one(file("x", b"at T")), PLACE, StoredIndex(), RULES)
    changed = one(file("x", b"later!", modifiedTime="2026-03-01T12:00:00.000Z"))
    decision = decide(changed, PLACE, stored_of(before, written=written), RULES)
    assert decision.row.fidelity == fidelity
    if fidelity == "exact":
        assert decision.row.contents[0].blob == before.orders[0].blob
        assert decision.row.item.modified == before.row.item.modified
        assert decision.row.item.md5 == checksums(b"at T")["md5Checksum"]
        assert decision.row.item.resource == changed.resource
        assert decision.orders == ()


def test_a_version_from_after_the_instant_is_never_taken_for_the_one_of_the_instant():
    between = one(file("x", b"after T", modifiedTime="2026-03-01T06:00:00.000Z"))
    stored = stored_of(decide(between, PLACE, StoredIndex(), RULES), written="2026-03-01T07:00")
    changed = one(file("x", b"later!", modifiedTime="2026-03-01T12:00:00.000Z"))
    decision = decide(changed, PLACE, stored, RULES)
    assert (decision.row.fidelity, len(decision.orders)) == ("head-later", 1)


@pytest.mark.parametrize("known", ["md5", "sha256", "size", "id", "format"])
def test_a_blob_of_the_right_name_that_is_another_content_does_not_count(known):
    bare = {"sha256Checksum": None} if known == "md5" else {}
    (order,) = decide(one(file("x.txt", b"abc", **bare)), PLACE, StoredIndex(), RULES).orders
    other = {"md5": "0" * 32, "sha256": "0" * 64, "size": 4, "id": "other"}
    wrong = replace(order.item, **{known: other[known]}) if known in other else order.item
    index = StoredIndex()
    index.add(blob_of(replace(order, item=wrong, format="pdf" if known == "format" else "original"), "2026-02-15"))
    assert len(index) == 1
    decision = decide(order.item, PLACE, index, RULES)
    assert decision.row.outcome in {None, "known"}
    assert decision.row.outcome is None or known == "id"


def test_a_download_that_may_have_begun_before_the_instant_proves_nothing():
    big = one(file("x", b"at T", size=str(10 * 10**9)))
    before = decide(big, PLACE, StoredIndex(), RULES)
    changed = one(file("x", b"later", modifiedTime="2026-03-01T12:00:00.000Z"))
    stored = stored_of(before, written="2026-03-01T01:00", read="2026-02-28T23:59")
    assert decide(changed, PLACE, stored, RULES).row.fidelity == "head-later"


def test_what_was_created_after_the_instant_is_left_out_but_an_impossible_date_is_not_believed():
    assert not created_later(T, RULES)
    assert created_later(T + timedelta(milliseconds=1), RULES)
    assert not created_later(at("2030-01-01"), RULES)
    assert not created_later(None, RULES)

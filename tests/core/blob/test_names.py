"""The layout of the container."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.drive_backup.blob import names
from include.drive_backup.blob.rules import check_name
from include.drive_backup.blob.segments import encode_segment, units
from include.drive_backup.model import FOLDER, Item, Series, Source

ANN = Source(kind="user", id="ann@example.com")
T = datetime(2026, 11, 23, 10, 11, 12, 345678, tzinfo=UTC)
SEGMENTS = st.text(st.characters(codec=None), max_size=60).map(encode_segment)
PATHS = st.lists(SEGMENTS, max_size=8).map(tuple) | st.integers(0, 400).map(lambda depth: ("d",) * depth)
CONTENT = "0123456789abcdef"


def test_a_content_blob_reads_like_the_drive():
    name = names.content_blob(ANN, ("Projects", "2026"), "plan.pdf", T, CONTENT, "pdf")
    assert name == ("content/user/ann@example.com/Projects/2026/plan.pdf/20261123T101112.345Z-0123456789abcdef.pdf")


@given(PATHS, SEGMENTS, st.none() | st.just(T), st.sampled_from(["", ".docx", "x y", "tar.gz"]))
def test_content_names_are_accepted_and_parse_back(folders, segment, modified, extension):
    name = names.content_blob(ANN, folders, segment, modified, CONTENT, extension)
    check_name(name)
    assert units(name) <= names.MAX_NAME
    assert name.count("/") < names.MAX_SEGMENTS
    parsed = names.parse_content(name)
    assert parsed is not None
    assert (parsed.source, parsed.segment, parsed.content_id) == (ANN, segment, CONTENT)
    assert parsed.modified == (None if modified is None else T.replace(microsecond=345000))
    if sum(map(len, folders)) < 300 and len(folders) < 100:
        assert parsed.folders == folders


@given(st.lists(st.tuples(PATHS, SEGMENTS), min_size=2, max_size=2, unique=True))
def test_different_paths_have_different_names(places):
    one, two = (names.content_blob(ANN, folders, segment, T, CONTENT) for folders, segment in places)
    assert one != two


def test_deep_and_long_paths_keep_their_top_and_stay_apart():
    long = tuple(f"folder {number} " + "x" * 100 for number in range(50))
    other = (*long[:-1], "elsewhere")
    one, two = (names.content_blob(ANN, path, "f", T, CONTENT) for path in (long, other))
    assert one != two
    assert one.startswith(f"content/user/ann@example.com/{long[0]}/{long[1]}/")


def test_a_name_is_never_longer_than_allowed_and_never_shortened_without_need():
    for number in range(100, 240):
        folders = ("abc",) * number
        name = names.content_blob(ANN, folders, "f", T, CONTENT)
        whole = f"content/user/ann@example.com/{'abc/' * number}f/20261123T101112.345Z-{CONTENT}"
        assert units(name) <= names.MAX_NAME
        assert (name == whole) == (units(whole) <= names.MAX_NAME)


def test_foreign_names_are_none_of_ours():
    for name in ("content/x", "content/user/a/b", "x/user/a/f/20261123T101112.345Z-0123456789abcdef", "content//a/b/c"):
        assert names.parse_content(name) is None
    for name in (
        "snapshots/user/a/job/20261123T000000.000Z.1/manifest.json",
        "snapshots/user/a/job/now/manifest.json",
        "snapshots/user/a/20261123T000000.000Z/manifest.json",
        "snapshots/user/a/a job/20261123T000000.000Z/manifest.json",
    ):
        assert names.parse_snapshot(name) is None


@pytest.mark.parametrize("job", ["default", "my-job_2", "default~0123abcd"])
def test_snapshot_names_parse_back(job):
    series = Series(source=ANN, name=job)
    for generation, folder in ((1, "20261123T000000.000Z"), (12, "20261123T000000.000Z.12")):
        name = names.SnapshotName(series=series, instant="20261123T000000.000Z", generation=generation)
        assert name.manifest == f"snapshots/user/ann@example.com/{series.name}/{folder}/manifest.json"
        assert name.part(3) == f"snapshots/user/ann@example.com/{series.name}/{folder}/items-00003.parquet"
        assert name.key == f"{series.name}/{folder}"
        assert names.parse_snapshot(name.manifest) == name
        assert names.parse_snapshot(name.part(0)) == name


def test_work_and_locks():
    assert names.work_prefix(ANN, "manual__2026-11-23T00:00:00+00:00", "t1") == (
        "work/user/ann@example.com/manual__2026-11-23T00:00:00+00:00/t1"
    )
    assert names.work_prefix(ANN, "a/../b.", "t") == "work/user/ann@example.com/a%2F..%2Fb%2E/t"
    assert names.lock_name(Source(kind="drive", id="0A/.."), 7) == "locks/drive/0A%2F.%2E/0000000007"


def test_a_source_with_an_odd_id_stays_inside_its_folder():
    assert names.content_prefix(Source(kind="user", id="..")) == "content/user/%2E%2E/"


def test_extensions():
    assert names.extension_of("report.final.PDF") == ".PDF"
    assert names.extension_of("no extension") == ""
    assert names.extension_of("strange.e x t") == ""
    assert names.extension_of("Plan", "docx") == ".docx"


def item(**changes):
    return Item(
        **({"id": "f1", "name": "n", "mime_type": "text/plain", "modified": T, "size": 3, "version": "7"} | changes)
    )


def test_the_content_id_follows_the_bytes_and_nothing_else():
    same = names.content_id(item(sha256="aa", md5="bb"), "original")
    assert same == names.content_id(item(sha256="aa", md5="cc", name="renamed", version="9"), "original")
    others = [
        item(sha256="ab"),
        item(sha256="aa", id="f2"),
        item(md5="bb"),
        item(md5="bb", size=4),
        item(head_revision_id="r1"),
        item(),
        item(version="8"),
        item(modified=None),
    ]
    ids = {same, *(names.content_id(other, "original") for other in others), names.content_id(others[0], "pdf")}
    assert len(ids) == len(others) + 2
    assert all(len(ident) == 16 for ident in ids)


def test_a_native_is_told_by_its_modified_time():
    doc = {"mime_type": "application/vnd.google-apps.document", "md5": None, "size": 10}
    one = names.content_id(item(**doc, version="1"), "docx")
    assert one == names.content_id(item(**doc | {"size": 11}, version="2"), "docx")
    assert one != names.content_id(item(**doc, version="1"), "pdf")
    assert one != names.content_id(item(**doc, modified=T.replace(year=2027)), "docx")
    assert names.content_identity(item(mime_type=FOLDER)).startswith("state:")

"""Globs mean what they mean in a .gitignore file."""

import pytest

from include.drive_backup.blob.segments import encode_segment
from include.drive_backup.errors import ConfigError
from include.drive_backup.handover import Filters, SourceTask
from include.drive_backup.paths import ItemPath
from include.drive_backup.planning.filters import ItemFilter, PathFilter, left_out
from tests.core.planning.test_tree import build
from tests.support.trees import ROOT, file, folder, items, native, shortcut

ENTRIES = (
    folder("Archive", file("old.txt", id="old"), folder("2020", file("a.tmp", id="tmp"), id="y2020"), id="archive"),
    folder("Reports", file("q1.pdf", id="q1"), file("q1.tmp", id="q1tmp"), id="reports"),
    file("top.txt", id="top"),
    folder("Empty", id="empty"),
)


def kept(include=(), exclude=()):
    return wanted(SourceTask(source="user/me", instant="", run="r", include=include, exclude=exclude))


def wanted(task, *entries):
    """The ids of what is left of some entries."""
    tree, judge = build(*(entries or ENTRIES)), ItemFilter(task.filters)
    refused = {item.id: judge.refuses(item) for item in items(*(entries or ENTRIES)) if judge.refuses(item)}
    return set(tree) - left_out(tree, task, refused).keys()


def test_without_globs_everything_is_wanted():
    assert kept() == {"archive", "old", "y2020", "tmp", "reports", "q1", "q1tmp", "top", "empty"}


def test_an_excluded_folder_takes_everything_below_it():
    assert kept(exclude=["Archive/"]) == {"reports", "q1", "q1tmp", "top", "empty"}


def test_a_name_glob_matches_at_any_depth():
    assert kept(exclude=["*.tmp"]) == {"archive", "old", "y2020", "reports", "q1", "top", "empty"}


def test_included_files_bring_their_folders():
    assert kept(include=["a.tmp"]) == {"archive", "y2020", "tmp"}


def test_exclude_wins_over_include():
    assert kept(include=["/Reports/**"], exclude=["*.tmp"]) == {"reports", "q1"}


def test_an_exclamation_mark_takes_back():
    assert kept(exclude=["*", "!q1.pdf"]) == {"reports", "q1"}


def test_a_leading_slash_anchors_at_the_root():
    assert "old" in kept(exclude=["/old.txt"])
    assert "old" not in kept(exclude=["old.txt"])


def filtered(*entries, **filters):
    return wanted(SourceTask(source="user/me", instant="", run="r", filters=Filters(**filters)), *entries)


def test_only_some_folders_are_wanted_with_all_below_and_what_leads_there():
    assert filtered(folders=("y2020",)) == {"archive", "y2020", "tmp"}
    assert filtered(folders=(ROOT,)) == kept()


def test_a_folder_is_left_out_by_its_id_with_all_below():
    assert filtered(exclude_folders=("archive",)) == {"reports", "q1", "q1tmp", "top", "empty"}
    assert filtered(folders=("archive",), exclude_folders=("y2020",)) == {"archive", "old"}


MEDIA = (
    folder("Media", file("film", b"x" * 900, mimeType="video/mp4", id="film"), id="media"),
    file("photo", b"x" * 100, mimeType="IMAGE/jpeg", id="photo"),
    native("Plan", size="5", id="plan"),
    shortcut("to film", "film", id="short"),
)


def test_mime_types_are_globs_without_regard_to_case_and_leave_folders_alone():
    assert filtered(*MEDIA, mime_types=("image/*",)) == {"media", "photo"}
    assert filtered(*MEDIA, exclude_mime_types=("video/*", "application/vnd.google-apps.shortcut")) == {
        "media",
        "photo",
        "plan",
    }


def test_sizes_hold_for_files_and_both_limits_are_wanted():
    assert filtered(*MEDIA, min_size=101) == {"media", "film", "plan", "short"}
    assert filtered(*MEDIA, min_size=100, max_size=100) == {"media", "photo", "plan", "short"}


def test_owners_are_globs_and_what_has_no_owner_stays():
    ours, theirs = ([{"emailAddress": f"Ann@{domain}"}] for domain in ("example.com", "example.org"))
    entries = (file("a", id="a", owners=ours), file("b", id="b", owners=theirs), file("c", id="c"))
    assert filtered(*entries, owners=("*@example.com",)) == {"a", "c"}
    assert filtered(*entries, owners=("ann@example.org",)) == {"b", "c"}


def test_only_what_was_modified_since_a_moment_is_wanted():
    entries = (
        file("old", id="old", modifiedTime="2026-01-31T23:59:59.999Z"),
        file("new", id="new", modifiedTime="2026-02-01T00:00:00.000Z"),
        file("unknown", id="unknown", modifiedTime=None),
        folder("F", id="f", modifiedTime="2020-01-01T00:00:00.000Z"),
    )
    assert filtered(*entries, modified_since="20260201T000000.000Z") == {"new", "unknown", "f"}


@pytest.mark.parametrize("name", ["./x", " x", "x\n.tmp", "a\\b", "..", "#x", "!x"])
def test_strange_names_match_as_they_are(name):
    path = ItemPath((encode_segment(name),), (name,))
    assert PathFilter(exclude=["*"]).keeps(path) is False
    assert PathFilter(exclude=["y"]).keeps(path) is True


@pytest.mark.parametrize("glob", ["[z-a]", "!", "", "# note", "[", "\\"])
@pytest.mark.parametrize("setting", ["include", "exclude"])
def test_a_bad_glob_is_named(glob, setting):
    with pytest.raises(ConfigError) as caught:
        PathFilter(**{setting: ["*.ok", glob]})
    assert f"'{glob}'" in str(caught.value)

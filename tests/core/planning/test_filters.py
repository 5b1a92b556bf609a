"""Globs mean what they mean in a .gitignore file."""

import pytest

from include.drive_backup.errors import ConfigError
from include.drive_backup.planning.filters import PathFilter
from tests.core.planning.test_tree import build
from tests.support.trees import file, folder

ENTRIES = (
    folder("Archive", file("old.txt", id="old"), folder("2020", file("a.tmp", id="tmp"), id="y2020"), id="archive"),
    folder("Reports", file("q1.pdf", id="q1"), file("q1.tmp", id="q1tmp"), id="reports"),
    file("top.txt", id="top"),
    folder("Empty", id="empty"),
)


def kept(include=(), exclude=()):
    return PathFilter(include, exclude).kept(build(*ENTRIES))


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


@pytest.mark.parametrize("name", ["./x", " x", "x\n.tmp", "a\\b", "..", "#x", "!x"])
def test_strange_names_match_as_they_are(name):
    assert PathFilter(exclude=["*"]).keeps(name, folder=False) is False
    assert PathFilter(exclude=["y"]).keeps(name, folder=False) is True


@pytest.mark.parametrize("glob", ["[z-a]", "!", "", "# note", "[", "\\"])
@pytest.mark.parametrize("setting", ["include", "exclude"])
def test_a_bad_glob_is_named(glob, setting):
    with pytest.raises(ConfigError) as caught:
        PathFilter(**{setting: ["*.ok", glob]})
    assert f"'{glob}'" in str(caught.value)

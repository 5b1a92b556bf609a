"""Links lead somewhere, and commands exist."""

import re

import pytest

from tests.docs import markdown


@pytest.mark.parametrize("name", markdown.files())
def test_relative_links_resolve(name):
    broken = [link for link in markdown.links(name) if not resolves(markdown.ROOT / name, link)]
    assert broken == []


def resolves(page, link):
    if link.startswith(("https://", "http://")):
        return True
    target, _, anchor = link.partition("#")
    path = (page.parent / target if target else page).resolve()
    return path.exists() and (not anchor or anchor in markdown.anchors(path.relative_to(markdown.ROOT).as_posix()))


def make_targets():
    makefile = (markdown.ROOT / "Makefile").read_text(encoding="utf-8")
    return set(re.findall(r"^([a-z][a-z-]*):", makefile, re.MULTILINE))


@pytest.mark.parametrize("name", markdown.files())
def test_make_targets_that_are_named_exist(name):
    # In code only: at the start of a line of a block, or in backticks; prose may "make" anything.
    text = markdown.text(name)
    named = set(re.findall(r"(?:^|`|&& )make ([a-z-]+)", text, re.MULTILINE))
    assert named - make_targets() == set()


def test_the_readme_names_the_commands_that_a_stranger_needs():
    blocks = "\n".join(markdown.fenced("README.md", "bash"))
    assert set(re.findall(r"^make ([a-z-]+)", blocks, re.MULTILINE)) == {"demo", "stop", "test"}
    assert "DRIVE_ROOT=" in blocks

"""Every `drive-backup` command that the documents show is one that the program understands."""

import re
import shlex
from pathlib import Path

import pytest
import typer

from include.drive_backup.cli.app import application

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def commands():
    """In blocks of code, and in running text; `drive-backup sources` alone is the shortest."""
    for page in PAGES:
        text = page.read_text()
        shown = re.findall(r"^(drive-backup .*)$", text, re.MULTILINE) + re.findall(r"`(drive-backup [^`]*)`", text)
        yield from ((page.name, each) for each in shown if "…" not in each)


@pytest.mark.parametrize(("page", "shown"), list(commands()))
def test_a_command_that_is_shown_can_be_typed(page, shown):
    group = typer.main.get_command(application())
    name, *arguments = shlex.split(shown, comments=True)[1:]
    command = group.commands[name]
    if arguments:
        command.make_context(name, arguments)


def test_the_runbook_shows_commands():
    assert {page for page, _ in commands()} >= {"README.md", "runbook.md"}

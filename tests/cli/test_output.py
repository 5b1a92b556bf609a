"""No id, time or name is cut or folded, in a terminal of any width and in a pipe."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from include.drive_backup.cli.output import Output
from tests.cli.nights import ANN, FIRST, SECOND, THIRD, Nights, Now

#: Also wide ones, marks of their own, and blanks that are none.
LETTERS = "aZ09 .-_/é\u0301日🙂\u00a0\u3000"
PATH = "/Reports/Budget 2026 final.xlsx"


def shown(value):
    """Blanks that are no spaces are shown by their numbers."""
    return "".join(each if each.isprintable() else f"\\x{ord(each):02x}" for each in value)


def terminal(width):
    output = Output()
    output.console = Console(file=io.StringIO(), force_terminal=True, width=width, highlight=False)
    return output


@given(
    st.integers(1, 200),
    st.lists(st.text(LETTERS, max_size=120), min_size=1, max_size=6),
)
def test_each_row_is_one_line_with_all_its_values_at_any_width(width, values):
    output = terminal(width)
    output.rows([{"id": "20261123T000000.000Z", "path": value} for value in values], ("id", "path"))
    lines = output.console.file.getvalue().split("\n")
    assert len(lines) == len(values) + 2
    for line, value in zip(lines[1:], values, strict=False):
        assert line.startswith("20261123T000000.000Z")
        assert line.endswith(shown(value).rstrip())


@given(st.integers(1, 200), st.text(LETTERS, max_size=400))
def test_a_sentence_is_one_line_at_any_width(width, text):
    output = terminal(width)
    output.say(f"DAMAGED content/{text}")
    assert output.console.file.getvalue() == f"DAMAGED content/{text}\n"


@pytest.fixture
def run(on_store, monkeypatch):
    """Runs a command as in a terminal, or a pipe, of 20 columns."""
    nights = Nights(Now("2026-03-03T05:00"))
    monkeypatch.setenv("COLUMNS", "20")

    def of(terminal, *arguments):
        if terminal:
            monkeypatch.setenv("FORCE_COLOR", "1")
            monkeypatch.setenv("NO_COLOR", "1")
        return on_store(nights.store)(*arguments)

    of.nights = nights
    return of


@pytest.mark.parametrize("terminal", [False, True])
@pytest.mark.parametrize(
    ("arguments", "whole"),
    [
        (("snapshots", ANN), (FIRST, SECOND, THIRD, "2026-03-01 00:00:00Z")),
        (("sources",), (ANN, THIRD)),
        (("ls", ANN, "/Reports"), (PATH, "2026-03-03 00:00:00Z")),
        (("find", ANN, "budget"), (PATH, FIRST, THIRD)),
        (("diff", ANN, FIRST), ("Reports/a.txt",)),
        (("doctor",), (ANN, f"The newest complete snapshot is {THIRD}, 5 hours old, and all of it is there.")),
        (("forget", ANN, "--keep-last", "1"), (f"forget  {FIRST}", f"keep    {THIRD}")),
        (("restore", ANN, "--to", "out", "--dry-run"), ("Reports/Budget 2026 final.xlsx", f"as of {THIRD}")),
    ],
)
def test_nothing_is_cut_or_folded_in_any_command(run, terminal, arguments, whole, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, out, err = run(terminal, *arguments)
    assert code == 0, err
    for text in whole:
        assert any(text in line for line in out.splitlines()), out


@pytest.mark.parametrize("terminal", [False, True])
def test_the_names_of_damaged_blobs_are_whole(run, terminal):
    run.nights.lose_content("20260303T000000.000Z-")
    run.nights.cut(FIRST)
    code, out, _ = run(terminal, "verify", ANN)
    assert code == 1
    blob = "content/user/ann@example.com/Reports/a.txt/20260303T000000.000Z-"
    assert any(blob in line and f"In {THIRD}." in line for line in out.splitlines())
    assert any(f"snapshots/{ANN}/default/{FIRST}/manifest.json" in line for line in out.splitlines())

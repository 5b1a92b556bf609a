"""Names that mean something to globs, shells, URLs, Rich, Markdown, logs or tables, all the way through the product."""

from __future__ import annotations

import asyncio
import io
import json
import re
import shlex

import pytest
from rich.console import Console
from rich.markdown import Markdown

from drive_backup_airflow.facts import fact_of
from drive_backup_airflow.operators.approve_restore import question
from include.drive_backup.errors import ItemUnavailableError, SnapshotIncompleteError
from include.drive_backup.events.envelope import make_event
from include.drive_backup.report import readable, verdict
from include.drive_backup.restore.batches import RestoreTask
from tests.cli.nights import ANN
from tests.support.fake_drive import FakeDrive, at
from tests.support.flow import Backup
from tests.support.trees import file, folder

#: Beside each hostile name there is what a careless reading of it would mean instead, or as well.
NAMES = [
    ("Invoice 3/4.pdf", "Invoice 3"),
    ("12/24 meeting", "12"),
    ("a*b.txt", "a--b.txt"),
    ("a?b.txt", "a-b.txt"),
    ("[draft].txt", "d.txt"),
    ("{a,b}.txt", "a.txt"),
    ("*", "other"),
    ("back\\slash\\*.txt", "backslash.txt"),
    ("!important.txt", "important.txt"),
    ("#hash.txt", "hash.txt"),
    ("100%.txt", "100.txt"),
    ("a%2Fb.txt", "a"),
    ("a%252Fb.txt", "a%2Fb.txt"),
    ("~", "other"),
    ("~$lock.docx", "lock.docx"),
    ("plan~f9.txt", "plan"),
    ("..", "other"),
    (".hidden", "hidden"),
    ("-rf", "rf"),
    (" leading and trailing ", "leading and trailing"),
    ("trailing dot.", "trailing dot"),
    ("no-break\u00a0blank\u00a0", "no-break blank"),
    ("\u3000wide\u3000blank", "wide blank"),
    ("9.00\u202fAM.png", "9.00 AM.png"),
    ("'single' \"double\" `back`", "single"),
    ("$(touch x) $HOME; rm -rf & | < >", "touch x"),
    ("a&b=c?d#e+f@g:h", "a&b=c"),
    ("[bold red]x[/bold red]", "x"),
    ("[link=http://x]y[/link]", "y"),
    ("**bold** _it_ [a](http://x) <b>&amp;", "bold"),
    ("``` \n# Heading\n| a | b |", "Heading"),
    ("{{ 1/0 }} {% x %}", "0"),
    ("{name} %s %(x)d", "name"),
    ('=HYPERLINK("http://x","y")', "y"),
    ('+1;@x,"y"\tz', "z"),
    ("line\nWARNING: forged", "line"),
    ("carriage\rreturn\r\n", "carriage"),
    ("vertical\x0btab\x0cform\x1cgroup\x85next", "vertical"),
    ("separator\u2028WARNING: forged\u2029end", "separator"),
    ("\x1b[2J\x1b]8;;http://x\x07red\x1b[0m", "red"),
    ("bell\x07\x00nul\x7f\x9b31m", "bell"),
    ("\u202egnp.exe\u202c", "gnp.exe"),
    ("\u2066isolated\u2069\u200f\u200e\u061c", "isolated"),
    ("zero\u200bwidth\ufeff\u2060\u00ad", "zerowidth"),
    ("👨‍👩‍👧 می‌خواهم 🏴󠁧󠁢󠁥󠁮󠁧󠁿", "👨👩👧"),
    ("Re\u0301sume\u0301 Ångström", "Resume Angstrom"),
    ("\uf8ff private \U000f0000", "private"),
    ("half \ud83d surrogate", "half"),
    ("x" * 300 + "*[a]", "x" * 300),
]
IDS = [str(number) for number in range(len(NAMES))]
#: What ends a line somewhere, or does something to a terminal, or turns the direction of writing.
FORGING = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
TOP, INNER, BESIDE, REFUSED, HELD = "top", "inner", "beside", "refused", "held"


def drive_of(name, other):
    """A file and a folder of the name, a file that Drive refuses, and beside each one the other name."""
    drive = FakeDrive(
        file(name, b"top", id=TOP),
        file(other, b"beside", id=BESIDE),
        folder("Dir", file(name, b"inner", id=INNER), file(other, b"beside too", id="b2"), id="dir"),
        folder(
            "In",
            folder(name, file("held.txt", b"held", id=HELD), id="f1"),
            folder(other, file("no.txt", b"n", id="no"), id="f2"),
            id="in",
        ),
        folder("Bad", file(name, b"refused", id=REFUSED), id="bad"),
    )
    drive.errors[REFUSED] = [
        ItemUnavailableError(f"Drive does not give '{name}'.", reason="cannotDownloadFile") for _ in range(9)
    ]
    return drive


def rows_of(run, *arguments):
    code, out, err = run("--json", *arguments)
    assert code in (0, 1), err
    return [json.loads(line) for line in out.split("\n") if line]


def lines_of(text):
    return [line for line in text.split("\n") if line]


@pytest.mark.parametrize(("name", "other"), NAMES, ids=IDS)
def test_a_path_that_is_shown_anywhere_works_everywhere(name, other, on_store, tmp_path):
    backup = Backup(drive_of(name, other))
    first = asyncio.run(backup.run())
    run = on_store(backup.store)
    shown = {row["id"]: row["path"] for row in rows_of(run, "ls", ANN, "-r")}
    assert not any(FORGING.search(path) for path in shown.values())
    assert len(set(shown.values())) == len(shown)

    # ls of a folder, and of a file
    assert [row["id"] for row in rows_of(run, "ls", ANN, shown["f1"])] == [HELD]
    for ident in (TOP, INNER, HELD):
        assert [row["id"] for row in rows_of(run, "ls", ANN, shown[ident])] == [ident]
    # what a terminal and a pipe show is what JSON has
    table = {line.split("\t")[4]: line.split("\t")[5] for line in lines_of(run("ls", ANN, "-r")[1])}
    assert table == shown
    # find: by the path, and by the name as it is in Drive
    assert TOP in {row["id"] for row in rows_of(run, "find", ANN, shown[TOP])}
    if "\ud83d" not in name:  # nobody can type that
        found = {row["id"]: row["path"] for row in rows_of(run, "find", "--", ANN, name)}
        assert {TOP, INNER}.issubset(found)
        assert found[INNER] == shown[INNER]
    # restore: the item and nothing else; from a shell, quoted
    for number, ident in enumerate((TOP, INNER, "f1")):
        paths = shlex.split(shlex.join(["--path", shown[ident]]))
        restored = rows_of(run, "restore", ANN, *paths, "--to", str(tmp_path / str(number)))
        files = {row["id"]: row["path"] for row in restored if not row["path"].endswith("/")}
        assert files == ({HELD: shown[HELD]} if ident == "f1" else {ident: shown[ident]})
    # a job that leaves it out, and one that saves it alone
    job = {"include": (), "exclude": (shown[INNER], shown["f1"], shown[TOP])}
    second = asyncio.run(backup.run("2026-03-02", **job))
    assert set(asyncio.run(backup.rows(second))) == set(shown) - {INNER, "f1", HELD, TOP}
    alone = asyncio.run(backup.run("2026-03-03", include=(shown[INNER],)))
    assert set(asyncio.run(backup.rows(alone))) == {INNER, "dir"}
    # diff
    changed = {row["id"]: row["path"] for row in rows_of(run, "diff", ANN, first["instant"], second["instant"])}
    assert changed == {ident: shown[ident] for ident in (INNER, "f1", HELD, TOP)}
    # nothing of that had to be warned of
    assert "GLOBS" not in readable([], [second, alone])


@pytest.mark.parametrize(("name", "other"), NAMES, ids=IDS)
def test_a_name_is_never_more_than_a_name_where_it_is_told(name, other, on_store, tmp_path, caplog):
    backup = Backup(drive_of(name, other))
    summary = asyncio.run(backup.run())
    run = on_store(backup.store)
    [path] = [row["path"] for row in rows_of(run, "ls", ANN, "/Bad")]

    # the report names the item as ls does, in one line
    report = readable([], [summary])
    assert path in report
    assert not any(FORGING.search(line) for line in report.split("\n"))
    assert not any(line.startswith(("WARNING", "#")) for line in report.splitlines())
    # logs
    assert f"{path}: unavailable" in caplog.text
    for record in caplog.records:
        assert not FORGING.search(record.getMessage())
    # commands: no line on a terminal or in a pipe is of the name's making
    for arguments in (("ls", ANN, "-r"), ("find", ANN, path), ("restore", ANN, "--to", str(tmp_path), "--dry-run")):
        _, out, err = run(*arguments)
        for line in lines_of(out) + lines_of(err):
            assert not FORGING.search(line.replace("\t", ""))
    _, out, err = run("restore", ANN, f"--path={name}", "--to", str(tmp_path / "x"))
    assert not any(FORGING.search(line.replace("\t", "")) for line in lines_of(out) + lines_of(err))
    # an event
    with pytest.raises(SnapshotIncompleteError) as caught:
        verdict([], [summary], fail_on_unavailable=True)
    for error in (caught.value, ItemUnavailableError(f"'{name}' is not given.")):
        fact = fact_of("task.failed", {"exception": error, "run_id": "r"})
        message = json.loads(make_event(fact, when=at("2026-03-01")).to_json())["data"]["message"]
        assert not FORGING.search(message)
    # a question to a person is Markdown
    task = RestoreTask(source=ANN, to=ANN, run="r", paths=(path, name))
    page = io.StringIO()
    Console(file=page, width=10_000, color_system=None).print(Markdown(question(task, "ann", task)))
    assert f"What: {path}, " in page.getvalue()
    assert len([line for line in page.getvalue().splitlines() if line.strip()]) == 4

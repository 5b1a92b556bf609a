"""``drive-backup restore`` tells which names it changed, at its end and for programs item by item."""

import asyncio
import json

from tests.cli.nights import ANN
from tests.support.fake_drive import FakeDrive
from tests.support.flow import Backup
from tests.support.trees import file


def test_changed_names_are_told(on_store, tmp_path):
    made = Backup(FakeDrive(file("x/y", b"1", id="s"), file("a.txt", b"2", id="a"), file("a.txt", b"3", id="b")))
    asyncio.run(made.run("2026-03-01"))
    run = on_store(made.store)
    code, out, _ = run("restore", ANN, "--to", str(tmp_path))
    assert code == 0
    assert "2 names were changed, since others have them or the place cannot hold them: " in out.splitlines()[-1]
    assert f"'x/y' is '{tmp_path}/x%2Fy'" in out
    _, out, _ = run("--json", "restore", ANN, "--to", str(tmp_path))
    told = {each["id"]: each.get("renamed") for each in map(json.loads, out.splitlines()) if "id" in each}
    assert told == {"s": "x/y", "a": None, "b": "a.txt"}


def test_nothing_is_said_where_all_have_their_names(on_store, tmp_path):
    made = Backup(FakeDrive(file("a.txt", b"2", id="a")))
    asyncio.run(made.run("2026-03-01"))
    assert "changed" not in on_store(made.store)("restore", ANN, "--to", str(tmp_path))[1]

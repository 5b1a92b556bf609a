"""What a person reads who cannot have the demo, or who gives it something odd."""

import argparse
import io
import os
import socket
import sys
from types import SimpleNamespace

import pytest
from rich.console import Console

from include.demo import __main__ as command
from include.demo import report
from include.demo.api import AirflowApi
from include.demo.errors import DemoError
from include.demo.progress import RunWatch
from include.demo.world import World
from include.drive_backup.model import counted


@pytest.fixture
def taken():
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        yield other.getsockname()[1]


def test_a_taken_port_is_told_before_anything_is_started(taken, tmp_path):
    world = World(tmp_path, taken)
    with pytest.raises(DemoError, match=rf"Port {taken} is taken.*make demo AIRFLOW_PORT=\d+"):
        world.start_cloud()
    assert world.stop() == []


def test_a_port_that_is_taken_meanwhile_is_told_too(tmp_path, monkeypatch):
    """Nobody has it when we look; the API server finds it taken."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        world = World(tmp_path, other.getsockname()[1])
        settings = SimpleNamespace(migrated=tmp_path / "version")
        monkeypatch.setattr(World, "airflow", lambda _: settings)
        monkeypatch.setattr(World, "api", SimpleNamespace(healthy=lambda: False))
        checks = iter([True, False])
        monkeypatch.setattr("include.demo.world.port_is_free", lambda _: next(checks))
        start = World(tmp_path, 1).processes.__class__.start
        monkeypatch.setattr(
            World,
            "start_component",
            lambda self, name: start(
                self.processes, name, [sys.executable, "-c", "raise SystemExit(1)"], dict(os.environ), tmp_path
            ),
        )
        with pytest.raises(DemoError, match="is taken"):
            world.start_airflow(timeout=20)
        world.stop()


def test_an_airflow_that_is_gone_is_a_sentence(taken):
    with pytest.raises(DemoError, match="does not answer"):
        AirflowApi("http://127.0.0.1:9", "admin", "x").runs("any")


@pytest.mark.parametrize("text", ["", "no", "0", "65536", "-1", "²"])
def test_what_is_no_port_is_a_sentence(text):
    with pytest.raises(argparse.ArgumentTypeError, match="from 1 to 65535"):
        command.tcp_port(text)


def test_too_little_disk_is_a_sentence(tmp_path, monkeypatch):
    monkeypatch.setattr(command.shutil, "disk_usage", lambda _: SimpleNamespace(free=12_000_000))
    with pytest.raises(DemoError, match=r"Only 12.0 MB of disk are free .* needs 1.0 GB"):
        command.check_disk(tmp_path)


@pytest.mark.parametrize("kind", ["nothing", "a file"])
def test_a_drive_root_that_is_no_folder_is_a_sentence(kind, tmp_path):
    path = tmp_path / "root"
    if kind == "a file":
        path.write_text("x")
    with pytest.raises(DemoError, match=r"cannot be served as a Drive: .* Name a folder"):
        command.check_root(str(path))


def test_an_unreadable_drive_root_is_a_sentence(tmp_path, monkeypatch):
    """As root everything is readable, so the denial is made here."""

    def denied(_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(command.Path, "iterdir", denied)
    with pytest.raises(DemoError, match="Permission denied"):
        command.check_root(str(tmp_path))


def test_an_empty_folder_and_one_with_an_odd_name_can_be_served(tmp_path):
    odd = tmp_path / os.fsdecode(b"it's \xff\n")
    odd.mkdir()
    assert command.check_root(str(odd)) == odd.resolve()


def test_paths_that_are_not_served_are_told_in_lines_that_do_not_break():
    console = Console(width=100, record=True, file=io.StringIO())
    console.print(report._left_out({"a\nb\x1b[2J": "neither file, folder nor link"}))
    lines = console.export_text().splitlines()
    assert lines[0] == "1 path of the served folder became no part of the Drive:"
    assert "a�b�[2J" in lines[1]
    assert "neither file" in lines[1]


@pytest.mark.parametrize(("count", "words"), [(0, "0 files"), (1, "1 file"), (2, "2 files"), (2000, "2,000 files")])
def test_one_file_is_no_files(count, words):
    assert counted(count, "file") == words


class Airflow:
    """A run in the midst of copying."""

    state = "running"

    def tasks(self, *_):
        before = [{"task_id": each, "state": "success"} for each in ("resolve_sources", "list_source", "plan_batches")]
        return [*before, {"task_id": "copy_batch", "state": self.state}, {"task_id": "report", "state": None}]

    def xcom(self, *_, **__):
        return []


@pytest.mark.parametrize("terminal", [True, False])
def test_progress_says_phase_files_bytes_rate_and_time_left(terminal, monkeypatch):
    out = Console(width=160, force_terminal=terminal, record=True, file=io.StringIO())
    watch = RunWatch(out, Airflow(), "run", "UseDevelopmentStorage=true")
    monkeypatch.setattr(watch._recorded, "look", lambda _: None)
    monkeypatch.setattr("include.demo.progress.PRINT_SECONDS", 0)
    monkeypatch.setattr("include.demo.progress.time.monotonic", iter(range(100, 1000, 10)).__next__)
    watch._plans = [SimpleNamespace(copy_files=200, copy_bytes=4_000_000)]
    watch._copying_since = 90
    watch._recorded.files, watch._recorded.bytes = 50, 1_000_000
    watch.look("running")
    text = out.export_text() if not terminal else watch._progress.tasks[0].fields["amount"]
    assert "50 of 200 files, 1.0 MB of 4.0 MB, 5 files/s, 100.0 kB/s, 0:00:30 left" in text


def test_a_run_that_waits_for_an_earlier_one_says_so():
    out = Console(width=160, record=True, file=io.StringIO())
    RunWatch(out, Airflow(), "run", "UseDevelopmentStorage=true").look("queued")
    assert "wait for an earlier run" in out.export_text()

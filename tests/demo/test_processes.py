"""What the demo starts it stops, whenever it is told to."""

import os
import signal
import subprocess
import sys
import textwrap
import time

import psutil
import pytest

from include.demo.errors import DemoError
from include.demo.processes import Processes
from include.demo.signals import STOP, held_back

SLEEP = [sys.executable, "-c", "import time; time.sleep(60)"]


@pytest.fixture
def processes(tmp_path):
    made = Processes(tmp_path / "processes")
    yield made
    made.stop()


@pytest.fixture(autouse=True)
def _handlers():
    before = {number: signal.getsignal(number) for number in STOP}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def start(processes, name, code, tmp_path, **kwargs):
    processes.start(name, [sys.executable, "-c", code], dict(os.environ), tmp_path, **kwargs)


def until(check):
    deadline = time.monotonic() + 10
    while not check():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_another_command_stops_them_with_their_children(processes, tmp_path):
    start(processes, "cloud", f"import subprocess, time; subprocess.Popen({SLEEP}); time.sleep(60)", tmp_path)

    def ours():
        return [child for child in psutil.Process().children() if "Popen" in " ".join(child.cmdline())]

    # A process has no command line of its own until it has become what was started.
    until(lambda: ours() and ours()[0].children())
    (found,) = ours()
    family = [found, *found.children()]
    assert Processes(tmp_path / "processes").stop() == ["cloud"]
    assert not [each for each in family if each.is_running() and each.status() != psutil.STATUS_ZOMBIE]
    assert processes.stop() == []


def test_a_pid_that_is_anothers_by_now_is_left_alone(processes, tmp_path):
    (tmp_path / "processes").mkdir()
    (tmp_path / "processes" / "cloud.pid").write_text(f"{os.getpid()} 12345.0")
    assert processes.stop() == []


def test_one_that_ends_by_itself_is_told_with_its_last_words(processes, tmp_path):
    start(processes, "cloud", "print('no disk'); raise SystemExit(3)", tmp_path)
    until(lambda: not processes.alive("cloud"))
    with pytest.raises(DemoError, match=r"cloud could not run \(code 3\):\nno disk"):
        processes.check()


def test_one_that_had_one_thing_to_do_may_end_but_not_fail(processes, tmp_path):
    start(processes, "good", "pass", tmp_path, once=True)
    until(lambda: processes.done("good"))
    processes.check()
    start(processes, "bad", "raise SystemExit(1)", tmp_path, once=True)
    until(lambda: not processes.alive("bad"))
    assert not processes.done("bad")
    with pytest.raises(DemoError, match="bad could not run"):
        processes.check()


@pytest.mark.parametrize("number", STOP)
def test_a_signal_in_the_midst_of_starting_waits_until_the_pid_is_noted(number, processes, tmp_path, monkeypatch):
    heard = []
    signal.signal(number, lambda *_: heard.append(processes.alive("cloud")))
    plain = subprocess.Popen

    def popen(*args, **kwargs):
        child = plain(*args, **kwargs)
        os.kill(os.getpid(), number)
        return child

    monkeypatch.setattr(subprocess, "Popen", popen)
    start(processes, "cloud", "import time; time.sleep(60)", tmp_path)
    assert heard == [True]


def test_a_child_hears_signals_although_they_were_held_back(processes, tmp_path):
    start(processes, "cloud", "import time; time.sleep(60)", tmp_path)
    began = time.monotonic()
    processes.stop()
    assert time.monotonic() - began < 10


def test_held_back_signals_are_nothing_when_there_were_none():
    before = [signal.getsignal(number) for number in STOP]
    with held_back():
        pass
    assert [signal.getsignal(number) for number in STOP] == before


@pytest.mark.parametrize("before", [signal.SIG_DFL, signal.SIG_IGN])
@pytest.mark.parametrize("number", STOP)
def test_the_first_signal_stops_and_further_ones_do_not_break_the_cleaning_up(number, before):
    program = """
        import time
        from include.demo.signals import stop_once
        stop_once()
        try:
            print("ready", flush=True)
            time.sleep(60)
        except KeyboardInterrupt:
            print("cleaning", flush=True)
            time.sleep(0.5)
            print("clean", flush=True)
    """
    child = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(program)],
        stdout=subprocess.PIPE,
        text=True,
        env=dict(os.environ),
        preexec_fn=lambda: signal.signal(number, before),
    )
    assert child.stdout.readline() == "ready\n"
    if (number, before) == (signal.SIGHUP, signal.SIG_IGN):
        # Of nohup: it goes on when its terminal is closed, and another signal stops it.
        child.send_signal(number)
        number = signal.SIGTERM
    child.send_signal(number)
    assert child.stdout.readline() == "cleaning\n"
    for again in STOP:
        child.send_signal(again)
    assert child.communicate(timeout=10)[0] == "clean\n"
    assert child.returncode == 0

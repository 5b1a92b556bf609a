"""The supervisor of child processes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import time

import psutil
import pytest

from include.local_cloud.process import ServiceError, free_port, running, start

pytestmark = pytest.mark.integration


def script(body):
    return [sys.executable, "-u", "-c", textwrap.dedent(body)]


READY = """
    import json, time
    print(json.dumps({"service": "x", "url": "http://u"}), flush=True)
"""
WAITS = READY + "    time.sleep(600)\n"


def gone(pid, seconds=5.0):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
            return True
        time.sleep(0.02)
    return False


def test_a_service_is_there_from_its_ready_line_until_it_is_stopped(tmp_path):
    service = start("x", script(WAITS), state=tmp_path)
    assert (service.info["url"], service.alive) == ("http://u", True)
    assert [(each.name, each.pid, each.url) for each in running(tmp_path)] == [("x", service.pid, "http://u")]
    service.stop()
    assert gone(service.pid)
    assert running(tmp_path) == []


def test_it_runs_in_a_group_of_its_own(tmp_path):
    service = start("x", script(WAITS), state=tmp_path)
    assert os.getpgid(service.pid) == service.pid != os.getpgid(0)
    service.stop()


def test_lines_before_the_ready_line_are_logged_and_braces_are_no_ready_line(tmp_path):
    body = "print('{no json'); print('{\"other\": 1}')\n" + textwrap.dedent(WAITS)
    service = start("x", [sys.executable, "-u", "-c", body], state=tmp_path)
    service.stop()
    assert "{no json\n" in service.log.read_text()


def test_what_it_writes_later_never_blocks_it_and_is_logged(tmp_path):
    service = start("x", script(READY + "    for n in range(20_000): print('line', n, 'x' * 50)\n"), state=tmp_path)
    assert gone(service.pid, 20)
    service.stop()
    assert "line 19999 " in service.log.read_text()


def test_a_service_that_ends_at_once_is_refused_with_its_own_sentence(tmp_path):
    body = "import sys; sys.stderr.write('The port is taken.\\n'); sys.exit(2)"
    with pytest.raises(ServiceError, match=r"^The port is taken\.$"):
        start("x", script(body), state=tmp_path)
    with pytest.raises(ServiceError, match=r"x ended before it was ready: ZeroDivisionError.* See .*x\.log"):
        start("x", script("1 / 0"), state=tmp_path)
    assert running(tmp_path) == []


def test_a_service_that_is_not_ready_in_time_is_ended(tmp_path):
    body = f"import os, time; open({str(tmp_path / 'pid')!r}, 'w').write(str(os.getpid())); time.sleep(600)"
    with pytest.raises(ServiceError, match="was not ready within 1 seconds"):
        start("x", script(body), state=tmp_path, timeout=1)
    assert gone(int((tmp_path / "pid").read_text()))


def test_a_service_that_ignores_sigterm_is_killed_with_its_children(tmp_path):
    body = f"""
        import json, signal, subprocess, sys, time
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        open({str(tmp_path / "child")!r}, "w").write(str(child.pid))
        print(json.dumps({{"service": "x"}}), flush=True)
        time.sleep(600)
    """
    service = start("x", script(body), state=tmp_path)
    service.stop(grace=0.5)
    assert gone(service.pid)
    assert gone(int((tmp_path / "child").read_text()))


def test_a_service_gets_exactly_one_sigterm(tmp_path):
    body = f"""
        import json, signal, sys, time
        got = []
        def note(*_):
            got.append(1)
            open({str(tmp_path / "count")!r}, "w").write(str(len(got)))
        signal.signal(signal.SIGTERM, note)
        print(json.dumps({{"service": "x"}}), flush=True)
        while not got: time.sleep(0.01)
        time.sleep(1)
    """
    service = start("x", script(body), state=tmp_path)
    service.stop(grace=20)
    assert (tmp_path / "count").read_text() == "1"


def test_a_second_start_sees_what_runs_and_a_stale_pid_file_is_no_obstacle(tmp_path):
    service = start("x", script(WAITS), state=tmp_path)
    with pytest.raises(ServiceError, match=f"x runs already .*process {service.pid}"):
        start("x", script(WAITS), state=tmp_path)
    service.kill()
    assert running(tmp_path) == []
    again = start("x", script(WAITS), state=tmp_path)
    again.stop()
    (tmp_path / "x.pid.json").write_text(json.dumps({"name": "x", "pid": os.getpid(), "created": 1.0, "url": ""}))
    assert running(tmp_path) == []  # that number was given to another process since


def test_a_service_ends_with_its_parent_however_that_ends(tmp_path):
    parent = textwrap.dedent(
        f"""
        import sys, time
        from pathlib import Path
        from include.local_cloud.process import start
        service = start("x", [sys.executable, "-u", "-c", {textwrap.dedent(WAITS)!r}], state=Path({str(tmp_path)!r}))
        print(service.pid, flush=True)
        time.sleep(600)
        """
    )
    with subprocess.Popen([sys.executable, "-c", parent], stdout=subprocess.PIPE, text=True) as process:
        child = int(process.stdout.readline())
        assert psutil.pid_exists(child)
        process.send_signal(signal.SIGKILL)
        assert gone(child)


def test_a_free_port_can_be_listened_on():
    import socket

    socket.create_server(("127.0.0.1", free_port())).close()

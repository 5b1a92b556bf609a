"""Ctrl-C while the demo starts: nothing that it started is left."""

import os
import signal
import subprocess
import sys
import time

import psutil
import pytest

from include.demo.world import ROOT, free_port

PROGRAM = """
import sys
from pathlib import Path
from include.demo import __main__ as command
folder, port = Path(sys.argv[1]), sys.argv[2]
command.folder_for = lambda _: folder
command.stop_all = lambda *_, **__: None
sys.argv[1:] = ["--airflow-port", port]
sys.exit(command.main())
"""


def processes_of(folder):
    """Processes that name the folder, wherever they hang in the tree."""
    found = []
    for process in psutil.process_iter():
        try:
            if str(folder) in " ".join(process.cmdline()) or process.environ().get("AIRFLOW_HOME", "").startswith(
                str(folder)
            ):
                found.append(process)
        except psutil.Error:
            continue
    return found


@pytest.mark.integration
def test_in_the_midst_of_starting(tmp_path):
    folder = tmp_path / "world"
    command = [sys.executable, "-c", PROGRAM, str(folder), str(free_port())]
    environ = {**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'plugins'}"}
    with subprocess.Popen(command, cwd=ROOT, env=environ, stdout=subprocess.PIPE, text=True) as child:
        try:
            deadline = time.monotonic() + 60
            # The command, the cloud and at least one of its services, and Airflow's "db migrate".
            while len(processes_of(folder)) < 4:
                assert time.monotonic() < deadline
                assert child.poll() is None
                time.sleep(0.1)
        finally:
            child.send_signal(signal.SIGINT)
            said, _ = child.communicate(timeout=60)
    assert child.returncode == 130
    assert "Stopping everything that was started" in said
    assert "Traceback" not in said
    assert processes_of(folder) == []

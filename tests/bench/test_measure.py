"""A client is charged with what it used itself."""

import os
import sys

import pytest

from benchmarks.measure import ClientFailed, timed


def run(tmp_path, code):
    return timed([sys.executable, "-c", code], dict(os.environ), tmp_path / "log")


def test_what_the_bench_holds_in_memory_is_not_the_clients(tmp_path):
    ballast = os.urandom(300_000_000)
    output, wall, cpu, peak_mb = run(tmp_path, "print('done')")
    assert (output, len(ballast)) == ("done\n", 300_000_000)
    assert wall > 0 < cpu
    assert peak_mb < 150


def test_a_client_that_fails_is_no_result(tmp_path):
    with pytest.raises(ClientFailed, match="ended with 3"):
        run(tmp_path, "import sys; print('why', file=sys.stderr); sys.exit(3)")
    assert (tmp_path / "log").read_text() == "why\n"

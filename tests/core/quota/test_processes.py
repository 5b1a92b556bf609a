"""Real processes, a Drive that enforces its quota, and Azurite between them."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import urllib.request

import pytest

from include.local_cloud.process import module, start

pytestmark = pytest.mark.integration

UNITS = 120_000
#: The stand-in's "minute" and our epoch are made short, that nobody has to wait for minutes.
WINDOW, EPOCH, WARM, MEASURED = 12.0, 2, 10, 15


@pytest.fixture
def drive(tmp_path):
    arguments = (
        "--port",
        "0",
        "--state",
        str(tmp_path),
        "--backend",
        "generated",
        "--files",
        "3",
        "--sizes",
        "100-200",
    )
    service = start("drive", module("include.local_cloud.drive", *arguments), state=tmp_path)
    try:
        yield service.info["url"]
    finally:
        service.stop()


def admin(url, path, body=None):
    data = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(f"{url}/_admin/{path}", data=data, timeout=10) as answer:
        return json.load(answer)


def download(count, drive, azurite, container, folder, settings, seconds):
    given = {
        "drive": drive,
        "key": str(folder / "service-account.json"),
        "blob": azurite,
        "container": container,
        "settings": settings,
        "seconds": seconds,
    }
    command = [sys.executable, "-m", "tests.core.quota.downloader", json.dumps(given)]
    return [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(count)]


@pytest.mark.parametrize("count", [1, 3])
def test_processes_share_the_quota_and_use_nearly_all_of_it(count, drive, azurite, azurite_container, tmp_path):
    admin(drive, "quota", {"user_units": int(UNITS * WINDOW / 60), "project_units": None, "window_seconds": WINDOW})
    settings = {"units_per_minute": UNITS, "project_units_per_minute": None, "epoch": EPOCH}
    seconds = WARM + MEASURED + 5
    processes = download(count, drive, azurite, azurite_container, tmp_path, settings, seconds)
    try:
        while admin(drive, "stats")["calls"].get("files.get.media", 0) == 0:
            time.sleep(0.2)
        time.sleep(WARM)
        before, begun = admin(drive, "stats"), time.monotonic()
        time.sleep(MEASURED)
        after, passed = admin(drive, "stats"), time.monotonic() - begun
        made = [int(process.communicate(timeout=60)[0]) for process in processes]
    finally:
        for process in processes:
            process.kill()
            process.wait()
    used = after["units"] - before["units"]
    print(
        f"{count} processes: {used * 60 / passed / UNITS:.3f} of the quota, {after['quotaRefusals']} refusals, {made}"
    )
    assert used * 60 / passed > 0.9 * UNITS
    assert after["quotaRefusals"] <= sum(after["calls"].values()) / 1000
    assert min(made) > 0.5 * max(made)  # the first one has all until the others are there

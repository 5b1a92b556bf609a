"""What programs get: one object a line, wherever ``--json`` is, and errors as well."""

import json
import subprocess
import sys

import pytest

from include.demo.airflow import ROOT

NOWHERE = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT)}


def call(*arguments, **env):
    command = [sys.executable, "-m", "include.drive_backup.cli", *arguments]
    return subprocess.run(command, env=NOWHERE | env, cwd=ROOT, capture_output=True, text=True)


@pytest.mark.parametrize("arguments", [("--json", "snapshots", "user/a@b.c"), ("snapshots", "user/a@b.c", "--json")])
def test_an_error_is_an_object_wherever_the_option_is(arguments):
    done = call(*arguments)
    [line] = done.stderr.splitlines()
    said = json.loads(line)
    assert (done.returncode, done.stdout, said["error"]) == (2, "", "ConfigError")
    assert "DRIVE_BACKUP_CONTAINER_URL" in said["message"]


@pytest.mark.parametrize(
    ("arguments", "part"),
    [(["nosuch"], "nosuch"), (["snapshots", "--nosuch"], "--nosuch"), (["snapshots"], "source"), (["ls", "x"], "x")],
)
def test_what_is_wrong_with_the_arguments_is_an_object(arguments, part):
    done = call(
        *arguments,
        "--json",
        DRIVE_BACKUP_CONTAINER_URL="https://x.invalid/c?sv=2024-11-04&se=2099-01-01T00:00:00Z&sp=rl&sr=c&sig=c2lnbg%3D%3D",
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert part in json.loads(done.stderr.splitlines()[-1])["message"]


def test_after_two_dashes_it_is_a_name():
    done = call("snapshots", "--", "--json")
    assert done.returncode == 2
    assert done.stderr.startswith("drive-backup: ")


def test_without_it_an_error_is_a_sentence():
    done = call("snapshots", "user/a@b.c")
    assert done.stderr.startswith("drive-backup: Say where the backup is")


@pytest.mark.parametrize("arguments", [["-h"], ["ls", "-h"], ["--help"]])
def test_help_has_a_short_name(arguments):
    done = call(*arguments)
    assert (done.returncode, "Usage:" in done.stdout) == (0, True)


def test_an_address_over_http_says_what_to_do_instead():
    done = call("doctor", DRIVE_BACKUP_CONTAINER_URL="http://127.0.0.1:10000/devstoreaccount1/drive-backup")
    assert done.returncode == 2
    assert "set AZURE_STORAGE_CONNECTION_STRING instead" in done.stderr
    assert "Traceback" not in done.stderr

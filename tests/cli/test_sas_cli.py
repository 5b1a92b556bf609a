"""A SAS that the service refuses, or that is no whole one: one sentence that says why, and nothing of it is shown."""

import asyncio
import os
import subprocess
import sys
import uuid
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import parse_qs

import pytest
from azure.storage.blob import generate_container_sas
from azure.storage.blob.aio import ContainerClient

from include.drive_backup.blob.azure import AzureBlobStore
from include.drive_backup.clock import SystemClock
from tests.support.fake_drive import FakeDrive
from tests.support.flow import Backup
from tests.support.trees import file

ANN = "user/ann@example.com"
pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def place(azurite):
    """The URL of a container with a backup, and a function that signs for it."""
    name = f"c{uuid.uuid4().hex[:20]}"

    async def back_up():
        async with (
            ContainerClient.from_connection_string(azurite, name) as client,
            AzureBlobStore(client, SystemClock()) as store,
        ):
            await store.ensure_container(create=True)
            await Backup(FakeDrive(file("a.txt", b"a")), store).run()
            return client.url, client.account_name, client.credential.account_key

    url, account, key = asyncio.run(back_up())

    def sign(letters="rl", *, begins=None, ends=1):
        hour, now = timedelta(hours=1), datetime.now(UTC)
        start = None if begins is None else now + begins * hour
        return generate_container_sas(
            account, name, account_key=key, permission=letters, start=start, expiry=now + ends * hour
        )

    return name, url, sign


@pytest.fixture
def run(place, command_line, monkeypatch):
    name, url, _ = place
    cli = command_line(name)
    monkeypatch.delenv("AZURE_STORAGE_CONNECTION_STRING")

    def of(sas, *command):
        monkeypatch.setenv("DRIVE_BACKUP_CONTAINER_URL", f"{url}?{sas}")
        code, out, err = cli(*command)
        for secret in parse_qs(sas).get("sig", ()):
            assert secret not in out + err
        return code, err

    return of


@pytest.mark.parametrize(
    ("settings", "command", "said"),
    [
        ({"ends": -1}, ("sources",), "The SAS expired at "),
        ({"begins": 1, "ends": 2}, ("sources",), "The SAS is not valid before "),
        ({"letters": "r"}, ("sources",), "The SAS has the letters r (sp) and lacks l. Make one with r, l."),
        ({"letters": "l"}, ("sources",), "The SAS has the letters l (sp) and lacks r."),
    ],
)
def test_it_says_what_is_wrong_with_it(place, run, settings, command, said):
    code, err = run(place[2](**settings), *command)
    assert (code, err.count("\n")) == (2, 1)
    assert err.startswith("drive-backup: ")
    assert said in err


@pytest.mark.parametrize(
    "harm",
    [
        lambda sas: sas.partition("&sig")[0],
        lambda sas: sas.partition("&")[0],
        lambda sas: sas.replace("&", "&amp;"),
        lambda sas: f"{sas}%",
        lambda _: "what",
    ],
)
def test_what_is_no_whole_one_is_not_sent(place, run, harm):
    code, err = run(harm(place[2]()), "sources")
    assert (code, err.count("\n")) == (2, 1)
    assert "What is behind '?' in the container's URL is no whole SAS." in err


def test_a_container_to_restore_into_is_checked_in_the_same_way(place, run, tmp_path):
    _, url, sign = place
    for target, said in ((f"{url}?{sign()[:40]}", "no whole SAS"), (f"{url}?{sign(ends=-1)}", "The SAS expired at")):
        code, err = run(sign(), "restore", ANN, "--to-container", target)
        assert (code, said in err) == (2, True)


class _Odd(BaseHTTPRequestHandler):
    """Answers as no storage service does."""

    def do_GET(self):
        self.send_response(403)
        self.send_header("Content-Type", "text/plain")
        self.end_headers()
        self.wfile.write(b"no")

    def log_message(self, *_):
        pass


def test_the_sdk_adds_no_warnings_of_its_own():
    """In a process of its own they go to stderr, as nobody else listens."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Odd) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/account/container?sv=2026-02-06&sig=c2VjcmV0"
        done = subprocess.run(
            [sys.executable, "-m", "include.drive_backup.cli", "sources"],
            env={**os.environ, "DRIVE_BACKUP_CONTAINER_URL": url},
            capture_output=True,
            text=True,
            check=False,
        )
        server.shutdown()
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert done.stderr.startswith("drive-backup: Could not list blobs")

"""The server as a process, and the generated Drive."""

import hashlib
import json
import signal
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request

import pytest
import trustme
from google.oauth2 import service_account

from include.local_cloud.drive import ANN, generated_state
from include.local_cloud.drive.content import PIECE, SeededContent

SCOPE = "https://www.googleapis.com/auth/drive.readonly"


@pytest.fixture
def launch(tmp_path):
    """Start ``python -m``; it is stopped when the test ends."""
    started = []

    def start(*arguments):
        command = [sys.executable, "-m", "include.local_cloud.drive", "--state", str(tmp_path / "state"), *arguments]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        started.append(process)
        return process, json.loads(process.stdout.readline())

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
        process.wait(10)
        process.stdout.close()


@pytest.mark.integration
def test_with_a_certificate_it_speaks_https(launch, tmp_path):
    authority = trustme.CA()
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(str(tmp_path / "server.pem"))
    _, ready = launch("--certificate", str(tmp_path / "server.pem"))
    assert ready["url"].startswith("https://127.0.0.1:")
    assert json.loads((tmp_path / "state" / "service-account.json").read_text())["token_uri"] == f"{ready['url']}/token"
    trust = ssl.create_default_context()
    with pytest.raises(urllib.error.URLError, match="CERTIFICATE_VERIFY_FAILED"):
        urllib.request.urlopen(f"{ready['url']}/_admin/stats", context=trust)
    authority.configure_trust(trust)
    with urllib.request.urlopen(f"{ready['url']}/_admin/stats", context=trust) as answer:
        assert json.loads(answer.read())["totalCalls"] == 0


@pytest.mark.integration
@pytest.mark.parametrize("backend", ["sample", "generated", "folder"])
def test_it_says_when_it_is_ready_serves_and_stops_at_sigterm(launch, tmp_path, backend):
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "a.txt").write_text("x")
    process, ready = launch(
        "--backend", backend, "--files", "30", *(["--root", str(tmp_path / "root")] * (backend == "folder"))
    )
    assert ready["service"] == "drive"
    import google.auth.transport.requests

    key = str(tmp_path / "state" / "service-account.json")
    credentials = service_account.Credentials.from_service_account_file(key, scopes=[SCOPE], subject=ANN)
    credentials.refresh(google.auth.transport.requests.Request())
    headers = {"Authorization": f"Bearer {credentials.token}"}
    with urllib.request.urlopen(urllib.request.Request(f"{ready['url']}/drive/v3/files", headers=headers)) as answer:
        assert json.loads(answer.read())["files"]
    process.send_signal(signal.SIGTERM)
    assert process.wait(15) == 0


@pytest.mark.integration
def test_a_folder_that_is_not_there_is_refused_with_a_sentence(tmp_path):
    command = [sys.executable, "-m", "include.local_cloud.drive", "--state", str(tmp_path), "--backend", "folder"]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert result.returncode == 2
    assert "needs --root with a directory that exists" in result.stderr


def test_the_same_seed_makes_the_same_drive_and_another_one_another():
    def shape(seed):
        items = generated_state(seed=seed, files=50).items.values()
        return [(i.id, i.name, i.parents, i.modified, i.content and i.content.size) for i in items][2:]

    assert shape(1) == shape(1) != shape(2)


def test_seeded_bytes_are_the_same_however_they_are_cut_and_differ_between_files_and_pieces():
    content = SeededContent("one", 2 * PIECE + 500)
    whole = b"".join(bytes(content.read(low, high)) for low, high in content.pieces(0, content.size))
    assert len(whole) == content.size
    for start, end in [
        (0, 1),
        (5, 40),
        (31, 33),
        (PIECE - 1, PIECE + 1),
        (PIECE + 7, content.size),
        (2 * PIECE, content.size),
    ]:
        cut = b"".join(bytes(content.read(low, high)) for low, high in content.pieces(start, end))
        assert cut == whole[start:end]
    content.compute(["sha256"])
    assert content.digest("sha256") == hashlib.sha256(whole).hexdigest()
    assert bytes(SeededContent("two", 100).read(0, 100)) != whole[:100]
    assert whole[:PIECE] != whole[PIECE : 2 * PIECE]


@pytest.mark.parametrize(
    ("profile", "low", "high"), [("small", 4096, 65536), ("10-20", 10, 20), ("lognormal", 0, 1 << 30)]
)
def test_sizes_keep_to_their_profile(profile, low, high):
    items = generated_state(files=200, profile=profile).items.values()
    found = [i.content.size for i in items if i.content]
    assert all(low <= size <= high for size in found)
    assert len(set(found)) > 5


def test_an_unknown_profile_is_refused():
    with pytest.raises(ValueError, match="no size profile"):
        generated_state(profile="huge")


@pytest.mark.integration
def test_a_large_drive_is_made_and_listed_quickly(running, everything):
    start = time.monotonic()
    server = running(generated_state(files=40_000, folders=2_000))
    files = everything(server.client(ANN), fields="nextPageToken,files(id,parents)")
    assert len(files) == 42_000
    assert time.monotonic() - start < 30

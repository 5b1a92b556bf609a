"""The command line as a person runs it, on a real container in Azurite."""

import asyncio
import json
import os
import subprocess
import sys
import uuid
from pathlib import Path

import pytest
from azure.storage.blob import BlobBlock
from azure.storage.blob import ContainerClient as SyncContainer
from azure.storage.blob.aio import ContainerClient

from include.drive_backup.blob.azure import AzureBlobStore
from include.drive_backup.cli.app import main
from include.drive_backup.clock import SystemClock
from tests.support.fake_drive import FakeDrive, at
from tests.support.flow import Backup
from tests.support.trees import file, folder, native

ROOT = Path(__file__).resolve().parents[2]
ANN = "user/ann@example.com"

pytestmark = pytest.mark.integration


def drive():
    return FakeDrive(
        folder("Reports", file("a.txt", b"first", id="a"), file("old.txt", b"old", id="old"), id="reports"),
        native("Plan", content=b"docx bytes", id="plan"),
        file("tab\there.txt", b"x"),
    )


@pytest.fixture(scope="module")
def backup(azurite):
    """Two snapshots: of 1 March, and of 5 March after a bad day."""
    name = f"c{uuid.uuid4().hex[:20]}"
    asyncio.run(back_up(azurite, name))
    return azurite, name


async def back_up(azurite, name):
    async with ContainerClient.from_connection_string(azurite, name) as container:
        store = AzureBlobStore(container, SystemClock())
        await store.ensure_container(create=True)
        made = Backup(drive(), store)
        await made.run("2026-03-01", formats={"document": ["docx"]})
        made.drive.write("a", b"overwritten", "2026-03-04T00:00:00.000Z")
        made.drive.delete("old")
        made.drive.change("plan", name="Plan 2")
        made.drive.add(file("new.txt", b"new", id="new"))
        made.clock.set(at("2026-03-05T00:10"))
        await made.run("2026-03-05", formats={"document": ["docx"]})


@pytest.fixture
def cli(backup, tmp_path, monkeypatch, capsys):
    connection_string, container = backup
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", connection_string)
    monkeypatch.setenv("DRIVE_BACKUP_CONTAINER", container)
    monkeypatch.delenv("DRIVE_BACKUP_CONTAINER_URL", raising=False)

    def run(*arguments, env=None, code=0):
        for name, value in (env or {}).items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(sys, "argv", ["drive-backup", *arguments])
        with pytest.raises(SystemExit) as end:
            main()
        said = capsys.readouterr()
        assert (end.value.code or 0) == code, said
        return said.err if code == 2 else said.out

    return run


def lines(text):
    return [json.loads(line) for line in text.splitlines()]


def test_the_command_runs_without_being_installed(backup):
    connection_string, container = backup
    env = {**os.environ, "AZURE_STORAGE_CONNECTION_STRING": connection_string, "DRIVE_BACKUP_CONTAINER": container}
    command = [sys.executable, "-m", "include.drive_backup.cli", "--json", "sources"]
    done = subprocess.run(command, env=env, cwd=ROOT, capture_output=True, text=True, timeout=120, check=True)
    assert json.loads(done.stdout)["source"] == ANN


def test_sources_and_snapshots(cli):
    [source] = lines(cli("--json", "sources"))
    assert (source["source"], source["snapshots"], source["status"], source["items"]) == (ANN, 2, "complete", 5)
    first, second = lines(cli("--json", "snapshots", ANN))
    assert (first["snapshot"], second["snapshot"]) == ("20260301T000000.000Z", "20260305T000000.000Z")
    assert ANN in cli("sources")


def test_ls_shows_a_folder_as_of_a_time(cli):
    assert [row["path"] for row in lines(cli("--json", "ls", ANN))] == [
        "/Plan 2",
        "/Reports/",
        "/new.txt",
        "/tab%09here.txt",
    ]
    then = lines(cli("--json", "ls", ANN, "Reports", "--at", "2026-03-02"))
    assert [(row["path"], row["size"]) for row in then] == [("/Reports/a.txt", 5), ("/Reports/old.txt", 3)]
    assert len(lines(cli("--json", "ls", ANN, "-r"))) == 5
    # A name must not look like two columns.
    assert "/tab%09here.txt" in cli("ls", ANN)
    assert "no folder or file '/Nowhere'" in cli("ls", ANN, "/Nowhere", code=2)


def test_find_shows_each_version_once(cli):
    found = lines(cli("--json", "find", ANN, "a.txt"))
    assert [(row["size"], row["first"][:8], row["last"][:8]) for row in found] == [
        (5, "20260301", "20260301"),
        (11, "20260305", "20260305"),
    ]
    assert [row["last"][:8] for row in lines(cli("--json", "find", ANN, "old"))] == ["20260301"]
    assert "No snapshot" in cli("find", ANN, "*.exe", code=1)


def test_diff_says_what_happened(cli):
    found = {row["id"]: (row["change"], row.get("was")) for row in lines(cli("--json", "diff", ANN, "2026-03-02"))}
    assert found == {
        "a": ("changed", None),
        "old": ("removed", None),
        "plan": ("moved", "/Plan"),
        "new": ("added", None),
    }


def test_diff_says_what_became_of_what_was_removed(cli):
    rows = lines(cli("--json", "diff", ANN, "2026-03-02"))
    assert {row["id"]: row["state"] for row in rows if row["change"] == "removed"} == {"old": "gone"}


def test_restore_brings_a_folder_back_as_it_was(cli, tmp_path):
    said = cli("restore", ANN, "--at", "2026-03-02", "--path", "/Reports/", "--to", "out")
    assert "restored: 2 files, 1 folder;" in said
    assert (tmp_path / "out/Reports/a.txt").read_bytes() == b"first"
    assert (tmp_path / "out/Reports/old.txt").read_bytes() == b"old"
    assert not (tmp_path / "out/Plan.docx").exists()
    assert "with the same content: 2 files, 1 folder;" in cli(
        "restore", ANN, "--at", "2026-03-02", "--path", "/Reports/", "--to", "out"
    )


def test_a_dry_run_writes_nothing(cli, tmp_path):
    assert [row["path"] for row in lines(cli("--json", "restore", ANN, "--to", "out", "--dry-run", "--id", "a"))] == [
        "/Reports/",
        "/Reports/a.txt",
    ]
    assert list(tmp_path.iterdir()) == []


def test_restored_items_are_reported_one_by_one(cli):
    results = lines(cli("--json", "restore", ANN, "--to", "out"))
    assert {result["outcome"] for result in results} == {"restored"}
    assert len(results) == 5


def test_a_lost_blob_fails_its_file_only(cli, backup, tmp_path):
    connection_string, container = backup
    with SyncContainer.from_connection_string(connection_string, container) as client:
        [blob] = [each for each in client.list_blobs() if "/new.txt/" in each.name]
        data = client.download_blob(blob.name).readall()
        properties = client.get_blob_client(blob.name).get_blob_properties()
        client.delete_blob(blob.name)
        try:
            said = cli("restore", ANN, "--to", "out", code=1)
        finally:
            client.upload_blob(
                blob.name, data, content_settings=properties.content_settings, metadata=properties.metadata
            )
    assert "restored: 3 files, 1 folder;" in said
    assert "FAILED: 1 file;" in said
    assert not (tmp_path / "out/new.txt").exists()


def test_verify_says_that_all_is_well(cli):
    said = " ".join(cli("verify", "--read", "all", "--drill").split())
    assert "restored: 4 restored." in said
    assert "2 snapshots with 6 contents" in said
    assert "6 contents" in said.partition("checked")[2]
    assert "nothing is damaged" in said


def test_verify_names_a_lost_and_a_spoilt_file(cli, backup):
    """The service keeps any Content-MD5 that a block list comes with: only reading shows that the bytes are others."""
    connection_string, container = backup
    with SyncContainer.from_connection_string(connection_string, container) as client:
        names = [each.name for each in client.list_blobs()]
        [lost] = [name for name in names if "/new.txt/" in name]
        [spoilt] = [name for name in names if "/old.txt/" in name]
        kept = {name: (client.download_blob(name).readall(), properties(client, name)) for name in (lost, spoilt)}
        client.delete_blob(lost)
        blob = client.get_blob_client(spoilt)
        blob.stage_block("MDAw", b"OLD")
        blob.commit_block_list([BlobBlock("MDAw")], **kept[spoilt][1])
        try:
            by_listing = lines(cli("--json", "verify", ANN, code=1))
            read = lines(cli("--json", "verify", ANN, "--read", "all", code=1))
            people = cli("verify", "--read", "all", code=1)
        finally:
            for name, (data, told) in kept.items():
                client.upload_blob(name, data, overwrite=True, **told)
    assert [row["damage"]["path"] for row in by_listing if "damage" in row] == ["/new.txt"]
    found = {row["damage"]["path"]: row["damage"]["wrong"] for row in read if "damage" in row}
    assert found == {"/new.txt": "missing", "/Reports/old.txt": "bytes"}
    assert read[-1]["result"] == "bad"
    assert "DAMAGED  /new.txt (new)" in people.replace("\n", " ")


def properties(client, name):
    found = client.get_blob_client(name).get_blob_properties()
    return {"content_settings": found.content_settings, "metadata": found.metadata}


def test_doctor_says_how_old_the_newest_backup_is(cli):
    said = cli("--json", "doctor", code=1)
    findings = {row["check"]: row for row in lines(said)}
    assert findings["container"]["result"] == "good"
    assert "days old" in findings[ANN]["message"]


@pytest.mark.parametrize(
    ("arguments", "env", "words"),
    [
        (("sources",), {"AZURE_STORAGE_CONNECTION_STRING": ""}, "DRIVE_BACKUP_CONTAINER_URL"),
        (("sources",), {"AZURE_STORAGE_CONNECTION_STRING": "nonsense"}, "connection string"),
        (("sources",), {"DRIVE_BACKUP_CONTAINER": "not-there"}, "not-there"),
        (("sources",), {"DRIVE_BACKUP_CONTAINER_URL": "example.com"}, "is not the URL of a container"),
        (("snapshots", "ann"), {}, "user/<email address>"),
        (("snapshots", "user/bob@example.com"), {}, "There is no snapshot of user/bob@example.com"),
        (("ls", ANN, "--at", "someday"), {}, "nor a time"),
        (("ls", ANN, "--at", "2020-01-01"), {}, "the first one is 20260301T000000.000Z"),
        (("restore", ANN, "--to", "/proc/nowhere"), {}, "cannot be used"),
    ],
)
def test_bad_input_is_a_sentence(cli, arguments, env, words):
    assert words in cli(*arguments, env=env, code=2)


@pytest.fixture
def local_drive(tmp_path):
    command = [sys.executable, "-m", "include.local_cloud.drive", "--port", "0", "--backend", "sample"]
    command += ["--root", str(tmp_path / "drive"), "--state", str(tmp_path / "drive")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        try:
            yield json.loads(process.stdout.readline())["url"], tmp_path / "drive" / "service-account.json"
        finally:
            process.terminate()
            process.wait(10)


def test_restore_brings_a_folder_back_into_drive_once(cli, local_drive):
    url, key = local_drive
    arguments = ("restore", ANN, "--path", "/Reports/", "--to-drive", ANN, "--google-key", str(key))
    for outcome in ("restored", "same"):
        results = lines(cli("--json", *arguments, env={"DRIVE_BACKUP_GOOGLE_ENDPOINT": url}))
        assert [(each["path"], each["outcome"]) for each in results] == [
            ("/Reports/", outcome),
            ("/Reports/a.txt", outcome),
        ]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ((), "--to FOLDER"),
        (("--to", "out", "--to-drive", ANN), "--to FOLDER"),
        (("--to-drive", "ann"), "user/<email address>"),
        (("--to-drive", ANN, "--google-key", "missing.json"), "--google-key"),
    ],
)
def test_a_restore_into_nowhere_is_a_sentence(cli, options, words):
    assert words in cli("restore", ANN, *options, code=2)


def test_a_restore_of_what_is_not_all_saved_ends_with_1(azurite, command_line, tmp_path):
    async def make(name):
        async with ContainerClient.from_connection_string(azurite, name) as client:
            store = AzureBlobStore(client, clock=SystemClock())
            await store.ensure_container(create=True)
            closed = folder("Closed", id="closed", capabilities={"canListChildren": False})
            made = Backup(FakeDrive(closed, file("a.txt", b"first", id="a")), store)
            made.drive.incomplete = True
            return (await made.run("2026-03-01"))["manifest"].split("/")[-2]

    name = f"c{uuid.uuid4().hex[:20]}"
    ident = asyncio.run(make(name))
    run = command_line(name)
    code, out, err = run("restore", ANN, "--at", ident, "--to", str(tmp_path / "out"), "--dry-run")
    assert code == 0
    assert (out + err).count("listing was incomplete") == 1
    assert "1 item not saved" in out + err
    code, out, err = run("restore", ANN, "--at", ident, "--to", str(tmp_path / "out"))
    assert code == 1
    assert (out + err).count("listing was incomplete") == 2
    assert "not-saved" in out + err
    code, out, err = run("restore", ANN, "--at", ident, "--to", str(tmp_path / "out"), "--path", "a.txt")
    assert (code, (tmp_path / "out" / "a.txt").read_bytes()) == (1, b"first")

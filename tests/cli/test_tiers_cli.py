"""``tier``, and a restore of what it archived, as a person runs them, on a real container in Azurite."""

import asyncio
import json
import uuid

import pytest
from azure.storage.blob import ContainerClient as SyncContainer
from azure.storage.blob.aio import ContainerClient

from include.drive_backup.blob.azure import AzureBlobStore
from include.drive_backup.cli import rehydrate
from include.drive_backup.clock import SystemClock
from tests.support.fake_drive import FakeDrive
from tests.support.flow import Backup
from tests.support.trees import file

ANN = "user/ann@example.com"

pytestmark = pytest.mark.integration


async def back_up(azurite, name):
    async with (
        ContainerClient.from_connection_string(azurite, name) as container,
        AzureBlobStore(container, SystemClock()) as store,
    ):
        await store.ensure_container(create=True)
        made = Backup(FakeDrive(*(file(f"{n} ä.txt", b"x" * 100 + bytes([n]), id=f"id{n}") for n in range(3))), store)
        await made.run()


@pytest.fixture
def cli(azurite, command_line, monkeypatch):
    name = f"c{uuid.uuid4().hex[:20]}"
    asyncio.run(back_up(azurite, name))
    monkeypatch.setenv("COLUMNS", "400")
    run = command_line(name)
    with SyncContainer.from_connection_string(azurite, name) as container:
        run.container = container
        yield run


def tiers(cli, prefix="content/"):
    return {str(blob.blob_tier) for blob in cli.container.list_blobs(name_starts_with=prefix)}


def archive(cli):
    for name in cli.container.list_blob_names(name_starts_with="content/"):
        cli.container.get_blob_client(name).set_standard_blob_tier("Archive")


def test_it_shows_what_would_move_and_moves_on_demand(cli):
    code, out, _ = cli("tier", ANN, "--cool-days", "0")
    assert code == 0
    assert "content: 3 blobs, 303 B would move to the cool tier" in out
    assert "Nothing was moved: add --apply." in out
    assert tiers(cli) == {"Hot"}
    code, out, _ = cli("--json", "tier", ANN, "--cool-days", "0", "--apply")
    assert code == 0
    planned, done = map(json.loads, out.splitlines())
    assert (planned["applied"], done["applied"]) == (False, True)
    assert planned["moves"] == done["moves"] == {"cool": {"blobs": 3, "bytes": 303}}
    assert (tiers(cli), tiers(cli, "snapshots/")) == ({"Cool"}, {"Hot"})
    assert "Nothing is due." in cli("tier", ANN, "--cool-days", "0", "--apply")[1]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ((), "Say when content is to move"),
        (("--cool-days", "30", "--cold-days", "3"), "a colder tier needs more days"),
        (("--archive-days", "3"), "--archive-days"),
    ],
)
def test_rules_that_make_no_sense_are_one_sentence(cli, arguments, sentence):
    code, _, err = cli("tier", ANN, *arguments, "--apply")
    assert (code, len(err.splitlines())) == (2, 1)
    assert sentence in err
    assert tiers(cli) == {"Hot"}


def test_a_restore_brings_back_what_is_archived(cli, tmp_path):
    archive(cli)
    code, out, _ = cli("restore", ANN, "--to", str(tmp_path / "out"), "--dry-run")
    assert code == 0
    assert "In the archive tier: 3 files, 303 B." in out
    assert tiers(cli) == {"Archive"}
    code, out, _ = cli("restore", ANN, "--to", str(tmp_path / "out"))
    assert code == 0
    assert "restored: 3 files; 303 B written" in out
    assert tiers(cli) == {"Hot"}
    assert (tmp_path / "out" / "2 ä.txt").read_bytes() == b"x" * 100 + bytes([2])


def test_without_waiting_it_asks_and_says_to_come_again(cli, tmp_path):
    archive(cli)
    arguments = ("restore", ANN, "--to", str(tmp_path / "out"), "--no-wait", "--rehydrate", "high")
    code, out, _ = cli("--json", *arguments)
    assert code == 3
    assert json.loads(out) == {"archived": {"files": 3, "bytes": 303, "rehydrating": 0, "priority": "high"}}
    assert not (tmp_path / "out").exists()
    assert cli(*arguments)[0] == 0
    assert len(list((tmp_path / "out").iterdir())) == 3


def test_what_cannot_be_rehydrated_is_named_and_the_rest_is_restored(cli, tmp_path, monkeypatch):
    [name, *_] = cli.container.list_blob_names(name_starts_with="content/")
    cli.container.get_blob_client(name).set_standard_blob_tier("Archive")

    async def refuse(store, archived, priority):
        return {
            info.name: rehydrate.Refused(reason="BlobImmutableDueToPolicy", message="A policy.") for info in archived
        }

    monkeypatch.setattr(rehydrate, "ask", refuse)
    code, out, _ = cli("restore", ANN, "--to", str(tmp_path / "out"), "--no-wait")
    assert code == 1
    assert "stays in the archive: A policy." in out
    assert "archive tier" in out
    assert "restored: 2 files;" in out
    assert "FAILED: 1 file;" in out

"""``forget``, ``hold`` and ``release`` as a person runs them, on a real container in Azurite."""

import asyncio
import json
import uuid
from datetime import UTC, datetime, timedelta

import pytest
from azure.storage.blob import BlobLeaseClient, ContainerSasPermissions, generate_container_sas
from azure.storage.blob import ContainerClient as SyncContainer
from azure.storage.blob.aio import ContainerClient

from include.drive_backup.blob.azure import AzureBlobStore
from include.drive_backup.clock import SystemClock
from tests.support.fake_drive import FakeDrive, at
from tests.support.flow import Backup
from tests.support.trees import file

ANN = "user/ann@example.com"
OLDEST = "20260301T000000.000Z"

pytestmark = pytest.mark.integration


async def back_up(azurite, name):
    async with (
        ContainerClient.from_connection_string(azurite, name) as container,
        AzureBlobStore(container, SystemClock()) as store,
    ):
        await store.ensure_container(create=True)
        made = Backup(FakeDrive(*(file(f"{n}.txt", b"x" * 100 + bytes([n]), id=f"id{n}") for n in range(8))), store)
        for day in range(1, 6):
            made.clock.set(at(f"2026-03-0{day}T00:10"))
            made.drive.write("id0", b"day %d" % day, f"2026-02-2{day}T00:00:00.000Z")
            await made.run(f"2026-03-0{day}")


@pytest.fixture
def cli(azurite, command_line):
    name = f"c{uuid.uuid4().hex[:20]}"
    asyncio.run(back_up(azurite, name))
    run = command_line(name)
    run.container = SyncContainer.from_connection_string(azurite, name)
    return run


def manifests(cli):
    return [name for name in cli.container.list_blob_names() if name.endswith("manifest.json")]


def test_it_shows_what_would_go_and_deletes_on_demand(cli):
    code, out, _ = cli("forget", ANN, "--keep-last", "4")
    assert code == 0
    assert f"forget  {OLDEST}  no rule keeps it" in out
    assert "Nothing was deleted: add --apply." in out
    assert len(manifests(cli)) == 5
    code, out, _ = cli("--json", "forget", ANN, "--keep-last", "4", "--apply")
    assert code == 0
    _plan, done = map(json.loads, out.splitlines())
    assert done["forgotten"] == [f"default/{OLDEST}"]
    assert "refused" not in done
    assert len(manifests(cli)) == 4
    assert not [name for name in cli.container.list_blob_names() if OLDEST in name and name.startswith("snapshots/")]
    # Written a moment ago: within the grace time all content stays.
    assert done["content"] == {}


def test_much_at_once_needs_another_word(cli):
    code, _, err = cli("forget", ANN, "--keep-last", "1", "--apply")
    assert code == 2
    assert "4 of 5 snapshots would be deleted, more than half." in err
    assert "--yes-really" in err
    assert len(manifests(cli)) == 5
    assert cli("forget", ANN, "--keep-last", "1", "--apply", "--yes-really")[0] == 0
    assert len(manifests(cli)) == 1


def test_a_hold_is_obeyed_until_it_is_released(cli):
    assert cli("hold", ANN, OLDEST, "case-7")[0] == 0
    _, out, _ = cli("forget", ANN, "--keep-last", "4", "--apply")
    assert "held: case-7" in out
    assert len(manifests(cli)) == 5
    assert cli("release", ANN, OLDEST, "case-7")[0] == 0
    assert cli("release", ANN, OLDEST, "case-7")[0] == 1
    cli("forget", ANN, "--keep-last", "4", "--apply")
    assert len(manifests(cli)) == 4


def test_without_a_rule_nothing_goes(cli):
    code, _, err = cli("forget", ANN, "--apply", "--yes-really")
    assert code == 2
    assert "Say what to keep" in err
    assert len(manifests(cli)) == 5


@pytest.fixture
def reader(cli, monkeypatch):
    """As somebody who has a signature to read, and nothing more, and no connection string."""
    signature = generate_container_sas(
        cli.container.account_name,
        cli.container.container_name,
        account_key=cli.container.credential.account_key,
        permission=ContainerSasPermissions(read=True, list=True),
        expiry=datetime.now(UTC) + timedelta(hours=1),
    )
    monkeypatch.setenv("DRIVE_BACKUP_CONTAINER_URL", f"{cli.container.url}?{signature}")
    monkeypatch.delenv("AZURE_STORAGE_CONNECTION_STRING")
    return cli


@pytest.mark.parametrize("command", ["hold", "release"])
def test_who_may_only_read_is_told_in_a_sentence_what_a_hold_needs(reader, command):
    code, _, err = reader(command, ANN, OLDEST, "case-7")
    assert code == 2
    assert f"may not {command} a snapshot: that needs the right to create, write and delete" in err
    lease = {"hold": "Acquire lease", "release": "Break lease"}[command]
    assert f"Azure Portal and choose '{lease}': snapshots/{ANN}/default/{OLDEST}/manifest.json" in err
    assert "Traceback" not in err
    assert not list(reader.container.list_blob_names(name_starts_with="holds/"))


def test_who_may_only_read_is_warned_and_restores_and_verifies(reader, tmp_path):
    code, _, err = reader("restore", ANN, "--to", str(tmp_path / "there"))
    assert code == 0
    assert err.count("This credential may only read") == 1
    assert len(list((tmp_path / "there").iterdir())) == 8
    code, _, err = reader("verify")
    assert code == 0
    assert err.count("This credential may only read") == 1


def test_a_snapshot_that_is_deleted_while_it_is_restored_ends_with_a_sentence(cli, tmp_path, monkeypatch):
    from include.drive_backup.cli import restore_progress

    real = restore_progress.run_restore

    async def slow(*arguments, **options):
        counts = await real(*arguments, **options)
        lease = cli.container.get_blob_client(manifests(cli)[-1])
        BlobLeaseClient(lease).break_lease(0)
        lease.delete_blob()
        return counts

    monkeypatch.setattr(restore_progress, "run_restore", slow)
    code, _, err = cli("restore", ANN, "--to", str(tmp_path / "there"))
    assert code == 2
    assert "was deleted while it was being restored" in err


def test_what_is_restored_is_protected_until_it_is_done(cli, tmp_path, monkeypatch):
    from include.drive_backup.cli import restore_progress

    real, seen = restore_progress.run_restore, []

    async def look(*arguments, **options):
        seen.extend(cli.container.list_blob_names(name_starts_with=f"reading/{ANN}/default/{OLDEST}/"))
        return await real(*arguments, **options)

    monkeypatch.setattr(restore_progress, "run_restore", look)
    assert cli("restore", ANN, "--at", OLDEST, "--to", str(tmp_path / "there"))[0] == 0
    assert len(seen) == 1
    assert not list(cli.container.list_blob_names(name_starts_with="reading/"))

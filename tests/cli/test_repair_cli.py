"""``repair`` as a person runs it: Azurite, and before it a proxy that keeps what is deleted as Azure does."""

import asyncio
import json
import uuid

import pytest
from azure.storage.blob import ContainerClient as SyncContainer
from azure.storage.blob.aio import ContainerClient

from include.drive_backup.blob.azure import AzureBlobStore
from include.drive_backup.clock import SystemClock
from include.drive_backup.locking import SourceLock
from include.drive_backup.model import Source
from tests.support.fake_drive import FakeDrive
from tests.support.flow import Backup
from tests.support.keeping_proxy import keeping_in_thread
from tests.support.trees import file

ANN = "user/ann@example.com"
LARGE = bytes(range(256)) * 40_000

pytestmark = pytest.mark.integration


async def back_up(azurite, name):
    async with (
        ContainerClient.from_connection_string(azurite, name) as container,
        AzureBlobStore(container, SystemClock()) as store,
    ):
        await store.ensure_container(create=True)
        await Backup(FakeDrive(file("Bäume.txt", b"leaves"), file("large.bin", LARGE)), store).run()


@pytest.fixture(params=[False, True], ids=["soft delete", "versions"])
def cli(azurite, command_line, monkeypatch, request):
    name = f"c{uuid.uuid4().hex[:20]}"
    asyncio.run(back_up(azurite, name))
    monkeypatch.setenv("COLUMNS", "400")
    run = command_line(name)
    with keeping_in_thread(azurite, versions=request.param) as (proxy, connection):
        monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", connection)
        with SyncContainer.from_connection_string(connection, name) as container:
            run.container, run.proxy = container, proxy
            yield run


def content(cli, word):
    return next(name for name in cli.container.list_blob_names(name_starts_with="content/") if word in name)


def harm(cli):
    """One content deleted, another one written over."""
    cli.container.delete_blob(content(cli, "Bäume"))
    cli.container.upload_blob(content(cli, "large"), b"encrypted", overwrite=True)


def test_what_was_deleted_and_written_over_comes_back(cli):
    assert cli("repair")[:2] == (0, f"{ANN}: nothing is damaged.\n")
    names = [content(cli, "Bäume"), content(cli, "large")]
    facts = [cli.container.get_blob_client(name).get_blob_properties() for name in names]
    harm(cli)
    assert cli("verify", "--record")[0] == 1

    code, out, _ = cli("repair")
    assert code == 1
    assert "can be repaired  /Bäume.txt" in out
    assert "can be repaired  /large.bin" in out
    assert "2 blobs can be repaired; run it again with --apply; whole then: 2026" in out
    assert cli("verify")[0] == 1

    code, out, _ = cli("repair", "--apply")
    assert code == 0
    assert out.count("REPAIRED  ") == 2
    assert "2 blobs repaired; whole again: 2026" in out
    for name, before, data in zip(names, facts, (b"leaves", LARGE), strict=True):
        blob = cli.container.get_blob_client(name)
        now = blob.get_blob_properties()
        assert blob.download_blob().readall() == data
        assert now.metadata == before.metadata
        assert now.content_settings.content_md5 == before.content_settings.content_md5
        assert now.content_settings.content_type == before.content_settings.content_type
    assert cli("verify", "--read", "all")[0] == 0
    assert cli("repair", "--apply")[:2] == (0, f"{ANN}: nothing is damaged.\n")
    for name in names:
        cli.container.delete_blob(name)


def test_for_programs_there_is_json(cli):
    harm(cli)
    code, out, _ = cli("--json", "repair")
    said = json.loads(out.splitlines()[-1])
    assert (code, said["applied"], len(said["remedies"])) == (1, False, 2)


def test_a_credential_that_may_only_read_is_told_so_and_the_dry_run_works(cli):
    harm(cli)
    cli.proxy.may_write = False
    code, out, _ = cli("repair")
    assert (code, out.count("can be repaired  ")) == (1, 2)
    code, out, err = cli("repair", "--apply")
    assert code == 2
    assert "may not write here, so nothing was repaired" in err
    assert "Traceback" not in err
    assert cli.proxy.undeleted == 0


def test_a_source_that_a_backup_holds_keeps_no_other_from_being_repaired(cli, azurite):
    async def busy_beside_another():
        async with (
            ContainerClient.from_connection_string(azurite, cli.container.container_name) as container,
            AzureBlobStore(container, SystemClock()) as store,
        ):
            await Backup(FakeDrive(file("zoe.txt", b"of zoe")), store).run(source="user/zoe@example.com")
            await SourceLock(store, Source.parse(ANN), "google_drive_backup/now").take()

    asyncio.run(busy_beside_another())
    cli.container.delete_blob(content(cli, "zoe.txt"))
    code, out, err = cli("repair", "--apply")
    assert (code, "REPAIRED  /zoe.txt" in out) == (1, True)
    assert f"WARNING: {ANN} is held by another run, google_drive_backup/now" in err
    code, _, err = cli("repair", ANN, "--apply")
    assert (code, "is held by another run" in err) == (2, True)


def test_where_the_account_keeps_nothing_another_blob_with_the_same_bytes_is_taken(cli, azurite):
    async def of_zoe():
        async with (
            ContainerClient.from_connection_string(azurite, cli.container.container_name) as container,
            AzureBlobStore(container, SystemClock()) as store,
        ):
            await Backup(FakeDrive(file("her own.bin", LARGE, id="z")), store).run(source="user/zoe@example.com")

    asyncio.run(of_zoe())
    name, other = content(cli, "large"), content(cli, "zoe")
    before = cli.container.get_blob_client(name).get_blob_properties()
    cli.container.delete_blob(name)
    cli.proxy.kept.clear()
    code, out, _ = cli("repair", ANN)
    assert code == 1
    assert f"can be repaired  /large.bin ({name}): the blob {other} has the right bytes (SHA-256 compared)." in out
    code, out, _ = cli("repair", ANN, "--apply")
    assert (code, "1 blob repaired; whole again: 2026" in out) == (0, True)
    blob = cli.container.get_blob_client(name)
    assert blob.download_blob().readall() == LARGE
    assert blob.get_blob_properties().metadata["file_id"] == before.metadata["file_id"] != "z"
    assert blob.get_blob_properties().content_settings.content_md5 == before.content_settings.content_md5
    assert cli("verify", "--read", "all")[0] == 0

"""``erase`` as a person runs it: Azurite, and before it a proxy that keeps what is deleted as Azure does."""

import asyncio
import json
import uuid

import pytest
from azure.storage.blob import ContainerClient as SyncContainer
from azure.storage.blob.aio import ContainerClient

from include.drive_backup.blob.azure import AzureBlobStore
from include.drive_backup.clock import SystemClock
from tests.support.fake_drive import FakeDrive
from tests.support.flow import Backup
from tests.support.keeping_proxy import keeping_in_thread
from tests.support.trees import ROOT, file, folder

ANN, BOB = "user/ann@example.com", "user/bob@example.com"
BY = ("--apply", "--by", "Dana, case 12")

pytestmark = pytest.mark.integration


async def back_up(azurite, name):
    async with (
        ContainerClient.from_connection_string(azurite, name) as container,
        AzureBlobStore(container, SystemClock()) as store,
    ):
        await store.ensure_container(create=True)
        files = [file("Bäume.txt", b"leaves", id="leaves-1"), file("b.txt", b"bee", id="bee-1")]
        backup = Backup(FakeDrive(folder("Docs", *files, id="docs-1")), store)
        for instant in ("2026-03-01", "2026-03-02"):
            await backup.run(instant)
        await backup.run("2026-03-02", BOB)


@pytest.fixture(params=["nothing", "soft delete", "versions"])
def cli(azurite, command_line, monkeypatch, request):
    name = f"c{uuid.uuid4().hex[:20]}"
    asyncio.run(back_up(azurite, name))
    monkeypatch.setenv("COLUMNS", "400")
    run = command_line(name)
    run.keeps = request.param != "nothing"
    if not run.keeps:
        with SyncContainer.from_connection_string(azurite, name) as run.container:
            yield run
        return
    with keeping_in_thread(azurite, versions=request.param == "versions") as (_, connection):
        monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", connection)
        with SyncContainer.from_connection_string(connection, name) as run.container:
            yield run


def names(cli, prefix=""):
    return list(cli.container.list_blob_names(name_starts_with=prefix))


def test_an_item_goes_from_all_sources_and_the_other_commands_say_so(cli, tmp_path):
    before = names(cli)
    code, out, _ = cli("erase", "--item", "leaves-1")
    assert code == 0
    assert f"{ANN}: 2 snapshots would be written again without leaves-1" in out
    assert f"{BOB}: 1 snapshot would be written again without leaves-1" in out
    assert "  content: 1 blob, 6 B would be deleted" in out.splitlines()
    assert "\\x0a" not in out
    assert "The next backup stores it again if Drive still has it and the job still selects it" in out
    assert out.endswith("Nothing was erased: add --apply and --by.\n")
    assert names(cli, "snapshots/") == [name for name in before if name.startswith("snapshots/")]

    code, out, _ = cli("erase", "--item", "leaves-1", *BY, "--reason", "letter")
    assert code == 0
    assert f"{ANN}: 2 snapshots written again without leaves-1" in out
    assert f"{BOB}: 1 snapshot written again without leaves-1" in out.splitlines()
    assert "\\x0a" not in out
    assert ("The storage account KEEPS deleted or older states" in out) == cli.keeps
    assert not any("B%C3%A4ume" in name or "Bäume" in name for name in names(cli))
    record = json.loads(cli.container.download_blob(next(n for n in names(cli) if n.endswith("done.json"))).readall())
    assert (record["by"], record["whole"]) == ("Dana, case 12", True)

    code, out, err = cli("ls", ANN, "/Docs")
    assert (code, "b.txt" in out, "Bäume" in out) == (0, True, False)
    assert "1 item was erased, last on" in err
    assert "record: erased/user/ann@example.com/" in err
    code, out, err = cli("restore", ANN, "--to", str(tmp_path))
    assert (code, (tmp_path / "Docs" / "b.txt").read_bytes()) == (0, b"bee")
    assert not (tmp_path / "Docs" / "Bäume.txt").exists()
    assert "1 item was erased" in err
    code, out, _ = cli("verify", "--read", "all")
    assert (code, "nothing is damaged" in out) == (0, True)
    assert "2 items erased by a person from 2 snapshots, counted in each" in out
    assert "1 item was erased" in cli("snapshots", ANN)[1]
    assert "1 item was erased" in cli("diff", ANN, "2026-03-01", "2026-03-02")[2]
    assert "1 item was erased" in cli("doctor")[1]
    assert cli("erase", "--item", "leaves-1")[1].startswith("Nothing else that was searched names it.")


def test_a_source_goes_and_nothing_else(cli):
    others = {name: cli.container.download_blob(name).readall() for name in names(cli) if "bob@" in name}
    code, out, _ = cli("erase", ANN)
    assert (code, f"{ANN}: 2 snapshots would be deleted" in out) == (0, True)
    code, out, _ = cli("erase", ANN, *BY)
    assert (code, f"{ANN}: 2 snapshots deleted" in out) == (0, True)
    assert [name for name in names(cli) if "ann@" in name and not name.startswith(("erased/", "locks/"))] == []
    assert {name: cli.container.download_blob(name).readall() for name in others} == others
    assert f"{ANN}: nothing of it is here." in cli("erase", ANN)[1]
    assert cli("verify")[0] == 0


def test_a_held_snapshot_stays_and_the_exit_code_says_so(cli):
    cli("hold", ANN, "2026-03-01", "court")
    assert "STAYS AS IT IS: held by 'court'" in cli("erase", "--item", "leaves-1")[1]
    code, out, _ = cli("erase", "--item", "leaves-1", *BY)
    assert code == 1
    assert "STAYS AS IT IS: it is held or read now" in out
    assert "ALSO NAMED in 1 snapshot of user/ann@example.com, by the rows of 1 item (leaves-1)" in out
    assert "Bäume.txt" in cli("ls", ANN, "/Docs", "--at", "2026-03-01")[1]
    code, out, _ = cli("--json", "erase", "--item", "leaves-1", *BY)
    lines = [json.loads(line) for line in out.splitlines()]
    assert (code, lines[0]["erased"]["whole"], len(lines[0]["erased"]["kept"])) == (1, False, 1)


@pytest.mark.parametrize("apply", [(), BY])
def test_the_folder_that_a_source_starts_at_is_not_erased_and_that_is_said(cli, apply):
    before = [name for name in names(cli) if not name.startswith("work/")]
    code, out, _ = cli("erase", "--item", ROOT, *apply)
    assert code == (1 if apply else 0)
    assert f"{ROOT} is the folder that {ANN} starts at: to erase that, erase the source." in out
    assert "nothing of it is here" not in out
    assert [name for name in names(cli, "snapshots/") + names(cli, "content/") if name not in before] == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "Say what to erase: a source, such as user/ann@example.com, or an item with --item ID."),
        ((ANN, "--item", "x"), "Say what to erase"),
        ((ANN, "--apply"), "Say who erases: --by"),
        ((ANN, *BY[:2], "a\nb"), "--by takes up to 200 printable characters."),
        (("--item", " "), "--item wants the id of an item"),
        (("ann",), "ann"),
    ],
)
def test_bad_input_gets_a_sentence(command_line, arguments, said):
    code, _, err = command_line("none")("erase", *arguments)
    assert code == 2
    assert said in err
    assert "Traceback" not in err

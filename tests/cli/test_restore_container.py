"""``restore --to-container`` as a person runs it, from one storage account into another one."""

import base64
from datetime import UTC, datetime, timedelta

import pytest
from azure.storage.blob import ContainerClient, ContainerSasPermissions, generate_container_sas
from azure.storage.blob.aio import ContainerClient as AsyncContainerClient

from include.drive_backup.blob.calls import CallSettings
from include.drive_backup.blob.target import AzureTargetStore
from include.drive_backup.clock import SystemClock
from include.drive_backup.manifest.repository import SnapshotRepository
from include.drive_backup.model import Source
from include.drive_backup.pacing import Backoff
from include.drive_backup.restore.container import TargetContainer
from include.drive_backup.restore.container_names import container_names
from include.drive_backup.restore.run import restore
from include.drive_backup.restore.selection import Selection, select
from include.drive_backup.transfer.upload import BLOCK_SIZE
from include.local_cloud.process import free_port, module, start
from tests.cli.test_cli import ANN, backup, cli, lines  # noqa: F401 - fixtures
from tests.support.blob_proxy import blob_proxy
from tests.support.fake_drive import FakeDrive
from tests.support.flow import Backup
from tests.support.trees import file, folder, native

pytestmark = pytest.mark.integration

KEY = base64.b64encode(b"another account's key").decode()
THEN = {"Plan.docx": b"docx bytes", "Reports/a.txt": b"first", "Reports/old.txt": b"old", "tab%09here.txt": b"x"}


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory):
    """Another storage account, on a server of its own; its connection string."""
    state = tmp_path_factory.mktemp("elsewhere")
    arguments = ("--port", str(free_port()), "--location", str(state / "data"), "--account", "elsewhere", "--key", KEY)
    service = start("azurite", module("include.local_cloud.azurite", *arguments), state=state, timeout=1_000)
    try:
        yield service.info["connection_string"]
    finally:
        service.stop(grace=120)


@pytest.fixture
def container(elsewhere, request):
    """An empty container there."""
    name = f"t{abs(hash(request.node.name))}"
    with ContainerClient.from_connection_string(elsewhere, name) as client:
        client.create_container()
        yield client


def url_of(client, **rights):
    """Its URL, with a SAS that has no right but those that restore.md asks for."""
    signature = generate_container_sas(
        client.account_name,
        client.container_name,
        account_key=client.credential.account_key,
        permission=ContainerSasPermissions(**(rights or {"read": True, "list": True, "create": True, "write": True})),
        expiry=datetime.now(UTC) + timedelta(hours=1),
    )
    return f"{client.url}?{signature}"


def files(client):
    return {blob.name: client.download_blob(blob.name).readall() for blob in client.list_blobs()}


def test_a_snapshot_goes_into_a_container_of_another_account(cli, container):  # noqa: F811
    arguments = ("restore", ANN, "--at", "2026-03-02", "--to-container", url_of(container))
    said = cli(*arguments)
    assert "restored: 4 files;" in said
    assert "sig=" not in said
    assert files(container) == THEN
    properties = container.get_blob_client("Plan.docx").get_blob_properties()
    assert properties.content_settings.content_type.endswith("wordprocessingml.document")
    assert properties.metadata["file_id"] == "plan"
    before = {blob.name: blob.etag for blob in container.list_blobs()}
    assert "there already with the same content: 4 files, 1 folder;" in " ".join(cli(*arguments).split())
    assert {blob.name: blob.etag for blob in container.list_blobs()} == before


def test_a_folder_goes_under_a_prefix_and_replaces_what_is_there(cli, container):  # noqa: F811
    container.upload_blob("safe/Reports/a.txt", b"mine")
    some = ("--at", "2026-03-02", "--path", "/Reports/", "--to-container", url_of(container), "--prefix", "safe")
    skipped = cli("restore", ANN, *some, "--conflict", "skip")
    assert "skipped, as asked: 1 file;" in " ".join(skipped.split())
    results = lines(cli("--json", "restore", ANN, *some, "--conflict", "replace"))
    results.sort(key=lambda each: each["path"])
    assert [(each["path"], each["outcome"]) for each in results] == [
        ("/Reports/", "same"),
        ("/Reports/a.txt", "restored"),
        ("/Reports/old.txt", "same"),
    ]
    assert results[1]["target"] == f"{container.url}/safe/Reports/a.txt"
    assert files(container) == {"safe/Reports/a.txt": b"first", "safe/Reports/old.txt": b"old"}


def test_a_dry_run_writes_nothing(cli, container):  # noqa: F811
    found = lines(cli("--json", "restore", ANN, "--to-container", url_of(container), "--dry-run", "--id", "a"))
    assert [row["path"] for row in found] == ["/Reports/", "/Reports/a.txt"]
    assert files(container) == {}


def test_what_cannot_be_a_target_is_said_in_a_sentence(cli, backup, container):  # noqa: F811
    connection_string, name = backup
    with ContainerClient.from_connection_string(connection_string, name) as own:
        before = [(blob.name, blob.etag) for blob in own.list_blobs()]
        # Another address of the same container: the service also answers under this name.
        for url in (url_of(own), url_of(own).replace("127.0.0.1", "localhost")):
            for more in ((), ("--dry-run",), ("--prefix", "restored", "--conflict", "replace")):
                assert "holds a backup" in cli("restore", ANN, "--to-container", url, *more, code=2)
        assert [(blob.name, blob.etag) for blob in own.list_blobs()] == before
    missing = url_of(container).replace(container.container_name, "missing")
    assert "missing" in cli("restore", ANN, "--to-container", missing, code=2)
    assert "not the URL of a container" in cli("restore", ANN, "--to-container", "https://x", code=2)
    assert "where a backup keeps" in cli(
        "restore", ANN, "--to-container", url_of(container), "--prefix", "content", code=2
    )
    assert "one of: --to FOLDER" in cli("restore", ANN, "--to", "out", "--to-container", url_of(container), code=2)
    assert "--prefix goes with" in cli("restore", ANN, "--to", "out", "--prefix", "x", code=2)
    readonly = url_of(container, read=True, list=True)
    assert "AuthorizationPermissionMismatch" in cli("restore", ANN, "--to-container", readonly, code=2)
    assert files(container) == {}


def faults(kinds):
    """Strikes every third write, with one fault after the other."""
    seen, kinds = 0, list(kinds)

    def pick(request):
        nonlocal seen
        seen += request.method == "PUT"
        return kinds.pop(0) if kinds and request.method == "PUT" and seen % 3 == 1 else None

    return pick


LARGE = bytes(range(256)) * (BLOCK_SIZE // 256) * 2 + b"end"
HARD = (
    "a/b\\c.txt",
    "..",
    "naïve 🙂.pdf",
    "語" * 200,
    " a. ",
    "100% ~sure?#&+.txt",
    "con:trol\n\x85",
    "",
    "x" * 300 + ".bin",
)


@pytest.mark.parametrize("conflict", ["copy", "replace"])
async def test_on_a_bad_line_everything_arrives_once(elsewhere, container, conflict):
    """Cut before and after it was served, refused, lost: of hard names, many blocks, and what has to be replaced."""
    names = [file(name, f"{n}".encode() * 10, id=f"n{n}") for n, name in enumerate(HARD)]
    made = Backup(FakeDrive(folder("Hard", *names), folder("Empty"), native("Plan", id="p"), file("large.bin", LARGE)))
    await made.run(formats={"document": ["docx"]})
    manifest = await SnapshotRepository(made.store).find(Source.parse(ANN))
    wanted = await select(made.store, manifest, Selection())
    blobs = container_names(wanted.values(), "")
    for name in ("large.bin", "Hard/naïve 🙂.pdf"):
        container.upload_blob(name, b"mine")
    origin, _, path = container.url.rpartition("/elsewhere/")
    settings = CallSettings(backoff=Backoff(attempts=8, first=0.01))
    async with blob_proxy(origin, faults(("cut", "lost", "503", "500") * 4)) as proxy:
        string = elsewhere.replace(origin, proxy.url)
        async with (
            AsyncContainerClient.from_connection_string(string, path) as client,
            AzureTargetStore(client, SystemClock(), settings) as target,
        ):
            destination = TargetContainer(target, blobs, made.store, (ANN, manifest.name.ident), conflict)
            results = []
            for _ in range(2):
                counts = await restore(made.store, manifest, wanted, destination, results.append, in_flight=4)
                assert not counts["failed"], results
    assert len(proxy.struck) >= 3
    found = files(container)
    copies = {"large (2).bin", "Hard/naïve 🙂 (2).pdf"} if conflict == "copy" else set()
    written = {name for (path, form), name in blobs.items() if not name.endswith("/")}
    assert set(found) == written | copies
    assert LARGE in found.values()
    assert sorted(found.values()) == sorted(
        [*(f"{n}".encode() * 10 for n in range(len(HARD))), LARGE, b"", made.drive.contents["p"]]
        + ([b"mine", b"mine"] if copies else [])
    )

"""docs/format.md says what is really stored, and its reader reads it."""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import get_args

import pytest
from azure.storage.blob import ContainerSasPermissions, generate_container_sas
from azure.storage.blob.aio import ContainerClient

from include.drive_backup.blob.azure import AzureBlobStore
from include.drive_backup.blob.metadata import content_metadata, stored_file
from include.drive_backup.blob.segments import encode_segment
from include.drive_backup.clock import SystemClock
from include.drive_backup.left.told import State
from include.drive_backup.manifest import catalogue
from include.drive_backup.manifest.manifest import Manifest
from include.drive_backup.manifest.tables import CONTENT, DETAILS_SCHEMA, LEFT_SCHEMA, SCHEMA
from include.drive_backup.model import FOLDER, CopyOrder, Detail
from tests.core.manifest.plans import commit, content, copied, item, refused, row
from tests.support import exfat
from tests.support.fake_drive import FakeDrive
from tests.support.flow import Backup
from tests.support.memory_blob import MemoryBlobStore
from tests.support.trees import file, folder, items, native

DOC = Path("docs/format.md").read_text()


def section(title):
    return DOC.split(f"\n## {title}\n")[1].split("\n## ")[0]


def described(title):
    """The words in the first column of the tables of a section."""
    first = [line.split("|")[1] for line in section(title).splitlines() if line.startswith("|")]
    return {word for cell in first for word in re.findall(r"`([a-z0-9_]+)`", cell)}


def test_every_key_and_column_is_described_and_no_other():
    assert described("The manifest") == set(Manifest.__struct_fields__)
    words = {"copied", "unchanged", "known", "metadata", "unavailable", "failed", "exact", "outcome", "fidelity"}
    words |= {"revision", "earlier", "unproven"}
    assert described("The catalogue") - words == set(SCHEMA.names) - words
    assert set(SCHEMA.names) <= described("The catalogue")
    assert set(CONTENT.names) <= set(re.findall(r"`([a-z0-9_]+)`", section("The catalogue")))
    assert described("What left") == set(LEFT_SCHEMA.names)
    assert set(re.findall(r"^- \*\*(\w+)\*\*", section("What left"), re.MULTILINE)) == set(get_args(State))
    assert described("The details") == set(DETAILS_SCHEMA.names)
    assert set(re.findall(r"^- \*\*(\w+)\*\*", section("The details"), re.MULTILINE)) == set(get_args(Detail))


def test_every_metadata_key_is_described_and_read_back():
    stored = content("a")
    whole = item("a", headRevisionId="r1", name="é" * 5000)
    times = {"until": datetime.now(UTC), "read": datetime.now(UTC)}
    metadata = content_metadata(CopyOrder(item=whole, path="a", blob=stored.blob), stored, **times)
    assert described("Content blobs") - {"drive_size"} == set(metadata)
    (document,) = items(native("Plan", size="1024"))
    assert content_metadata(CopyOrder(item=document, path="Plan", blob=stored.blob), stored)["drive_size"] == "1024"


async def test_what_a_blob_says_of_itself_comes_back_unless_it_is_not_true():
    store = MemoryBlobStore()
    stored = content("a")
    metadata = content_metadata(CopyOrder(item=item("a", name="Grüße 😀" * 900), path="a", blob=stored.blob), stored)
    await store.put(stored.blob, b"hello", content_type="text/plain", metadata=metadata)
    info = await store.head(stored.blob)
    found = stored_file(info)
    assert found.content == stored
    assert (found.file_id, found.source) == ("a", "user/ann@example.com")
    for lie in ({"size": "6"}, {"md5": "0" * 32}, {"file_id": ""}, {"sha256": ""}):
        other = MemoryBlobStore()
        truth = {key: value for key, value in (metadata | lie).items() if value}
        await other.put(stored.blob, b"hello", metadata=truth)
        assert stored_file(await other.head(stored.blob)) is None


@pytest.mark.parametrize(
    ("name", "segment"),
    [("/", "%2F"), ("~", "%7E"), ("..", "%2E%2E"), ("", "~"), ("\ud800", "%ED%A0%80"), ("a:", "a:")],
)
def test_the_encoding_is_as_described(name, segment):
    assert encode_segment(name) == segment


async def test_the_digests_can_be_computed_as_described():
    """By the code in the document, of all tables, with every kind of value."""
    drive = FakeDrive(
        file("é \ud800 ~\x00.txt", b"a", id="a"), folder("f", file("b", b"", id="b"), id="f"), native("n", id="n")
    )
    drive.contents["n"] = b"docx"
    drive.kept = {("a", "comments"): [{"content": "well \ud83d"}], ("b", "comments"): []}
    drive.items["b"] |= {"createdTime": "1969-12-31T23:59:59.001Z"}
    backup, settings = Backup(drive), {"formats": {"document": ["docx", "pdf"]}, "save": ("comments", "permissions")}
    await backup.run("2026-02-28", **settings)
    drive.delete("b")
    manifest = json.loads(await backup.store.read((await backup.run(**settings))["manifest"]))
    (code,) = re.findall(r"```py\n(.*?)```", DOC, re.DOTALL)
    described = {}
    exec(code, described)
    for table in (manifest, manifest["details"], manifest["left"]):
        assert table["parts"]
        parts = [await backup.store.read(part["blob"]) for part in table["parts"]]
        assert described["digest"](parts) == table["digest"]


async def by_hand(manifest, target, before="", **env):
    """Run the script in the document.

    :param before: Python to run first.
    """
    (script,) = re.findall(r"```python\n(.*?)```", DOC, re.DOTALL)
    return await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-c", f"{before}\n{script}", manifest, str(target)],
        env={**os.environ, **env},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.integration
async def test_the_reader_in_the_document_restores_a_snapshot(azurite, tmp_path):
    name, data = f"c{uuid.uuid4().hex[:20]}", {"a": b"hello", "b": b""}
    async with (
        ContainerClient.from_connection_string(azurite, name) as client,
        AzureBlobStore(client, SystemClock()) as store,
    ):
        await store.ensure_container(create=True)
        stored = {ident: content(ident, body) for ident, body in data.items()}
        for ident, body in data.items():
            await store.put(stored[ident].blob, body)
        folder = item("f", name="Café/x", mimeType="application/vnd.google-apps.folder")
        rows = [
            row("f", "metadata", item=folder, path="Café%2Fx"),
            row("a", copies=1, path="Café%2Fx/a.txt"),
            row("b", "unchanged", contents=(stored["b"],)),
            row("c", copies=1),
        ]
        results = [copied(stored["a"], "a"), refused("c", "unavailable", "cannotDownload")]
        summary = await commit(store, rows, results)
    done = await by_hand(summary["manifest"], tmp_path, CONNECTION_STRING=azurite, CONTAINER=name)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "Café%2Fx" / "a.txt").read_bytes() == b"hello"
    assert (tmp_path / "b.txt").read_bytes() == b""
    assert "not saved: c.txt: It is cannotDownload." in done.stdout


LONG = "é" * 200 + ".txt"


@pytest.fixture
async def bad_day(azurite, monkeypatch):
    """A snapshot of two parts; of five files one is spoilt, one is lost, one is lost with the second part."""
    monkeypatch.setattr(catalogue, "GROUP_ROWS", 4)
    monkeypatch.setattr(catalogue, "PART_ROWS", 4)
    async with (
        ContainerClient.from_connection_string(azurite, f"c{uuid.uuid4().hex[:20]}") as client,
        AzureBlobStore(client, SystemClock()) as store,
    ):
        await store.ensure_container(create=True)
        stored = {ident: content(ident, ident.encode()) for ident in ("a", "b", "c", "d", "e")}
        for ident, each in stored.items():
            await store.put(each.blob, ident.encode())
        paths = {"a": "a.txt", "b": "b.txt", "c": "c.txt", "d": LONG, "e": "e.txt"}
        rows = [row(ident, "unchanged", contents=(stored[ident],), path=path) for ident, path in paths.items()]
        manifest = (await commit(store, rows, []))["manifest"]
        await client.upload_blob(stored["b"].blob, b"spoilt", overwrite=True)
        await store.delete([stored["c"].blob, manifest.replace("manifest.json", "items-00001.parquet")])
        yield client, manifest


def signature(client):
    return generate_container_sas(
        client.account_name,
        client.container_name,
        account_key=client.credential.account_key,
        permission=ContainerSasPermissions(read=True, list=True),
        expiry=datetime.now(UTC) + timedelta(hours=1),
    )


@pytest.mark.integration
async def test_the_reader_in_the_document_goes_on_after_damage_and_names_it_at_the_end(bad_day, tmp_path):
    client, manifest = bad_day
    (tmp_path / "a.txt").write_bytes(b"mine")
    for _ in range(2):
        done = await by_hand(manifest, tmp_path, CONTAINER_URL=f"{client.url}?{signature(client)}")
        assert done.returncode == 1, done.stderr
        lost = [line for line in done.stdout.splitlines() if line.startswith("NOT RESTORED")]
        assert [re.search(r"b\.txt|c\.txt|items-00001", line)[0] for line in lost] == ["b.txt", "c.txt", "items-00001"]
        assert f"renamed: {LONG} is " in done.stdout
        found = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
        [long] = [name for name in found if name.startswith("é")]
        assert (long.endswith(".txt"), len(long.encode()) <= 255, found.pop(long)) == (True, True, b"d")
        # What was there is as it was, nothing spoilt has a name, and what is there is not written again.
        assert found == {"a.txt": b"mine", "a a.txt": b"a"}


#: Lets the program's own process refuse what exFAT refuses.
EXFAT = """
import sys, types
from tests.support import exfat
exfat.pretend(types.SimpleNamespace(setattr=setattr), sys.argv[2])
"""


@pytest.fixture(params=["double", "exfat"])
def no_colons(request, tmp_path):
    """A folder of a file system without colons and question marks, and what to run before a program that uses it."""
    if request.param == "double":
        yield tmp_path, EXFAT
        return
    with exfat.mounted(tmp_path) as place:
        if place is None:
            pytest.skip("this machine cannot mount an exFAT (needs root, exfatprogs, exfat-fuse)")
        yield place, ""


@pytest.mark.integration
async def test_the_reader_in_the_document_encodes_what_the_file_system_cannot_hold(azurite, no_colons):
    target, before = no_colons
    async with (
        ContainerClient.from_connection_string(azurite, f"c{uuid.uuid4().hex[:20]}") as client,
        AzureBlobStore(client, SystemClock()) as store,
    ):
        await store.ensure_container(create=True)
        paths = {"a": 'To: "all"?/a|b.txt', "b": "To%3A.txt", "c": "<c>*.txt"}
        stored = {ident: content(ident, ident.encode()) for ident in paths}
        for ident, each in stored.items():
            await store.put(each.blob, ident.encode())
        rows = [row(ident, "unchanged", contents=(stored[ident],), path=path) for ident, path in paths.items()]
        rows.append(row("f", "metadata", item=item("f", mimeType=FOLDER), path="Empty?"))
        manifest = (await commit(store, rows, []))["manifest"]
        for _ in range(2):
            done = await by_hand(manifest, target, before, CONTAINER_URL=f"{client.url}?{signature(client)}")
            assert (done.returncode, done.stderr) == (0, "")
            found = {str(path.relative_to(target)): path.is_dir() or path.read_bytes() for path in target.rglob("*")}
            assert found == {
                "To%3A %22all%22%3F": True,
                "To%3A %22all%22%3F/a%7Cb.txt": b"a",
                "To%3A.txt": b"b",
                "%3Cc%3E%2A.txt": b"c",
                "Empty%3F": True,
            }
            assert "renamed: <c>*.txt is " in done.stdout


@pytest.mark.integration
async def test_the_reader_in_the_document_takes_a_key_and_says_what_is_wrong_in_a_sentence(bad_day, tmp_path):
    client, manifest = bad_day
    given = {"CONTAINER_URL": client.url, "ACCOUNT_KEY": client.credential.account_key}
    assert (await by_hand(manifest, tmp_path / "there", **given)).returncode == 1
    assert (tmp_path / "there" / "a.txt").read_bytes() == b"a"
    done = await by_hand(f"{manifest}.not", tmp_path / "nowhere", **given)
    assert (done.returncode, "cannot be read" in done.stderr, "Traceback" in done.stderr) == (1, True, False)

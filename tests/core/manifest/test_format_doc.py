"""docs/format.md says what is really stored, and its reader reads it."""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import get_args

import pytest
from azure.storage.blob.aio import ContainerClient

from include.drive_backup.blob.azure import AzureBlobStore
from include.drive_backup.blob.metadata import content_metadata, stored_file
from include.drive_backup.blob.segments import encode_segment
from include.drive_backup.clock import SystemClock
from include.drive_backup.left.told import State
from include.drive_backup.manifest.manifest import Manifest
from include.drive_backup.manifest.tables import CONTENT, DETAILS_SCHEMA, LEFT_SCHEMA, SCHEMA
from include.drive_backup.model import CopyOrder, Detail
from tests.core.manifest.plans import commit, content, copied, item, refused, row
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
    (script,) = re.findall(r"```python\n(.*?)```", DOC, re.DOTALL)
    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-c", script, summary["manifest"], str(tmp_path)],
        env={**os.environ, "CONNECTION_STRING": azurite, "CONTAINER": name},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "Café%2Fx" / "a.txt").read_bytes() == b"hello"
    assert (tmp_path / "b.txt").read_bytes() == b""
    assert "not saved: c.txt: It is cannotDownload." in done.stdout

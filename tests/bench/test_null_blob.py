"""The endpoint of the benchmarks answers the real client as Blob would, as far as it answers at all."""

import base64
import hashlib
import json
import subprocess
import sys
from urllib.request import urlopen

import pytest
from azure.core.exceptions import ResourceExistsError, ResourceNotFoundError
from azure.storage.blob import BlobBlock, ContainerClient, ContentSettings

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def container():
    with subprocess.Popen([sys.executable, "-m", "benchmarks.null_blob"], stdout=subprocess.PIPE, text=True) as process:
        try:
            ready = json.loads(process.stdout.readline())
            with ContainerClient.from_connection_string(ready["connection_string"], "test") as client:
                client.create_container()
                yield client
        finally:
            process.terminate()


def test_content_is_dropped_but_its_properties_are_kept(container):
    md5 = hashlib.md5(b"hello").digest()
    settings = ContentSettings(content_type="text/plain", content_md5=bytearray(md5))
    container.upload_blob("content/a b/ü.txt", b"hello", metadata={"id": "1"}, content_settings=settings)
    (found,) = container.list_blobs(name_starts_with="content/a b/", include=["metadata"])
    assert (found.name, found.size, found.metadata) == ("content/a b/ü.txt", 5, {"id": "1"})
    assert bytes(found.content_settings.content_md5) == md5
    assert container.get_blob_client(found.name).get_blob_properties().metadata == {"id": "1"}
    with pytest.raises(ResourceExistsError):
        container.upload_blob("content/a b/ü.txt", b"again")


def test_what_is_not_content_is_read_again(container):
    blob = container.get_blob_client("work/part")
    for ident, data in (("one", b"12"), ("two", b"345")):
        blob.stage_block(ident, data)
    blob.commit_block_list([BlobBlock("two"), BlobBlock("one")])
    assert blob.download_blob().readall() == b"34512"
    assert blob.download_blob(offset=1, length=2).readall() == b"45"
    blob.delete_blob()
    with pytest.raises(ResourceNotFoundError):
        blob.get_blob_properties()


def test_listings_have_pages_and_folders(container):
    names = [f"content/tree/{folder}/{number}" for folder in "abc" for number in range(3)]
    for name in names:
        container.upload_blob(name, b"x")
    found = container.list_blobs(name_starts_with="content/tree/", results_per_page=2)
    assert [blob.name for blob in found] == names
    folders = container.walk_blobs(name_starts_with="content/tree/", delimiter="/", results_per_page=2)
    assert [folder.name for folder in folders] == [f"content/tree/{each}/" for each in "abc"]


def test_what_is_laid_down_is_listed_as_if_it_had_been_sent(container):
    md5 = hashlib.md5(b"laid down").digest()
    row = {"name": "content/laid down", "size": 9, "metadata": {"id": "2"}, "md5": base64.b64encode(md5).decode()}
    address = container.url.rpartition("/")[0].rpartition("/")[0]
    urlopen(f"{address}/_admin/seed?container=test", data=json.dumps([row]).encode()).close()
    (found,) = container.list_blobs(name_starts_with="content/laid", include=["metadata"])
    assert (found.name, found.size, found.metadata) == ("content/laid down", 9, {"id": "2"})
    assert bytes(found.content_settings.content_md5) == md5

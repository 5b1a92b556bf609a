"""An independent check of a snapshot: reads it with nothing but a Blob client, pyarrow and docs/format.md.

It shares no code with the product, so that a mistake there is not made twice.
"""

import base64
import hashlib
import io
import json

import pyarrow.parquet as pq


def read_snapshot(container, manifest_name):
    """The manifest and the rows of a snapshot, its parts checked."""
    manifest = json.loads(container.download_blob(manifest_name).readall())
    rows = []
    for part in manifest["parts"]:
        data = container.download_blob(part["blob"]).readall()
        assert hashlib.sha256(data).hexdigest() == part["sha256"], part["blob"]
        rows += pq.read_table(io.BytesIO(data)).to_pylist()
    assert len(rows) == manifest["items"]
    return manifest, {row["item_id"]: row for row in rows}


def check_contents(container, rows):
    """Every blob that the rows name is there, whole, and hashes to what row and blob say. Returns how many."""
    checked = 0
    for row in rows.values():
        for content in row["contents"] or []:
            blob = container.get_blob_client(content["blob"])
            stream = blob.download_blob()
            data = stream.readall()
            assert len(data) == content["size"], content
            assert hashlib.sha256(data).hexdigest() == content["sha256"], content
            md5 = hashlib.md5(data).digest()
            assert md5.hex() == content["md5"], content
            stored = stream.properties.content_settings.content_md5
            assert base64.b64encode(bytes(stored)) == base64.b64encode(md5), content
            checked += 1
    return checked


def check_against_originals(container, rows, originals):
    """``originals``: item id → SHA-256 of the bytes. Each is backed up, and its backup has these bytes."""
    for ident, digest in originals.items():
        row = rows[ident]
        assert row["contents"], f"{row['path']} has no content: {row['outcome']} {row['reason']}"
        data = container.download_blob(row["contents"][0]["blob"]).readall()
        assert hashlib.sha256(data).hexdigest() == digest, row["path"]

"""What somebody with the account's key can do to a snapshot, and hide from the hashes of its parts."""

from __future__ import annotations

import hashlib
import io
import json

import pyarrow as pa
import pyarrow.parquet as pq
from msgspec.structs import replace

from include.drive_backup.manifest.digest import Digest


def put(store, blob, data):
    """Overwrite a blob."""
    _, info = store.blobs[blob]
    md5 = hashlib.md5(data).hexdigest()
    store.blobs[blob] = (data, replace(info, size=len(data), md5=md5, etag=f"0x{md5}"))


def edit_manifest(store, change, ident=""):
    """Change the manifest of the only snapshot, or of one."""
    [name] = [name for name in store.blobs if name.endswith(f"{ident}/manifest.json")]
    manifest = json.loads(store.blobs[name][0])
    change(manifest)
    put(store, name, json.dumps(manifest).encode())


def edit_rows(store, change, *, kind="items", ident="", also_digest=False, drop=None):
    """Change the rows of a table, and all that the manifest says of its part: hash, length and number of rows.

    :param change: called with each row; or with all of them, if it is named ``edit_all``.
    :param drop: a column to leave out; ``*``: put something that is not Parquet in its place.
    """
    [part] = [name for name in store.blobs if name.endswith(f"{ident}/{kind}-00000.parquet")]
    table = pq.read_table(io.BytesIO(store.blobs[part][0]))
    rows = table.to_pylist()
    if change.__name__ == "edit_all":
        change(rows)
    else:
        for row in rows:
            change(row)
    edited, buffer = pa.Table.from_pylist(rows, schema=table.schema), io.BytesIO()
    pq.write_table(edited, buffer, compression="zstd")
    if drop == "*":
        buffer = io.BytesIO(b"PAR1 is not enough PAR1")
    elif drop:
        buffer = io.BytesIO()
        pq.write_table(edited.drop_columns([drop]), buffer)
    put(store, part, buffer.getvalue())

    def fix(manifest):
        about = manifest if kind == "items" else manifest[kind]
        data = buffer.getvalue()
        about["parts"] = [{"blob": part, "rows": len(rows), "bytes": len(data), "sha256": _sha256(data)}]
        if also_digest:
            digest = Digest()
            digest.add(edited)
            about["digest"] = digest.hex

    edit_manifest(store, fix, ident or part.split("/")[4])


def _sha256(data):
    return hashlib.sha256(data).hexdigest()

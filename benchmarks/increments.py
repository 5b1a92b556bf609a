"""Back up a large Drive again when little has changed: nothing, then the names of 1 % of its files, then their content.
Ours beside ``rclone sync``.

Both sides begin with everything stored. That first copy is laid down rather than made: ours by planning and committing
as ever, but with the results and the blobs of all batches written as Drive describes the files; rclone's by names, sizes,
checksums and modified times in a container of its own. The null endpoint keeps nothing else of a copy, either.

    python -m benchmarks --only increments                     # 200,000 items in 20,000 folders
    python -m benchmarks.increments --items 1000000            # ours alone, for the memory of a million
"""

from __future__ import annotations

import argparse
import base64
import json
import tempfile
from pathlib import Path
from typing import Any

from benchmarks import contenders
from benchmarks.measure import timed
from benchmarks.servers import Servers, Tree

#: One of so many files changes.
CHANGED = 100
OURS, RCLONE = "ours", "rclone sync"
_BLOB = "null_blob"
_AT_ONCE = 5_000


def increments(servers: Servers, tree: Tree, *, alone: bool = False) -> dict[str, Any]:
    """Both increments, with latency.

    :param alone: without rclone.
    :return: for ``unchanged``, ``renamed`` and ``edited``, by contender: seconds, seconds of CPU, peak MB, calls, units, downloads.
    """
    servers.serve(tree)
    blob = servers.blob(_BLOB)
    servers.prepare(latency=False)
    places = {OURS: "increments-ours"} | ({} if alone else {RCLONE: "increments-rclone"})
    commands = {OURS: contenders.ours, RCLONE: contenders.rclone_sync(*contenders.TUNED)}
    base = timed(
        contenders.laid_down(servers, blob, places[OURS]), contenders.env_of(servers), servers.state / "client.log"
    )
    found: dict[str, Any] = {"items": tree.files + tree.folders, "first": _cost(base)}
    if not alone:
        _lay_down(servers, places[RCLONE])
    changes = {"unchanged": None, "renamed": ("rename", "name"), "edited": ("modify", "text")}
    for way, change in changes.items():
        if change is not None:
            servers.prepare(latency=False)
            found["changed"] = _change_some(servers, *change)
        found[way] = {}
        for who, container in places.items():
            servers.prepare(latency=True)
            line = commands[who](servers, blob, container)
            cost = _cost(timed(line, contenders.env_of(servers), servers.state / "client.log"))
            stats = servers.admin("stats")
            calls = stats["calls"]
            cost |= {"calls": stats["totalCalls"] - calls.get("token", 0), "units": stats["units"]}
            found[way][who] = cost | {"downloads": calls.get("files.get.media", 0)}
            print(f"increments {way:10} {who:12} {json.dumps(found[way][who])}", flush=True)
    return found


def _cost(measured: tuple[str, float, float, float]) -> dict[str, Any]:
    output, wall, cpu, rss = measured
    detail = json.loads(output) if output.startswith("{") else {}
    summary = detail.pop("summary", {})
    if summary and summary["status"] != "complete":
        raise SystemExit(f"An increment is {summary['status']}.")
    return {"wall": round(wall, 1), "cpu": round(cpu, 1), "rss_mb": round(rss), "detail": detail}


def _lay_down(servers: Servers, container: str) -> None:
    """Let a container hold what ``rclone copy`` would have made of this Drive."""
    listed = timed(
        contenders.rclone_list(servers, servers.blob(_BLOB), container),
        contenders.env_of(servers),
        servers.state / "client.log",
    )[0]
    rows = [
        {
            "name": f"content/{each['Path']}",
            "size": each["Size"],
            "md5": base64.b64encode(bytes.fromhex(each["Hashes"]["md5"])).decode(),
            "metadata": {"mtime": each["ModTime"]},
        }
        for each in json.loads(listed)
    ]
    for start in range(0, len(rows), _AT_ONCE):
        servers.seed(container, rows[start : start + _AT_ONCE])


def _change_some(servers: Servers, action: str, what: str) -> int:
    files = [item for item in servers.admin("items")["items"] if item["size"] is not None][::CHANGED]
    for number, item in enumerate(files):
        servers.admin("edit", {"action": action, "file": item["id"], what: f"{action} {number}"})
    return len(files)


def main() -> None:
    """Ours alone, at any size."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.increments", description=__doc__.split("\n")[0])
    parser.add_argument("--items", type=int, default=200_000, help="a tenth of them are folders")
    parser.add_argument("--rclone", action="store_true", help="rclone, too")
    given = parser.parse_args()
    folders = given.items // 10
    tree = Tree(f"{given.items:,} items", given.items - folders, folders, "1-100")
    with tempfile.TemporaryDirectory(prefix="drive-backup-bench-") as folder, Servers(Path(folder)) as servers:
        print(json.dumps(increments(servers, tree, alone=not given.rclone), indent=2))


if __name__ == "__main__":
    main()

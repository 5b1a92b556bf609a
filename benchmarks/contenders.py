"""The alternatives: how each is told to copy the Drive into a container."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from benchmarks.servers import Servers
from include.local_cloud.process import Service, module

RCLONE = str(Path(sys.executable).parent / "rclone")
USER = "ann@example.com"

#: For many files: everything that has no memory price, and no pacer.
TUNED = ("--fast-list", "--transfers", "64", "--checkers", "64", "--drive-pacer-min-sleep", "0")
#: For large files: the fastest of several settings that were tried.
LARGEST = (
    *("--fast-list", "--transfers", "8", "--drive-pacer-min-sleep", "0", "--multi-thread-cutoff", "64M"),
    *("--multi-thread-streams", "16", "--azureblob-chunk-size", "64M"),
)

Command = Callable[[Servers, Service, str], list[str]]


def ours(servers: Servers, blob: Service, container: str) -> list[str]:
    """The engine alone, with the settings' defaults."""
    arguments = ("--drive", servers.drive_url, "--key", str(servers.key), "--container", container)
    return module("benchmarks.engine", *arguments, "--blob", blob.info["connection_string"])


def laid_down(servers: Servers, blob: Service, container: str) -> list[str]:
    """The engine, with the copies laid down instead of made; see ``benchmarks.increments``."""
    return [*ours(servers, blob, container), "--lay-down"]


def rclone(*options: str) -> Command:
    """``rclone copy`` with these options on top of its defaults."""

    def command(servers: Servers, blob: Service, container: str) -> list[str]:
        return [*_rclone(servers, blob), "copy", "drive:", f"blob:{container}/content", "--stats", "0", *options]

    return command


def rclone_sync(*options: str) -> Command:
    """``rclone sync``, for what changed since it was stored."""

    def command(servers: Servers, blob: Service, container: str) -> list[str]:
        return [*_rclone(servers, blob), "sync", "drive:", f"blob:{container}/content", "--stats", "0", *options]

    return command


def rclone_list(servers: Servers, blob: Service, container: str) -> list[str]:
    """All files with what rclone would store of them; prints JSON."""
    options = ("--recursive", "--files-only", "--no-mimetype", "--hash", "--hash-type", "md5")
    return [*_rclone(servers, blob), "lsjson", "drive:", *options, *TUNED]


def listing(way: str) -> Command:
    """Listing and planning without copying, by ``benchmarks.listing``.

    :param way: ``flat``, as we do it, or ``folders``.
    """

    def command(servers: Servers, blob: Service, container: str) -> list[str]:
        arguments = ("--worker", way, "--url", servers.drive_url, "--state", str(servers.key.parent))
        return module("benchmarks.listing", *arguments)

    return command


def rclone_listing(*options: str) -> Command:
    """Listing alone, by rclone, with these options."""

    def command(servers: Servers, blob: Service, container: str) -> list[str]:
        return [*_rclone(servers, blob), "size", "drive:", "--json", *options]

    return command


def stored(servers: Servers, blob: Service, container: str) -> list[str]:
    """Count what a contender stored; prints JSON."""
    return [*_rclone(servers, blob), "size", f"blob:{container}/content", "--json", "--fast-list"]


def env_of(servers: Servers) -> dict[str, str]:
    """The environment of all contenders.

    rclone has no option for Drive's address. Google's client library, which it uses, puts a "universe domain" into
    ``https://www.<domain>/drive/v3/``; everything before an ``@`` is no part of the host.
    """
    host = urlsplit(servers.drive_url).netloc
    return {**servers.env, "GOOGLE_CLOUD_UNIVERSE_DOMAIN": f"local@{host}"}


def _rclone(servers: Servers, blob: Service) -> Sequence[str]:
    parts = dict(part.split("=", 1) for part in blob.info["connection_string"].split(";"))
    config = servers.state / f"rclone-{blob.name}.conf"
    config.write_text(
        f"[drive]\ntype = drive\nscope = drive.readonly\nimpersonate = {USER}\n"
        f"service_account_file = {servers.key}\n\n[blob]\ntype = azureblob\naccount = {parts['AccountName']}\n"
        f"key = {parts['AccountKey']}\nendpoint = {blob.info['url']}\n"
    )
    return [RCLONE, "--config", str(config), "--ca-cert", str(servers.ca)]


def count_of(output: str) -> tuple[int, int]:
    """Files and bytes that ``stored`` found."""
    found = json.loads(output)
    return found["count"], found["bytes"]

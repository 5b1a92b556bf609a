"""``python -m include.local_cloud.drive``: a Drive as a process of its own.

It prints one line of JSON when it is ready, and stops gracefully at SIGTERM or SIGINT.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import sys
from pathlib import Path

import uvloop

from include.local_cloud.drive.backends.folder import folder_state
from include.local_cloud.drive.backends.generated import generated_state
from include.local_cloud.drive.backends.sample import sample_state
from include.local_cloud.drive.server import DriveServer
from include.local_cloud.drive.state import DriveState


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m include.local_cloud.drive", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--backend", choices=("sample", "generated", "folder"), default="sample")
    parser.add_argument("--state", type=Path, required=True, help="folder for credentials, uploads and the id map")
    parser.add_argument("--root", type=Path, help="folder: the directory to serve as Ann's My Drive")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--files", type=int, default=1_000, help="generated: how many files")
    parser.add_argument("--folders", type=int, help="generated: how many folders; one for 20 files by default")
    parser.add_argument("--sizes", default="small", help="generated: small, large, lognormal or LOW-HIGH in bytes")
    parser.add_argument("--token-lifetime", type=int, default=3600, metavar="SECONDS")
    parser.add_argument("--certificate", type=Path, help="PEM file with certificate and key: speak HTTPS")
    arguments = parser.parse_args()
    if arguments.backend == "folder" and (arguments.root is None or not arguments.root.is_dir()):
        parser.error("--backend folder needs --root with a directory that exists")
    return arguments


def _state(arguments: argparse.Namespace) -> DriveState:
    if arguments.backend == "folder":
        return folder_state(arguments.root, arguments.state / "folder.db")
    if arguments.backend == "generated":
        return generated_state(
            seed=arguments.seed, files=arguments.files, folders=arguments.folders, profile=arguments.sizes
        )
    return sample_state(seed=arguments.seed)


async def _serve(arguments: argparse.Namespace) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    server = DriveServer(
        _state(arguments),
        host=arguments.host,
        port=arguments.port,
        folder=arguments.state,
        token_lifetime_s=arguments.token_lifetime,
        certificate=arguments.certificate,
    )
    async with server:
        sys.stdout.write(json.dumps({"service": "drive", "url": server.url}) + "\n")
        sys.stdout.flush()
        await stop.wait()


def main() -> None:
    """Run until told to stop."""
    arguments = _arguments()
    arguments.state.mkdir(parents=True, exist_ok=True)
    uvloop.run(_serve(arguments))


if __name__ == "__main__":
    main()

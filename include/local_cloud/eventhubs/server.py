"""The process: listens, keeps the disk up to date, stops without losing anything."""

from __future__ import annotations

import asyncio
import base64
import os
import secrets
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from include.local_cloud.eventhubs.auth import Authority, load_key
from include.local_cloud.eventhubs.connection import ServerConnection
from include.local_cloud.eventhubs.hub import Hub, StateError, lock
from include.local_cloud.eventhubs.log import LogCorruptError, PartitionLog
from include.local_cloud.eventhubs.session import Namespace
from include.local_cloud.ready import announce

KEY_NAME = "RootManageSharedAccessKey"
SYNC_SECONDS = 1.0


class Options(NamedTuple):
    """What the command line says.

    :param advertise: host name that clients use; for the connection string.
    :param key: shared access key; without one it is made once and kept in the state folder.
    :param token_key: file with the public key of the token service.
    """

    host: str
    port: int
    state: Path
    hubs: Sequence[str]
    partitions: int
    groups: Sequence[str] = ()
    advertise: str = "127.0.0.1"
    key: str | None = None
    token_key: Path | None = None


class Server:
    """Event Hubs on one port.

    :raises StateError: when the state folder is in use, damaged, or of another hub.
    """

    def __init__(self, options: Options) -> None:
        self._options = options
        try:
            self._lock = lock(options.state)
            self._key = options.key or _kept_key(options.state / "shared-access-key")
            self._hubs = _open_hubs(options)
        except OSError as error:
            raise StateError(f"The state folder {options.state} cannot be used: {error.strerror or error}.") from error
        self._connections: set[ServerConnection] = set()

    async def run(self, stop: asyncio.Event) -> None:
        """Serve until ``stop`` is set.

        :raises OSError: when the port is taken.
        """
        authority = Authority(KEY_NAME, self._key, load_key(self._options.token_key))
        namespace = Namespace(self._hubs, authority)
        listener = await asyncio.get_running_loop().create_server(
            lambda: ServerConnection(namespace, self._connections), self._options.host, self._options.port
        )
        port = listener.sockets[0].getsockname()[1]
        announce("eventhubs", **self._ready(port))
        syncing = asyncio.create_task(self._keep_synced())
        await stop.wait()
        syncing.cancel()
        listener.close()
        for connection in tuple(self._connections):
            connection.close()
        await asyncio.sleep(0)

    def close(self) -> None:
        """Sync and close every log."""
        for hub in self._hubs.values():
            hub.each_log(PartitionLog.close)
        os.close(self._lock)

    async def _keep_synced(self) -> None:
        while True:
            await asyncio.sleep(SYNC_SECONDS)
            for hub in self._hubs.values():
                await asyncio.to_thread(hub.each_log, PartitionLog.sync)

    def _ready(self, port: int) -> dict[str, str]:
        url = f"sb://{self._options.advertise}:{port}"
        first = next(iter(self._hubs.values())).name
        return {
            "url": url,
            "connection_string": f"Endpoint={url};SharedAccessKeyName={KEY_NAME};SharedAccessKey={self._key};"
            f"UseDevelopmentEmulator=true;EntityPath={first}",
        }


def _open_hubs(options: Options) -> dict[str, Hub]:
    try:
        return {
            name.lower(): Hub(name, options.state / name.lower(), options.partitions, options.groups)
            for name in options.hubs
        }
    except LogCorruptError as error:
        raise StateError(str(error)) from error


def _kept_key(path: Path) -> str:
    if not path.exists():
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(base64.b64encode(secrets.token_bytes(32)).decode())
    return path.read_text().strip()


async def serve(options: Options) -> None:
    """Run a server until SIGTERM or SIGINT.

    :raises StateError: when the state folder cannot be used.
    :raises OSError: when the port is taken.
    """
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    server = Server(options)
    try:
        await server.run(stop)
    finally:
        server.close()

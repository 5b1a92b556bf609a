"""``python -m include.local_cloud.keyvault``."""

from __future__ import annotations

import argparse
import asyncio
import secrets
import signal
import socket
import ssl
from pathlib import Path
from typing import NamedTuple

import uvloop
from aiohttp import web

from include.local_cloud.keyvault.authority import load_authority, server_context, write_bundle
from include.local_cloud.keyvault.faults import Faults
from include.local_cloud.keyvault.files import write_private
from include.local_cloud.keyvault.identity import PATH, identity_app
from include.local_cloud.keyvault.store import SecretStore
from include.local_cloud.keyvault.tokens import Tokens
from include.local_cloud.keyvault.vault import vault_app
from include.local_cloud.ready import advertised, announce, fail, port_taken


class Options(NamedTuple):
    """What the command line says.

    :param advertise: host name that clients use; it is in the certificate.
    :param header: what ``X-IDENTITY-HEADER`` must say.
    :param lifetime: of a token, in seconds.
    """

    host: str
    port: int
    identity_port: int
    state: Path
    advertise: str
    header: str | None
    lifetime: int


async def serve(options: Options) -> None:
    """Run the vault and the identity until SIGTERM or SIGINT."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    state = options.state
    state.mkdir(parents=True, exist_ok=True)
    authority = load_authority(state)
    bundle = write_bundle(state, authority)
    header = options.header or _kept_header(state / "identity-header")
    tokens = Tokens(state, options.lifetime)
    with _listen(options.host, options.port) as vault, _listen(options.host, options.identity_port) as identity:
        url = f"https://{options.advertise}:{vault.getsockname()[1]}"
        endpoint = f"http://{options.advertise}:{identity.getsockname()[1]}{PATH}"
        store, faults = SecretStore(state / "secrets.json"), Faults()
        context = server_context(authority, [options.advertise, "127.0.0.1", "localhost"])
        vault_runner = await _run(vault_app(url, store, tokens, faults), vault, context)
        identity_runner = await _run(identity_app(tokens, header), identity)
        announce(
            "keyvault",
            url=url,
            identity_endpoint=endpoint,
            identity_header=header,
            ca_bundle=str(bundle.resolve()),
            token_key=str(tokens.public_key.resolve()),
        )
        await stop.wait()
        await asyncio.gather(vault_runner.cleanup(), identity_runner.cleanup())


async def _run(app: web.Application, listener: socket.socket, context: ssl.SSLContext | None = None) -> web.AppRunner:
    runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=0.5)
    await runner.setup()
    await web.SockSite(runner, listener, ssl_context=context).start()
    return runner


def _listen(host: str, port: int) -> socket.socket:
    try:
        return socket.create_server((host, port))
    except OSError as error:
        fail(port_taken(error, "Key Vault", host, port))


def _kept_header(path: Path) -> str:
    if not path.exists():
        write_private(path, secrets.token_urlsafe(24).encode())
    return path.read_text().strip()


def main() -> None:
    """Serve until stopped."""
    parser = argparse.ArgumentParser(prog="python -m include.local_cloud.keyvault", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=int, default=8443, help="of the vault; 0 takes a free one")
    parser.add_argument("--identity-port", type=int, default=8081, help="of the token endpoint; 0 takes a free one")
    parser.add_argument("--state", type=Path, required=True, help="folder for secrets and keys")
    parser.add_argument("--advertise", help="host name that clients use (default: the host)")
    parser.add_argument("--identity-header", help="secret of the token endpoint (default: made once and kept)")
    parser.add_argument("--token-lifetime", type=int, default=86_400, metavar="SECONDS")
    given = parser.parse_args()
    options = Options(
        given.host,
        given.port,
        given.identity_port,
        given.state,
        given.advertise or advertised(given.host),
        given.identity_header,
        given.token_lifetime,
    )
    try:
        uvloop.run(serve(options))
    except OSError as error:
        fail(f"The state folder {options.state} cannot be used: {error.strerror or error}.")


if __name__ == "__main__":
    main()

"""``python -m include.local_cloud.eventhubs``."""

from __future__ import annotations

import argparse
from pathlib import Path

import uvloop

from include.local_cloud.eventhubs.hub import StateError
from include.local_cloud.eventhubs.server import Options, serve
from include.local_cloud.ready import advertised, fail, port_taken


def _parse() -> Options:
    parser = argparse.ArgumentParser(prog="python -m include.local_cloud.eventhubs", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=int, default=5672, help="0 takes a free one")
    parser.add_argument("--state", type=Path, required=True, help="folder for the events and the key")
    parser.add_argument("--hub", action="append", help="name of a hub; may be repeated (default: drive-backup)")
    parser.add_argument("--partitions", type=int, default=4, choices=range(1, 33), metavar="1..32")
    parser.add_argument("--group", action="append", default=[], help="consumer group besides $Default; may be repeated")
    parser.add_argument("--advertise", help="host name that clients use (default: the host)")
    parser.add_argument("--key", help="shared access key (default: made once and kept in the state folder)")
    parser.add_argument("--token-key", type=Path, help="PEM file with the public key of the token service")
    given = parser.parse_args()
    return Options(
        host=given.host,
        port=given.port,
        state=given.state,
        hubs=given.hub or ["drive-backup"],
        partitions=given.partitions,
        groups=given.group,
        advertise=given.advertise or advertised(given.host),
        key=given.key,
        token_key=given.token_key,
    )


def main() -> None:
    """Serve until stopped."""
    options = _parse()
    try:
        uvloop.run(serve(options))
    except StateError as error:
        fail(str(error))
    except OSError as error:
        fail(port_taken(error, "Event Hubs", options.host, options.port))


if __name__ == "__main__":
    main()

"""``drive-backup``: the application, its common options, and how it ends.

Exit codes: 0 all is well; 1 done, but something is not as it should be (the output says what); 2 it could not be done;
3 not yet: run the same command again later; 130 interrupted.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from io import TextIOWrapper
from typing import Annotated, Any, TypeVar

import typer

from include.drive_backup import __version__
from include.drive_backup.cli.connect import Account, open_repair_store, open_store
from include.drive_backup.cli.output import Output
from include.drive_backup.errors import DriveBackupError
from include.drive_backup.ports import BlobStore, RepairStore

Result = TypeVar("Result")
Store = TypeVar("Store", bound=BlobStore)
#: The exit code of what has to be run again later.
NOT_YET = 3
#: Click's errors of arguments; Typer has a Click of its own inside, from which it exports but a subclass.
_USAGE: Any = next(each for each in typer.BadParameter.__mro__ if each.__name__ == "ClickException")


app = typer.Typer(
    name="drive-backup",
    help="Look into a Drive Backup container, verify it, and restore from it. Needs access to Blob Storage only.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Say where the backup is once: `export DRIVE_BACKUP_CONTAINER_URL=https://ACCOUNT.blob.core.windows.net/"
    "drive-backup`, then sign in with `az login`, or add a SAS to the URL.",
)


@dataclass(frozen=True)
class Session:
    """What all commands of one call share."""

    account: Account
    output: Output

    def run(self, command: Callable[[BlobStore], Awaitable[Result]]) -> Result:
        """Run a command's coroutine on the container."""
        return self._run(open_store, command)

    def run_repair(self, command: Callable[[RepairStore], Awaitable[Result]]) -> Result:
        """Run a command's coroutine on the container, with what the account keeps beside it."""
        return self._run(open_repair_store, command)

    def _run(
        self,
        opened: Callable[[Account], AbstractAsyncContextManager[Store]],
        command: Callable[[Store], Awaitable[Result]],
    ) -> Result:
        async def call() -> Result:
            async with opened(self.account) as store:
                await store.ensure_container(create=False)
                return await command(store)

        return asyncio.run(call())


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def common(
    context: typer.Context,
    container_url: Annotated[
        str | None,
        typer.Option(
            envvar="DRIVE_BACKUP_CONTAINER_URL",
            help="The container's URL, with a SAS or without (then `az login`, a managed identity or "
            "AZURE_CLIENT_ID/AZURE_TENANT_ID/AZURE_CLIENT_SECRET are used).",
        ),
    ] = None,
    connection_string: Annotated[
        str | None,
        typer.Option(
            envvar="AZURE_STORAGE_CONNECTION_STRING",
            help="Of the storage account, instead of a URL.",
            show_envvar=True,
        ),
    ] = None,
    container: Annotated[
        str, typer.Option(envvar="DRIVE_BACKUP_CONTAINER", help="Its name, with a connection string.")
    ] = "drive-backup",
    json: Annotated[bool, typer.Option("--json", help="One JSON object a line, for programs; errors too.")] = False,
    version: Annotated[  # noqa: ARG001
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Options that come before the command."""
    output: Output = context.obj or Output()
    output.as_json = json
    context.obj = Session(Account(container_url, connection_string, container), output)


def application() -> typer.Typer:
    """The application with all its commands, which register themselves when they are imported."""
    from include.drive_backup.cli import (  # noqa: F401, PLC0415
        alias,
        browse,
        doctor,
        erase,
        find,
        repair,
        restore,
        retention,
        settle,
        tier,
        verify,
    )

    return app


def main() -> None:
    """The entry point. An expected problem is a sentence on stderr, with ``--json`` one object; never a traceback."""
    output = Output()
    for stream in (sys.stdout, sys.stderr):
        # A terminal that cannot show a letter shows its number; that must not end the command.
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    # By name: a command in the background of a shell begins with SIGINT ignored, and could not be interrupted.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    arguments, output.as_json = _json_first(sys.argv[1:])
    try:
        # Typer itself shows what is wrong with the arguments, in colours and frames.
        code = application()(arguments, obj=output, standalone_mode=not output.as_json)
        sys.exit(code or int(output.flawed))
    except SystemExit as end:
        # A command that came to its end may have met something that is not as it should be.
        sys.exit(end.code or int(output.flawed))
    except _USAGE as error:
        output.problem("UsageError", error.format_message())
        sys.exit(2)
    except DriveBackupError as error:
        output.problem(type(error).__name__, str(error))
        sys.exit(2)
    except (KeyboardInterrupt, typer.Abort):
        output.problem("Interrupted", "interrupted; what is done stays done.")
        sys.exit(130)


def _json_first(arguments: Sequence[str]) -> tuple[list[str], bool]:
    """The arguments with ``--json`` before the command, wherever it was, and whether it was there."""
    end = arguments.index("--") if "--" in arguments else len(arguments)
    rest = [argument for argument in arguments[:end] if argument != "--json"]
    found = len(rest) < end
    return [*(["--json"] if found else []), *rest, *arguments[end:]], found

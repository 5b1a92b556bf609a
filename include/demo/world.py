"""One whole world on loopback: the local cloud and an Airflow that knows it only through the vault."""

from __future__ import annotations

import hashlib
import json
import socket
import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

from include.demo.airflow import COMPONENTS, ROOT, USER, AirflowSettings
from include.demo.api import AirflowApi, wait_for
from include.demo.cloud import CloudInfo
from include.demo.database import Database
from include.demo.errors import DemoError
from include.demo.processes import DATABASE, SERVICES, Processes

DAG_ID = "google_drive_backup"
MIGRATION = "db-migrate"


class World:
    """Starts, finds again and stops the processes of one demo.

    :param folder: its state: cloud, Airflow, pid files, logs.
    :param port: of Airflow's UI.
    :param drive_root: a folder to serve as the Drive; None serves a sample.
    :param config: the config file that the DAGs read; None: the shipped one.
    :param env: further environment for Airflow.
    """

    def __init__(
        self,
        folder: Path,
        port: int,
        drive_root: Path | None = None,
        config: Path | None = None,
        env: dict[str, str] | None = None,
    ) -> None:
        self.folder = folder.resolve()
        self.port = port
        self.drive_root = drive_root
        self.processes = Processes(self.folder / "processes")
        self.config = config
        self._env = env or {}

    @property
    def running(self) -> bool:
        """Do all of its processes run?"""
        return all(self.processes.alive(name) for name in (*SERVICES, *COMPONENTS))

    @property
    def cloud(self) -> CloudInfo:
        """The running cloud.

        :raises DemoError: it does not run.
        """
        info = CloudInfo.read(self.folder / "cloud")
        if info is None:
            raise DemoError(f"The local cloud does not run. Its output is in {self.folder / 'processes'}.")
        return info

    @property
    def api(self) -> AirflowApi:
        """A client of its Airflow."""
        settings = self.airflow()
        return AirflowApi(settings.url, USER, settings.password)

    def airflow(self) -> AirflowSettings:
        """The settings of its Airflow, which the running cloud is part of."""
        return self._airflow(self.cloud.vault_kwargs, self.cloud.env)

    def _airflow(self, vault: dict[str, object] | None, cloud_env: dict[str, str]) -> AirflowSettings:
        config = {"DRIVE_BACKUP_CONFIG": str(self.config)} if self.config else {}
        return AirflowSettings(
            home=self._home,
            port=self.port,
            log_ports=(self._free_ports()[0], self._free_ports()[1]),
            database=self._database().url,
            vault=vault,
            extra_env={**cloud_env, **config, **self._env},
        )

    @property
    def _home(self) -> Path:
        return self.folder / "airflow"

    def _database(self) -> Database:
        return Database(self._home / "database", self._free_ports()[2])

    def _free_ports(self) -> list[int]:
        """Of Airflow's two log servers and of its database, for as long as this world runs."""
        file = self._home / "ports.json"
        if not file.exists():
            self._home.mkdir(parents=True, exist_ok=True)
            file.write_text(json.dumps([free_port() for _ in range(3)]))
        ports: list[int] = json.loads(file.read_text())
        return ports

    def start_cloud(self, timeout: float = 1200) -> None:
        """Start the cloud's services; meanwhile, Airflow's database is made.

        :param timeout: seconds; the first start installs Azurite.
        :raises DemoError: Airflow's port is taken, or the services do not come up.
        """
        self._check_port()
        (self._home / "ports.json").unlink(missing_ok=True)
        state = self.folder / "cloud"
        state.mkdir(parents=True, exist_ok=True)
        (state / "cloud.json").unlink(missing_ok=True)
        root = ["--drive-root", str(self.drive_root)] if self.drive_root else []
        command = [sys.executable, "-m", "include.demo.cloud", "--state", str(state), *root]
        self.processes.start("cloud", command, AirflowSettings.clean_env(), ROOT)
        self._begin_migration()
        self._wait(lambda: CloudInfo.read(state) is not None, timeout, "The local cloud")

    def _begin_migration(self) -> None:
        settings, database = self._airflow(None, {}), self._database()
        database.make()
        self.processes.start(DATABASE, database.command(), AirflowSettings.clean_env(), ROOT)
        self._wait(database.answers, 60, "Airflow's database")
        if not settings.migrated.exists() or settings.migrated.read_text() != version("apache-airflow"):
            settings.migrated.unlink(missing_ok=True)
            self.processes.start(MIGRATION, settings.command("db", "migrate"), settings.env(), ROOT, once=True)

    def start_airflow(self, timeout: float = 600) -> None:
        """Start Airflow's parts. The cloud must run.

        :param timeout: seconds.
        :raises DemoError: the port is taken, or they do not come up.
        """
        self._wait(lambda: self.processes.done(MIGRATION), timeout, "Airflow's database")
        self.airflow().migrated.write_text(version("apache-airflow"))
        api = self.api  # makes the password
        self._check_port()
        for component in COMPONENTS:
            self.start_component(component)
        try:
            self._wait(api.healthy, timeout, "Airflow")
        except DemoError:
            if not self.processes.alive("api-server"):
                self._check_port()  # somebody took it after we had looked
            raise
        self._wait(lambda: api.has_dag(DAG_ID) or bool(api.import_errors()), timeout, f"The DAG {DAG_ID}")
        if not api.has_dag(DAG_ID):
            raise DemoError("Airflow cannot read the DAG:\n" + "\n".join(api.import_errors()))

    def _check_port(self) -> None:
        if not port_is_free(self.port):
            raise DemoError(
                f"Port {self.port} is taken. Stop the program that uses it, or take another one for Airflow: "
                f"make demo AIRFLOW_PORT={free_port()}"
            )

    def start_component(self, name: str) -> None:
        """Start one of Airflow's processes."""
        settings = self.airflow()
        self.processes.start(name, settings.command(name), settings.env(), ROOT)

    def stop(self) -> list[str]:
        """Stop everything; returns the names of what ran."""
        return self.processes.stop()

    def _wait(self, check: Callable[[], bool], timeout: float, what: str) -> None:
        def ready() -> bool:
            self.processes.check()
            return check()

        wait_for(ready, timeout, what)


def folder_for(drive_root: Path | None) -> Path:
    """Each served folder has a world of its own, so that one Drive never looks like another's past."""
    name = "sample" if drive_root is None else "folder-" + hashlib.sha256(str(drive_root).encode()).hexdigest()[:10]
    return ROOT / ".run" / name


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def port_is_free(port: int) -> bool:
    """Can somebody listen on this port of 127.0.0.1?"""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True

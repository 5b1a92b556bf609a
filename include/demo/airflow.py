"""Airflow's four processes on 127.0.0.1, with PostgreSQL and the LocalExecutor (enough for one machine).

Each part is started singly, so that its output and its end are under control; ``airflow standalone`` mixes them.
"""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from include.demo.errors import DemoError

ROOT = Path(__file__).resolve().parents[2]
COMPONENTS = ("api-server", "scheduler", "dag-processor", "triggerer")
USER = "admin"


@dataclass(frozen=True)
class AirflowSettings:
    """Where and how one Airflow runs.

    :param home: its own folder: database, logs, password.
    :param port: of the API server and UI.
    :param log_ports: of the two log servers (worker, triggerer), which Airflow binds on all addresses.
    :param database: SQLAlchemy's URL of its database.
    :param vault: ``backend_kwargs`` of the Key Vault secrets backend; None leaves Airflow without one.
    :param extra_env: added last, e.g. what makes the Azure SDKs find the local identity endpoint.
    """

    home: Path
    port: int
    log_ports: tuple[int, int]
    database: str
    vault: dict[str, object] | None
    extra_env: dict[str, str]

    @property
    def url(self) -> str:
        """Where the UI and the API are."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def migrated(self) -> Path:
        """A file that says which Airflow made the database."""
        return self.home / "database" / "airflow.version"

    @property
    def password(self) -> str:
        """The demo user's password; made on first use and kept in the home folder."""
        file = self.home / "passwords.json"
        if not file.exists():
            file.write_text(json.dumps({USER: secrets.token_urlsafe(9)}))
            file.chmod(0o600)
        return str(json.loads(file.read_text())[USER])

    def env(self) -> dict[str, str]:
        """The whole environment of Airflow's processes. Connections come from the vault and from nowhere else."""
        return {**self.clean_env(), **self._airflow_env(), **self.extra_env}

    @staticmethod
    def clean_env() -> dict[str, str]:
        """The environment of this process without what other Airflows and clouds have left in it.

        Bytecode is written whatever this process was told: each task is a process that imports hundreds of modules.
        """
        unwanted = ("AIRFLOW_", "AZURE_", "PYTHONDONTWRITEBYTECODE")
        return {name: value for name, value in os.environ.items() if not name.startswith(unwanted)}

    def _airflow_env(self) -> dict[str, str]:
        env = {
            "AIRFLOW_HOME": str(self.home),
            "PYTHONPATH": f"{ROOT}:{ROOT / 'plugins'}",
            "PYTHONWARNINGS": "ignore",
            "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "dags"),
            "AIRFLOW__CORE__PLUGINS_FOLDER": str(ROOT / "plugins"),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
            "AIRFLOW__CORE__PARALLELISM": "4",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": f"{USER}:admin",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(self.home / "passwords.json"),
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{self.url}/execution/",
            "AIRFLOW__CORE__FERNET_KEY": "",
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": self.database,
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_ASYNC": self.database,
            "AIRFLOW__API__BASE_URL": self.url,
            "AIRFLOW__API__HOST": "127.0.0.1",
            "AIRFLOW__API__PORT": str(self.port),
            "AIRFLOW__API__WORKERS": "1",
            "AIRFLOW__API_AUTH__JWT_SECRET": self._jwt_secret(),
            "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(self.home / "logs"),
            "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": str(self.log_ports[0]),
            "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": str(self.log_ports[1]),
            "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.2",
            "AIRFLOW__SCHEDULER__ENABLE_HEALTH_CHECK": "False",
            "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "10",
            "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "30",
            "AIRFLOW__DAG_PROCESSOR__PARSING_PROCESSES": "1",
            "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
        }
        if self.vault is not None:
            env["AIRFLOW__SECRETS__BACKEND"] = (
                "airflow.providers.microsoft.azure.secrets.key_vault.AzureKeyVaultBackend"
            )
            env["AIRFLOW__SECRETS__BACKEND_KWARGS"] = json.dumps(self.vault)
        return env

    def _jwt_secret(self) -> str:
        file = self.home / "jwt_secret"
        if not file.exists():
            file.write_text(secrets.token_urlsafe(64))
            file.chmod(0o600)
        return file.read_text()

    def command(self, *arguments: str) -> list[str]:
        """An ``airflow`` command line."""
        return [sys.executable, "-m", "airflow", *arguments]

    def run(self, *arguments: str, timeout: float = 180) -> str:
        """Run an ``airflow`` command to its end.

        :raises DemoError: with the end of its output.
        """
        done = subprocess.run(
            self.command(*arguments),
            env=self.env(),
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        if done.returncode:
            tail = "\n".join((done.stdout + done.stderr).strip().splitlines()[-15:])
            raise DemoError(f"'airflow {' '.join(arguments)}' failed:\n{tail}")
        return done.stdout

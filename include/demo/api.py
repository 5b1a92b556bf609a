"""A small client of Airflow's REST API: what the demo and the tests ask of it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import requests

from include.demo.errors import DemoError

DONE = ("success", "failed")
#: Seconds that an answer may take: a machine may be slow.
ANSWER = 180


class AirflowApi:
    """Airflow's REST API v2 as one user.

    :param url: of the API server.
    """

    def __init__(self, url: str, user: str, password: str) -> None:
        self.url = url
        self._user, self._password = user, password
        self._session = requests.Session()
        # Loopback only: no proxy and no machine-wide CA settings apply.
        self._session.trust_env = False

    def healthy(self) -> bool:
        """Do the API server, scheduler, DAG processor and triggerer all report healthy?"""
        try:
            answer = self._session.get(f"{self.url}/api/v2/monitor/health", timeout=5)
            parts = answer.json()
        except (requests.RequestException, ValueError):
            return False
        return all(
            parts.get(name, {}).get("status") == "healthy"
            for name in ("metadatabase", "scheduler", "dag_processor", "triggerer")
        )

    def login(self) -> None:
        """Get a token.

        :raises DemoError: the user or the password is refused.
        """
        answer = self._send("POST", "/auth/token", json={"username": self._user, "password": self._password})
        if answer.status_code >= 400:
            raise DemoError(f"Airflow refuses the user {self._user}: {answer.text[:200]}")
        self._session.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"

    def call(self, method: str, path: str, **kwargs: Any) -> Any:
        """One call; logs in when needed.

        :raises DemoError: any status of 400 or more, or no answer.
        """
        if "Authorization" not in self._session.headers:
            self.login()
        answer = self._send(method, f"/api/v2{path}", **kwargs)
        if answer.status_code == 401:
            self.login()
            answer = self._send(method, f"/api/v2{path}", **kwargs)
        if answer.status_code >= 400:
            raise DemoError(f"Airflow answered {answer.status_code} to {method} {path}: {answer.text[:500]}")
        return answer.json() if answer.content else None

    def _send(self, method: str, path: str, **kwargs: Any) -> requests.Response:
        try:
            return self._session.request(method, f"{self.url}{path}", timeout=ANSWER, **kwargs)
        except requests.RequestException as error:
            raise DemoError(
                f"Airflow does not answer at {self.url} ({type(error).__name__}). Start anew: make stop; make demo"
            ) from error

    def has_dag(self, dag_id: str) -> bool:
        """Is the DAG parsed and known?"""
        try:
            return bool(self.call("GET", f"/dags/{dag_id}"))
        except DemoError:
            return False

    def import_errors(self) -> list[str]:
        """What the DAG processor could not parse."""
        return [each["stack_trace"] for each in self.call("GET", "/importErrors")["import_errors"]]

    def unpause(self, dag_id: str) -> None:
        """Let the DAG run."""
        self.call("PATCH", f"/dags/{dag_id}", json={"is_paused": False})

    def trigger(self, dag_id: str, conf: dict[str, Any] | None = None, logical_date: str | None = None) -> str:
        """Start a run; returns its id."""
        body = {"conf": conf or {}, "logical_date": logical_date}
        return str(self.call("POST", f"/dags/{dag_id}/dagRuns", json=body)["dag_run_id"])

    def run(self, dag_id: str, run_id: str) -> dict[str, Any]:
        """One DAG run."""
        result: dict[str, Any] = self.call("GET", f"/dags/{dag_id}/dagRuns/{run_id}")
        return result

    def runs(self, dag_id: str) -> list[dict[str, Any]]:
        """The DAG's runs."""
        result: list[dict[str, Any]] = self.call("GET", f"/dags/{dag_id}/dagRuns?limit=100")["dag_runs"]
        return result

    def tasks(self, dag_id: str, run_id: str) -> list[dict[str, Any]]:
        """Every task instance of a run, mapped ones singly."""
        path = f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances?limit=1000"
        result: list[dict[str, Any]] = self.call("GET", path)["task_instances"]
        return result

    def xcom(self, dag_id: str, run_id: str, task_id: str, key: str = "return_value", map_index: int = -1) -> Any:
        """A value that a task returned, or None."""
        path = f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/xcomEntries/{key}?map_index={map_index}"
        try:
            return self.call("GET", f"{path}&deserialize=true")["value"]
        except DemoError:
            return None

    def log(self, dag_id: str, run_id: str, task_id: str, try_number: int, map_index: int = -1) -> list[dict[str, Any]]:
        """The structured log lines of one try."""
        path = f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/logs/{try_number}?map_index={map_index}"
        content = self.call("GET", path, headers={"Accept": "application/json"})["content"]
        return [line for line in content if isinstance(line, dict)]

    def wait_run(
        self, dag_id: str, run_id: str, timeout: float = 300, watch: Callable[[str], None] = lambda _: None
    ) -> dict[str, Any]:
        """Wait for a run to end.

        :param timeout: seconds.
        :param watch: called about twice a second, with the state of the run.
        :raises DemoError: it did not end in time.
        """
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            run = self.run(dag_id, run_id)
            watch(run["state"])
            if run["state"] in DONE:
                return run
            time.sleep(0.5)
        raise DemoError(f"The run {run_id} of {dag_id} did not end within {timeout:.0f} s.")


def wait_for(check: Callable[[], bool], timeout: float, what: str, step: float = 0.5) -> None:
    """Wait until ``check()`` is true.

    :param timeout: seconds.
    :raises DemoError: it did not become true.
    """
    deadline = time.monotonic() + timeout
    while not check():
        if time.monotonic() > deadline:
            raise DemoError(f"{what} did not come up within {timeout:.0f} s.")
        time.sleep(step)

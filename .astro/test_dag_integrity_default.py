"""Every DAG file imports, and asks for no connection and no variable while it does. `astro dev parse` runs this file.

The test that `astro dev init` writes here cannot run on Airflow 3.3: it calls `DagBag(include_examples=False)`,
and DagBag has no such argument any more.
"""
# ruff: noqa: INP001, S101, TID251 - a test, of Airflow's side, at the place that Astro prescribes

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from airflow.dag_processing.dagbag import DagBag
from airflow.sdk import BaseHook, Variable

PROJECT = Path(__file__).resolve().parents[1]
EXCEPTIONS = Path(__file__).with_name("dag_integrity_exceptions.txt")


def exempt() -> set[str]:
    """The DAG files that need not import, as paths from the project's root."""
    lines = (line.strip() for line in EXCEPTIONS.read_text(encoding="utf-8").splitlines())
    return {line for line in lines if line and not line.startswith("#")}


def dag_files() -> list[str]:
    """Every Python file under dags/, as a path from the project's root."""
    return sorted(path.relative_to(PROJECT).as_posix() for path in (PROJECT / "dags").rglob("*.py"))


@pytest.fixture(autouse=True)
def no_secrets_while_parsing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A DAG file is parsed every few seconds: a look-up there would ask the secrets backend each time."""

    def refuse(*args: Any, **_: Any) -> Any:
        raise AssertionError(f"{args[-1]!r} is looked up while the DAG file is parsed; do it inside a task.")

    monkeypatch.setattr(BaseHook, "get_connection", refuse)
    monkeypatch.setattr(Variable, "get", refuse)


@pytest.mark.parametrize("file", dag_files())
def test_dag_file_imports(file: str) -> None:
    """Imports, and defines a DAG."""
    bag = DagBag(dag_folder=PROJECT / file)
    if file not in exempt():
        assert not bag.import_errors, "\n".join(bag.import_errors.values())
        assert bag.dags, f"{file} defines no DAG."

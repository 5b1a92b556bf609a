"""The test that `astro dev parse` runs, run as Astro runs it: in the project's root, with its own pytest settings."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs import markdown

pytestmark = pytest.mark.integration


def parse(project: Path, home: Path) -> subprocess.CompletedProcess[str]:
    env = {key: value for key, value in os.environ.items() if not key.startswith(("AIRFLOW_", "PYTHONPATH", "PYTEST_"))}
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", ".astro/test_dag_integrity_default.py"],
        cwd=project,
        env={**env, "AIRFLOW_HOME": str(home), "PYTHONPATH": str(project), "AIRFLOW__CORE__LOAD_EXAMPLES": "False"},
        capture_output=True,
        text=True,
        timeout=120,
    )


@pytest.fixture
def project(tmp_path):
    """A copy of what goes into an image."""
    for folder in (".astro", "dags", "include/drive_backup", "plugins"):
        ignore = shutil.ignore_patterns("__pycache__")
        shutil.copytree(markdown.ROOT / folder, tmp_path / "project" / folder, ignore=ignore)
    for file in ("include/__init__.py", "include/drive_backup.yaml", "pyproject.toml"):
        shutil.copy(markdown.ROOT / file, tmp_path / "project" / file)
    return tmp_path / "project"


def test_the_dags_pass(project, tmp_path):
    result = parse(project, tmp_path)
    assert result.returncode == 0, result.stdout + result.stderr


def test_a_dag_that_does_not_import_or_looks_a_connection_up_fails_unless_it_is_exempt(project, tmp_path):
    broken = "from airflow.sdk import DAG\nimport nothing_of_this_name\n"
    (project / "dags/broken.py").write_text(broken)
    (project / "dags/exempt.py").write_text(broken)
    (project / ".astro/dag_integrity_exceptions.txt").write_text("# exempt:\ndags/exempt.py\n")
    (project / "dags/curious.py").write_text(
        "from airflow.sdk import DAG, BaseHook\nBaseHook.get_connection('some_id')\ndag = DAG('curious')\n"
    )
    result = parse(project, tmp_path)
    assert result.returncode == 1
    assert "No module named 'nothing_of_this_name'" in result.stdout
    assert "'some_id' is looked up while the DAG file is parsed" in result.stdout
    good = len(list((project / "dags").glob("*.py"))) - 2
    assert f"2 failed, {good} passed" in result.stdout

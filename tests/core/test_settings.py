"""The config file: what a person may write, and what he is told when it is wrong."""

import re

import pytest
import yaml

from include.drive_backup.settings import DEFAULT_PATH, config_path, dag_id_of, load


@pytest.fixture
def config(tmp_path):
    def write(data):
        path = tmp_path / "drive_backup.yaml"
        path.write_text(data if isinstance(data, str) else yaml.safe_dump(data))
        return load(path)

    return write


def test_the_shipped_file_is_valid():
    assert load(DEFAULT_PATH).problems == {}
    assert list(load(DEFAULT_PATH).jobs) == ["default"]


def test_an_empty_file_means_the_defaults(config):
    loaded = config("")
    assert loaded.problems == {}
    assert loaded.jobs["default"].sources == ("user/me",)
    assert loaded.config.storage.container == "drive-backup"


def test_the_shipped_file_says_the_defaults(config):
    """Whoever reads the file learns what happens without it."""
    assert load(DEFAULT_PATH).config == config("").config
    assert load(DEFAULT_PATH).jobs == config("").jobs


def test_a_named_file_that_is_missing_is_a_problem(tmp_path, monkeypatch):
    monkeypatch.setenv("DRIVE_BACKUP_CONFIG", str(tmp_path / "nowhere.yaml"))
    assert "nowhere.yaml" in load(config_path()).problems["default"]


def test_a_bad_job_leaves_the_others_alone(config):
    loaded = config({"jobs": {"good": {}, "bad": {"schedule": "every day"}}})
    assert list(loaded.jobs) == ["good"]
    assert list(loaded.problems) == ["bad"]


def test_a_job_has_storage_and_limits_of_its_own_and_shares_the_rest(config):
    loaded = config(
        {
            "storage": {"container": "shared", "create_container": False},
            "limits": {"task_retries": 7, "memory_mb": 100},
            "jobs": {"own": {"storage": {"container": "own"}, "limits": {"task_retries": 0}}, "plain": {}},
        }
    )
    assert loaded.config.of(loaded.jobs["plain"]) == loaded.config
    own = loaded.config.of(loaded.jobs["own"])
    assert (own.storage.container, own.storage.create_container) == ("own", False)
    assert (own.limits.task_retries, own.limits.memory_mb, own.limits.tasks_at_once) == (0, 100, 8)


def test_a_bad_shared_part_is_a_problem_of_every_job(config):
    loaded = config({"storage": {"container": "My_Container"}, "jobs": {"a": {}, "b": {}}})
    assert loaded.jobs == {}
    assert list(loaded.problems) == ["a", "b"]


@pytest.mark.parametrize(
    ("data", "key", "allowed"),
    [
        ({"storage": {"container": "My_Container"}}, "storage.container", "lower-case"),
        ({"storage": {"contaner": "x"}}, "storage.contaner", "container, create_container"),
        ({"strage": {}}, "strage", "storage"),
        ({"limits": {"files_in_flight": 0}}, "limits.files_in_flight", "greater than 0"),
        ({"limits": {"batch_timeout_minutes": 0}}, "limits.batch_timeout_minutes", "greater than 0"),
        ({"limits": {"run_timeout_hours": float("inf")}}, "limits.run_timeout_hours", "finite"),
        ({"jobs": {"default": {"limits": {"tasks_at_once": 3}}}}, "jobs.default.limits.tasks_at_once", "task_retries"),
        ({"limits": {"files_in_flight": "many"}}, "limits.files_in_flight", "integer"),
        ({"export_formats": {"document": ["doc"]}}, "export_formats", "docx"),
        ({"export_formats": {"memo": ["docx"]}}, "export_formats", "spreadsheet"),
        ({"connections": {"drive": "my.conn"}}, "connections.drive", "Key Vault"),
        ({"version": 2}, "version", "1"),
        ({"jobs": {"default": {"schedule": "every day"}}}, "jobs.default.schedule", "0 2 * * *"),
        ({"jobs": {"default": {"timezone": "Mars/Base"}}}, "jobs.default.timezone", "Europe/Berlin"),
        ({"jobs": {"default": {"sources": ["usr/x"]}}}, "jobs.default.sources", "drive/<shared drive id>"),
        ({"jobs": {"default": {"sources": []}}}, "jobs.default.sources", "at least 1"),
        ({"jobs": {"default": {"exclude": ["!"]}}}, "jobs.default.exclude", "gitignore"),
        ({"jobs": {"default": {"min_size": "ten"}}}, "jobs.default.min_size", "10 MB"),
        ({"jobs": {"default": {"min_size": "2 MB", "max_size": "1 MB"}}}, "jobs.default.max_size", "min_size"),
        ({"jobs": {"default": {"mime_types": ["video"]}}}, "jobs.default.mime_types", "video/*"),
        ({"jobs": {"default": {"owners": ["ann"]}}}, "jobs.default.owners", "ann@example.com"),
        ({"jobs": {"default": {"folders": ["https://x"]}}}, "jobs.default.folders", "ids of folders"),
        ({"jobs": {"default": {"modified_since": "last week"}}}, "jobs.default.modified_since", "2026-01-31"),
        ({"jobs": {"default": {"modified_since": "2026-01-31T10:00:00"}}}, "jobs.default.modified_since", "zone"),
        ({"jobs": {"default": {"surces": []}}}, "jobs.default.surces", "sources"),
        ({"jobs": {"default": {"schedule": "0 0 31 2 *"}}}, "jobs.default.schedule", "no day"),
        ({"jobs": {"default": {"start_date": "0001-01-01"}}}, "jobs.default.start_date", "1970-01-02"),
        ({"jobs": {"default": {"tags": ["x" * 101]}}}, "jobs.default.tags", "100"),
        ({"jobs": {"default": {"owner": ""}}}, "jobs.default.owner", "1 character"),
        ({"limits": {"run_timeout_hours": 1e300}}, "limits.run_timeout_hours", "8784"),
        ({"limits": {"list_timeout_minutes": 1e300}}, "limits.list_timeout_minutes", "527040"),
        ({"restore": {"approval_hours": 1e300}}, "restore.approval_hours", "8784"),
        ({"limits": {"retry_delay_seconds": 10**30}}, "limits.retry_delay_seconds", "86400"),
    ],
)
def test_a_mistake_is_told_with_file_key_and_what_is_allowed(config, data, key, allowed):
    [sentence] = config(data).problems.values()
    assert "drive_backup.yaml" in sentence
    assert key in sentence
    assert allowed in sentence


@pytest.mark.parametrize("text", ["jobs: [", "- a\n- b\n", "jobs: {}", "jobs: 3", "\xff\xfe"])
def test_a_file_that_is_no_config_is_told_in_a_sentence(config, text):
    loaded = config(text)
    assert loaded.jobs == {}
    assert "drive_backup.yaml" in loaded.problems["default"]


@pytest.mark.parametrize("name", ["my job", "a/b", "a\0b", "", "ä", "n" * 201, "a\n", "a{{ b }}"])
def test_a_job_name_that_airflow_would_refuse_is_a_problem(config, name):
    assert "letters" in config({"jobs": {name: {}}}).problems[name]
    assert re.fullmatch(r"[A-Za-z0-9_.-]{1,250}", dag_id_of(name))


def test_names_that_airflow_would_refuse_have_dags_of_their_own():
    assert len({dag_id_of(name) for name in ("a b", "a/b", "a_b", "n" * 201, "n" * 202)}) == 5


def test_sources_may_be_patterns_and_a_bad_one_is_named(config):
    assert config("jobs: {a: {sources: ['users/*', {drives: {exclude: [Old*]}}, shared/me]}}").problems == {}
    problem = config("jobs: {a: {sources: [{users: {include: x}}]}}").problems["a"]
    assert "jobs.a.sources" in problem
    assert "users.include" in problem


@pytest.mark.parametrize("value", ["2026-02-30", "2026-01-01T25:00:00Z", "9999-99-99"])
def test_a_date_that_there_is_not_in_one_job_leaves_the_others_alone(tmp_path, value):
    path = tmp_path / "drive_backup.yaml"
    path.write_text(f"jobs:\n  good: {{start_date: 2026-01-31}}\n  bad: {{modified_since: {value}}}\n")
    loaded = load(path)
    assert list(loaded.jobs) == ["good"]
    assert "modified_since" in loaded.problems["bad"]


@pytest.mark.parametrize("value", ["!!timestamp x", "9" * 5000, "[" * 2000 + "]" * 2000])
def test_a_value_that_yaml_cannot_make_is_a_sentence(tmp_path, value):
    path = tmp_path / "drive_backup.yaml"
    path.write_text(f"jobs:\n  default: {{batch_files: {value}}}\n")
    loaded = load(path)
    assert not loaded.jobs
    assert len(loaded.problems) == 1

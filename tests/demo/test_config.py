"""The demo's config file is somebody's from the moment in which they edit it."""

import yaml

from include.demo.config import write_config


def test_an_edited_config_is_kept_and_another_one_follows_the_shipped_one(tmp_path):
    path = write_config(tmp_path / "drive_backup.yaml")
    first = path.read_text()
    write_config(path, limits={"task_retries": 9})
    assert yaml.safe_load(path.read_text())["limits"]["task_retries"] == 9
    assert path.read_text() != first
    path.write_text(path.read_text() + "# mine\n")
    write_config(path)
    assert path.read_text().endswith("# mine\n")


def test_a_config_of_before_is_not_overwritten(tmp_path):
    path = tmp_path / "drive_backup.yaml"
    path.write_text("jobs: {default: {}}\n")
    write_config(path)
    assert path.read_text() == "jobs: {default: {}}\n"

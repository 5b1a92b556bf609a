"""``make env``: every secret is made, none is in the repository."""

from cryptography.fernet import Fernet

from include.demo.airflow import ROOT
from include.demo.compose_env import main


def test_each_empty_value_gets_a_fresh_secret_and_a_second_call_keeps_them(tmp_path, capsys):
    target = tmp_path / ".env"
    assert main(target) == 0
    text = target.read_text()
    values = dict(line.split("=", 1) for line in text.splitlines() if "=" in line and not line.startswith("#"))
    assert all(values.values())
    Fernet(values["AIRFLOW_FERNET_KEY"])
    assert len(values["AIRFLOW_JWT_SECRET"]) >= 64
    assert target.stat().st_mode & 0o077 == 0
    example = (ROOT / ".env.example").read_text()
    assert values["AIRFLOW_FERNET_KEY"] not in example
    main(target)
    assert target.read_text() == text
    assert "kept" in capsys.readouterr().out

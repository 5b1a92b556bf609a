"""From an Airflow connection to an open Drive: good credentials of each kind, and a sentence for each mistake."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from google.auth import jwt
from google.auth.impersonated_credentials import Credentials as Impersonated

from drive_backup_airflow.hooks.drive import GoogleDriveBackupHook
from drive_backup_airflow.hooks.google_credentials import GoogleConnection, credentials_of
from include.drive_backup.errors import (
    ConfigError,
    CredentialsError,
    DriveBackupError,
    SecretMissingError,
    ServiceUnavailableError,
)
from tests.support.scripted_drive import ScriptedServer, ok, raw, refusal, scripted_server

ROBOT = "backup@project.iam.gserviceaccount.com"


@pytest.fixture(scope="module")
def private_key() -> str:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return pem.decode()


@pytest.fixture
async def server() -> AsyncIterator[ScriptedServer]:
    async with scripted_server() as server:
        server.on("/token", ok({"access_token": "secret-token", "expires_in": 3600}), method="POST")
        server.on("/drive/v3/about", ok({"user": {"emailAddress": "ann@example.com"}}))
        yield server


@pytest.fixture
def key(private_key: str, server: ScriptedServer) -> dict[str, str]:
    return {
        "type": "service_account",
        "project_id": "project",
        "private_key_id": "1",
        "private_key": private_key,
        "client_email": ROBOT,
        "client_id": "12",
        "token_uri": f"{server.url}/token",
    }


@pytest.fixture
def user(server: ScriptedServer) -> dict[str, str]:
    return {
        "type": "authorized_user",
        "client_id": "id",
        "client_secret": "secret",
        "refresh_token": "refresh",
        "token_uri": f"{server.url}/token",
    }


def connect(monkeypatch: pytest.MonkeyPatch, server: ScriptedServer, **extra: Any) -> None:
    connection = {"conn_type": "google_cloud_platform", "extra": {"api_endpoint": server.url, **extra}}
    monkeypatch.setenv("AIRFLOW_CONN_GOOGLE", json.dumps(connection))


def grant(server: ScriptedServer) -> dict[str, str]:
    """The form that was posted to the token endpoint."""
    return {name: values[0] for name, values in parse_qs(server.bodies[0].decode()).items()}


async def who(subject: str | None = None) -> str:
    async with GoogleDriveBackupHook("google", subject).get_drive() as drive:
        return await drive.user_email()


@pytest.mark.parametrize("place", ["keyfile_dict", "keyfile_dict as text", "key_path", "older prefix", "escaped"])
async def test_a_service_account_acts_as_the_user(
    monkeypatch: pytest.MonkeyPatch, server: ScriptedServer, key: dict[str, str], place: str, tmp_path: Path
) -> None:
    file = tmp_path / "key.json"
    file.write_text(json.dumps(key))
    escaped = {**key, "private_key": key["private_key"].replace("\n", "\\n")}
    extra = {
        "keyfile_dict": {"keyfile_dict": key},
        "keyfile_dict as text": {"keyfile_dict": json.dumps(key)},
        "key_path": {"key_path": str(file)},
        "older prefix": {"extra__google_cloud_platform__keyfile_dict": json.dumps(key)},
        "escaped": {"keyfile_dict": json.dumps(escaped)},
    }[place]
    connect(monkeypatch, server, **extra)

    assert await who("ann@example.com") == "ann@example.com"
    claims = jwt.decode(grant(server)["assertion"], verify=False)
    assert (claims["iss"], claims["sub"]) == (ROBOT, "ann@example.com")
    assert claims["scope"] == "https://www.googleapis.com/auth/drive.readonly"
    assert server.requests[1].headers["Authorization"] == "Bearer secret-token"


@pytest.mark.parametrize(
    ("extra", "subject", "sub"),
    [
        ({}, None, None),
        ({}, ROBOT, None),
        ({"subject": "ann@example.com"}, None, "ann@example.com"),
        ({"subject": "bob@example.com"}, "ann@example.com", "ann@example.com"),
    ],
)
async def test_whose_drive_it_is(
    monkeypatch: pytest.MonkeyPatch,
    server: ScriptedServer,
    key: dict[str, str],
    extra: dict[str, str],
    subject: str | None,
    sub: str | None,
) -> None:
    connect(monkeypatch, server, keyfile_dict=key, scope="https://a/drive, https://a/other", **extra)
    await who(subject)

    claims = jwt.decode(grant(server)["assertion"], verify=False)
    assert claims.get("sub") == sub
    assert claims["scope"] == "https://a/drive https://a/other"


@pytest.mark.parametrize("subject", [None, "ann@example.com", "Ann@Example.com"])
async def test_a_refresh_token_acts_as_its_own_user(
    monkeypatch: pytest.MonkeyPatch, server: ScriptedServer, user: dict[str, str], subject: str | None
) -> None:
    connect(monkeypatch, server, keyfile_dict=user)

    assert await who(subject) == "ann@example.com"
    form = grant(server)
    assert (form["grant_type"], form["refresh_token"]) == ("refresh_token", "refresh")
    assert "scope" not in form


async def test_a_refresh_token_cannot_act_as_another_user(
    monkeypatch: pytest.MonkeyPatch, server: ScriptedServer, user: dict[str, str]
) -> None:
    connect(monkeypatch, server, keyfile_dict=user)

    with pytest.raises(CredentialsError, match=r"acts as ann@example\.com and cannot act as bob@example\.com"):
        await who("bob@example.com")


async def test_a_quota_project_is_sent(
    monkeypatch: pytest.MonkeyPatch, server: ScriptedServer, key: dict[str, str]
) -> None:
    connect(monkeypatch, server, keyfile_dict=key, quota_project_id="billing-project")
    await who()

    assert server.requests[1].headers["x-goog-user-project"] == "billing-project"


@pytest.mark.parametrize(
    ("answer", "kind", "sentence"),
    [
        (
            raw(b'{"error": "unauthorized_client", "error_description": "no"}', "application/json", 401),
            CredentialsError,
            "domain-wide delegation",
        ),
        (
            raw(b'{"error": "invalid_grant", "error_description": "Invalid email or User ID"}', status=400),
            CredentialsError,
            "no such user",
        ),
        (raw(b"<html>502</html>", "text/html", 502), ServiceUnavailableError, "token endpoint"),
    ],
)
async def test_what_the_token_endpoint_says_becomes_a_sentence(
    monkeypatch: pytest.MonkeyPatch,
    server: ScriptedServer,
    key: dict[str, str],
    answer: Any,
    kind: type[DriveBackupError],
    sentence: str,
) -> None:
    connect(monkeypatch, server, keyfile_dict=key, num_retries=0)
    server.on("/token", answer, method="POST")

    with pytest.raises(kind, match=sentence):
        await who("ann@example.com")


BAD_KEY = {"type": "service_account", "client_email": ROBOT, "token_uri": "https://x", "private_key": "nonsense"}


@pytest.mark.parametrize(
    ("extra", "kind", "sentence"),
    [
        ({"keyfile_dict": "{}", "key_path": "/k.json"}, ConfigError, "has keyfile_dict and key_path. Keep one"),
        ({"is_anonymous": True}, ConfigError, "is anonymous"),
        ({"keyfile_dict": '{"type": '}, CredentialsError, "not valid JSON"),
        ({"keyfile_dict": "[]"}, CredentialsError, "not a Google key"),
        ({"keyfile_dict": '{"installed": {}}'}, CredentialsError, "OAuth client, not a credential"),
        ({"keyfile_dict": '{"type": "service_account"}'}, CredentialsError, "'private_key' is missing"),
        ({"keyfile_dict": json.dumps(BAD_KEY)}, CredentialsError, "cannot be used"),
        ({"keyfile_dict": '{"type": "authorized_user"}'}, CredentialsError, "missing fields"),
        ({"keyfile_dict": '{"type": "external_account"}'}, CredentialsError, "credential_config_file"),
        ({"key_path": "/no/such/key.json"}, CredentialsError, "No such file"),
        ({"key_path": "/etc/key.p12"}, CredentialsError, "P12"),
        ({"key_path": "/tmp"}, CredentialsError, "cannot be read"),
        ({"api_endpoint": "drive.example.com"}, ConfigError, "write a URL"),
        ({"num_retries": "many"}, ConfigError, "whole number"),
    ],
)
async def test_a_wrong_setting_is_a_sentence(
    monkeypatch: pytest.MonkeyPatch,
    server: ScriptedServer,
    user: dict[str, str],
    extra: dict[str, Any],
    kind: type[DriveBackupError],
    sentence: str,
) -> None:
    fine = {} if {"keyfile_dict", "key_path", "is_anonymous"} & extra.keys() else {"keyfile_dict": user}
    connect(monkeypatch, server, **{**fine, **extra})

    with pytest.raises(kind, match=sentence) as caught:
        await who()
    assert "nonsense" not in str(caught.value)


async def test_an_extra_that_is_no_json_is_not_taken_for_empty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_GOOGLE", '{"conn_type": "google_cloud_platform", "extra": "{broken"}')

    with pytest.raises(ConfigError, match="no JSON object"):
        await who()


async def test_a_connection_that_is_nowhere_is_named() -> None:
    with pytest.raises(SecretMissingError, match="'nowhere' is not defined"):
        async with GoogleDriveBackupHook("nowhere").get_drive():
            pass


def test_impersonation_goes_along_the_chain(key: dict[str, str]) -> None:
    fields = {"keyfile_dict": key, "impersonation_chain": "a@x.iam.gserviceaccount.com, b@x.iam.gserviceaccount.com"}
    credentials, acts = credentials_of(GoogleConnection("google", fields), "ann@example.com")

    assert acts
    assert isinstance(credentials, Impersonated)
    assert credentials.service_account_email == "b@x.iam.gserviceaccount.com"
    assert credentials._delegates == ["a@x.iam.gserviceaccount.com"]
    assert credentials._subject == "ann@example.com"


def test_application_default_credentials_come_by_the_provider(
    monkeypatch: pytest.MonkeyPatch, key: dict[str, str], tmp_path: Path
) -> None:
    file = tmp_path / "adc.json"
    file.write_text(json.dumps(key))
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(file))
    credentials, acts = credentials_of(GoogleConnection("google", {}), "ann@example.com")

    assert acts
    assert credentials._subject == "ann@example.com"
    assert list(credentials.scopes) == ["https://www.googleapis.com/auth/drive.readonly"]


def test_a_mistake_that_the_provider_finds_is_a_sentence_too(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "missing.json"))

    with pytest.raises(CredentialsError, match=r"missing\.json"):
        credentials_of(GoogleConnection("google", {}), None)


async def test_the_test_button_answers_in_words(
    monkeypatch: pytest.MonkeyPatch, server: ScriptedServer, user: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    connect(monkeypatch, server, keyfile_dict=user)
    hook = GoogleDriveBackupHook("google")
    assert await asyncio.to_thread(hook.test_connection) == (
        True,
        "Drive answers; the connection acts as ann@example.com.",
    )

    server.on("/drive/v3/about", refusal(403, "accessNotConfigured"))
    good, message = await asyncio.to_thread(hook.test_connection)
    assert (good, "Enable the Google Drive API" in message) == (False, True)
    assert "secret-token" not in caplog.text

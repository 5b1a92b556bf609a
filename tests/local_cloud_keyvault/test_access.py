"""Tokens: who gets one, and what the vault takes."""

from __future__ import annotations

import time

import jwt
import pytest
import requests
from azure.core.exceptions import ClientAuthenticationError, ServiceRequestError
from azure.identity import DefaultAzureCredential, ManagedIdentityCredential
from azure.keyvault.secrets import SecretClient

from tests.support.cloud import keyvault

pytestmark = pytest.mark.integration
VAULT = "https://vault.azure.net"


def ask_token(server, audience=VAULT, **headers):
    headers = headers or {"X-IDENTITY-HEADER": server.info["identity_header"]}
    query = {"api-version": "2019-08-01", "resource": audience}
    return requests.get(server.info["identity_endpoint"], params=query, headers=headers, timeout=10)


def ask_vault(server, token=None, **query):
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    query = {"api-version": "2026-04-01"} | query
    return requests.get(
        f"{server.info['url']}/secrets", params=query, headers=headers, timeout=10, verify=server.info["ca_bundle"]
    )


def test_the_identity_gives_a_token_for_the_audience(keyvault_server):
    answer = ask_token(keyvault_server, "https://storage.azure.com").json()
    claims = jwt.decode(answer["access_token"], options={"verify_signature": False})
    assert claims["aud"] == "https://storage.azure.com"
    assert answer["expires_on"] == str(claims["exp"])
    assert abs(claims["exp"] - time.time() - 86_400) < 60
    token = ManagedIdentityCredential().get_token("https://storage.azure.com/.default")
    claims = jwt.decode(token.token, options={"verify_signature": False})
    assert token.expires_on == claims["exp"]


def test_the_identity_refuses_who_does_not_know_its_secret(keyvault_server, monkeypatch):
    assert ask_token(keyvault_server, Accept="*/*").status_code == 401
    assert ask_token(keyvault_server, **{"X-IDENTITY-HEADER": "wrong"}).status_code == 401
    monkeypatch.setenv("IDENTITY_HEADER", "wrong")
    with pytest.raises(ClientAuthenticationError):
        DefaultAzureCredential().get_token(f"{VAULT}/.default")


@pytest.mark.parametrize("query", [{}, {"api-version": "2019-08-01"}, {"api-version": "2017-09-01", "resource": VAULT}])
def test_the_identity_refuses_an_incomplete_request(keyvault_server, query):
    headers = {"X-IDENTITY-HEADER": keyvault_server.info["identity_header"]}
    answer = requests.get(keyvault_server.info["identity_endpoint"], params=query, headers=headers, timeout=10)
    assert answer.status_code == 400


def test_without_a_token_the_vault_says_where_to_get_one(keyvault_server):
    answer = ask_vault(keyvault_server)
    assert answer.status_code == 401
    challenge = answer.headers["WWW-Authenticate"]
    assert challenge.startswith(f'Bearer authorization="{keyvault_server.info["url"]}/')
    assert challenge.endswith(f'resource="{VAULT}"')


def test_a_token_for_another_service_is_refused(keyvault_server):
    token = ask_token(keyvault_server, "https://storage.azure.com").json()["access_token"]
    answer = ask_vault(keyvault_server, token)
    assert answer.status_code == 401
    assert "Invalid audience" in answer.json()["error"]["message"]


def test_a_token_that_somebody_else_signed_is_refused(keyvault_server):
    token = ask_token(keyvault_server).json()["access_token"]
    assert ask_vault(keyvault_server, token).status_code == 200
    head, body, signature = token.split(".")
    forged = ".".join((head, body, signature[:-8] + "AAAAAAAA"))
    assert ask_vault(keyvault_server, forged).status_code == 401
    unsigned = jwt.encode(jwt.decode(token, options={"verify_signature": False}), None, algorithm="none")
    assert ask_vault(keyvault_server, unsigned).status_code == 401


def test_a_token_is_good_until_it_expires(tmp_path):
    with keyvault(tmp_path / "vault", "--token-lifetime", "2") as server:
        token = ask_token(server).json()["access_token"]
        assert ask_vault(server, token).status_code == 200
        time.sleep(3)
        answer = ask_vault(server, token)
        assert answer.status_code == 401
        assert "expired" in answer.json()["error"]["message"]


def test_a_request_without_api_version_is_refused(keyvault_server):
    token = ask_token(keyvault_server).json()["access_token"]
    answer = requests.get(
        f"{keyvault_server.info['url']}/secrets",
        headers={"Authorization": f"Bearer {token}"},
        timeout=10,
        verify=keyvault_server.info["ca_bundle"],
    )
    assert answer.status_code == 400


def test_a_client_that_does_not_trust_our_authority_gets_no_secret(keyvault_server, monkeypatch):
    monkeypatch.delenv("REQUESTS_CA_BUNDLE")
    with (
        SecretClient(
            keyvault_server.info["url"], DefaultAzureCredential(), verify_challenge_resource=False, retry_total=0
        ) as client,
        pytest.raises(ServiceRequestError, match="CERTIFICATE_VERIFY_FAILED"),
    ):
        client.get_secret("s")

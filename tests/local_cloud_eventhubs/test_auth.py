from __future__ import annotations

import time

import jwt
import pytest
from azure.eventhub._pyamqp.utils import generate_sas_token
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from include.local_cloud.eventhubs.auth import JWT_TYPE, SAS_TYPE, Authority, Claims, RefusedError
from include.local_cloud.eventhubs.frames import AmqpError

NOW = 1_800_000_000
PRIVATE = rsa.generate_private_key(public_exponent=65_537, key_size=2048)
PUBLIC = PRIVATE.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
AUTHORITY = Authority("Root", "secret", PUBLIC)


def sas(resource="sb://host/hub", *, expiry=NOW + 60, key="secret", name="Root"):
    return generate_sas_token(resource, name, key, expiry)


@pytest.mark.parametrize(
    "audience", ["sb://host/hub", "sb://host/hub/consumergroups/g", "amqps://host:1/HUB/Partitions/0"]
)
def test_a_signature_is_good_for_its_hub_and_what_is_below_it_until_it_expires(audience):
    assert AUTHORITY.check(SAS_TYPE, sas(), audience, NOW) == NOW + 60


@pytest.mark.parametrize(
    ("token", "audience", "reason"),
    [
        (sas(expiry=NOW), "sb://host/hub", "ExpiredToken"),
        (sas(key="other"), "sb://host/hub", "InvalidSignature"),
        (sas(name="Other"), "sb://host/hub", "InvalidSignature"),
        (sas().replace(f"se={NOW + 60}", f"se={NOW + 61}"), "sb://host/hub", "InvalidSignature"),
        (sas(), "sb://host/hub2", "InvalidAudience"),
        (sas(), "sb://host", "InvalidAudience"),
        (sas("sb://host/hub/consumergroups/g"), "sb://host/hub", "InvalidAudience"),
        ("SharedAccessSignature sr=x", "sb://host/hub", "MalformedToken"),
        ("nonsense", "sb://host/hub", "MalformedToken"),
    ],
)
def test_a_signature_that_is_not_good_is_refused_with_the_reason(token, audience, reason):
    with pytest.raises(RefusedError, match=reason):
        AUTHORITY.check(SAS_TYPE, token, audience, NOW)


def bearer(key=PRIVATE, **changes):
    now = int(time.time())
    claims = {"aud": "https://eventhubs.azure.net", "exp": now + 60, "nbf": now - 1} | changes
    return jwt.encode(claims, key, algorithm="RS256")


def test_a_bearer_token_is_good_for_the_audience_of_event_hubs():
    assert AUTHORITY.check(JWT_TYPE, bearer(exp=9_999_999_999), "sb://host/hub", NOW) == 9_999_999_999


@pytest.mark.parametrize("key", [PUBLIC, None])
@pytest.mark.parametrize(
    "changes", [{"aud": "https://vault.azure.net"}, {"exp": 1}, {"nbf": 9_999_999_999}, {"exp": None}, {"aud": None}]
)
def test_a_bearer_token_for_others_or_of_another_time_is_refused_with_and_without_a_key(key, changes):
    token = bearer(**{name: value for name, value in changes.items() if value is not None})
    if None in changes.values():
        claims = jwt.decode(token, options={"verify_signature": False})
        del claims[next(iter(changes))]
        token = jwt.encode(claims, PRIVATE, algorithm="RS256")
    with pytest.raises(RefusedError, match="InvalidToken"):
        AUTHORITY._replace(token_key=key).check(JWT_TYPE, token, "sb://host/hub", NOW)


def test_a_bearer_token_that_another_authority_signed_is_refused_when_the_key_is_known():
    other = rsa.generate_private_key(public_exponent=65_537, key_size=2048)
    with pytest.raises(RefusedError, match="Signature verification failed"):
        AUTHORITY.check(JWT_TYPE, bearer(other), "sb://host/hub", NOW)
    assert AUTHORITY._replace(token_key=None).check(JWT_TYPE, bearer(other), "sb://host/hub", NOW)


def test_an_unknown_kind_of_token_is_refused():
    with pytest.raises(RefusedError, match="'saml' is not supported"):
        AUTHORITY.check("saml", "x", "sb://host/hub", NOW)


def test_a_connection_may_use_what_it_has_a_token_for_until_that_expires():
    claims = Claims()
    claims.add("sb://host/hub", NOW + 60)
    claims.require("hub/ConsumerGroups/g/Partitions/0", NOW)
    for path, now in (("other", NOW), ("hub2", NOW), ("hub", NOW + 60)):
        with pytest.raises(AmqpError, match="Unauthorized access"):
            claims.require(path, now)

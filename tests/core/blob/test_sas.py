"""Why Azure refuses a SAS, said by its own dates and letters and by what the service answers; never by quoting it."""

from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import pytest
from azure.core.credentials import AzureSasCredential
from azure.storage.blob.aio import ContainerClient
from hypothesis import given
from hypothesis import strategies as st

from include.drive_backup.blob.azure import AzureBlobStore
from include.drive_backup.blob.sas import malformed, why_refused
from include.drive_backup.errors import CredentialsError
from tests.core.blob.scripted_blob import answer, scripted_store
from tests.support.fake_clock import FakeClock

NOW = datetime(2026, 3, 3, 5, tzinfo=UTC)
SECRET = "c2VjcmV0IHNpZ25hdHVyZQ=="


def sas(**fields):
    given = {"sv": "2026-02-06", "sr": "c", "sp": "rl", "se": "2026-03-04T00:00:00Z", **fields, "sig": SECRET}
    return "&".join(f"{key}={quote(value, safe='')}" for key, value in given.items() if value is not None)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"se": "2026-03-02"}, "The SAS expired at 2026-03-02 00:00:00Z (se); by the service's clock it is 2026-03-03"),
        ({"se": "2026-03-03T04:59Z"}, "expired at 2026-03-03 04:59:00Z"),
        ({"se": "2026-03-03T04:59:59.1234567Z"}, "expired at 2026-03-03 04:59:59Z"),
        ({"ske": "2026-03-02T00:00:00Z"}, "The key that signed the SAS expired at 2026-03-02 00:00:00Z (ske)"),
        ({"st": "2026-03-03T06:00:00Z"}, "The SAS is not valid before 2026-03-03 06:00:00Z (st)"),
        ({"skt": "2026-03-03T06:00:00Z"}, "The key that signed the SAS is not valid before 2026-03-03 06:00:00Z (skt)"),
    ],
)
@pytest.mark.parametrize("code", ["AuthenticationFailed", "AuthorizationFailure"])
def test_its_time_is_named(fields, said, code):
    assert said in why_refused(sas(**fields), code=code, needs="rl", now=NOW)


@pytest.mark.parametrize(
    ("letters", "needs", "said"),
    [
        ("r", "rl", "has the letters r (sp) and lacks l. Make one with r, l"),
        ("l", "r", "has the letters l (sp) and lacks r."),
        ("rl", "rcwdl", "has the letters r, l (sp) and lacks c, w, d."),
        ("", "rl", "has no letters (sp) and lacks r, l."),
    ],
)
def test_what_it_lacks_is_named(letters, needs, said):
    assert said in why_refused(sas(sp=letters), code="AuthorizationPermissionMismatch", needs=needs, now=NOW)
    # Another refusal is about something else.
    assert why_refused(sas(sp=letters), code="AuthorizationFailure", needs=needs, now=NOW) == ""


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("AuthorizationSourceIPMismatch", "(sip)"),
        ("AuthorizationProtocolMismatch", "(spr)"),
        ("AuthorizationResourceTypeMismatch", "(srt)"),
        ("AuthorizationServiceMismatch", "(ss)"),
    ],
)
def test_other_bounds_are_named(code, said):
    assert said in why_refused(sas(), code=code, needs="rl", now=NOW)


def test_a_sas_of_a_stored_policy_says_nothing_of_its_rights():
    policy = sas(sp=None, se=None, si="readers")
    assert why_refused(policy, code="AuthorizationPermissionMismatch", needs="rl", now=NOW) == ""


DETAIL = "Signature did not match. String to sign used was rl\n2026-03-04T00:00:00Z\n/blob/account/backup"


@pytest.mark.parametrize(
    ("detail", "said"),
    [
        (DETAIL, "Azure says: Signature did not match. The SAS is of another container or account, was changed"),
        ("Signature fields not well formed.", "Azure says: Signature fields not well formed."),
        ("", "was changed"),
    ],
)
def test_what_azure_says_of_the_signature_is_told(detail, said):
    told = why_refused(sas(), code="AuthenticationFailed", needs="rl", now=NOW, detail=detail)
    assert said in told
    assert "String to sign" not in told


def test_a_time_beyond_all_times_says_nothing():
    for odd in ("0001-01-01T00:00+23:00", "9999-12-31T23:59-23:00", "now", ""):
        assert why_refused(sas(se=odd, st=odd), code="AuthorizationFailure", needs="rl", now=NOW) == ""


@given(st.text(max_size=60), st.text(max_size=60), st.text("rlcwd", max_size=5), st.text(max_size=80))
def test_whatever_is_in_it_nothing_of_it_that_is_secret_is_quoted(expiry, start, letters, detail):
    text = sas(se=expiry, st=start, sp=letters)
    for code in ("AuthenticationFailed", "AuthorizationPermissionMismatch", ""):
        said = why_refused(text, code=code, needs="rl", now=NOW, detail=f"{detail} {SECRET} {quote(SECRET, safe='')}")
        assert SECRET not in said
        assert quote(SECRET, safe="") not in said
        assert "\n" not in said


@pytest.mark.parametrize(
    ("text", "flawed"),
    [
        (sas(), False),
        (f"?{sas()}", False),
        (sas(sp=None, se=None, si="readers"), False),
        (sas().partition("&sig")[0], True),
        (sas().partition("&")[0], True),
        (sas().replace("&", "&amp;"), True),
        ("garbage", True),
        (f"{sas()}%", True),
        (f"{sas()}%zz", True),
    ],
)
def test_what_is_no_whole_sas_is_known_before_it_is_sent(text, flawed):
    assert bool(malformed(text)) is flawed


@pytest.mark.parametrize("kind", ["url", "credential"])
@pytest.mark.parametrize("call", ["head", "list"])
async def test_a_refusal_tells_it_both_through_the_sdk_and_past_it_by_the_clock_of_the_service(kind, call):
    body = (
        "<?xml version='1.0'?><Error><Code>AuthenticationFailed</Code><Message>Because.</Message>"
        f"<AuthenticationErrorDetail>{DETAIL}</AuthenticationErrorDetail></Error>"
    ).encode()
    headers = {"x-ms-error-code": "AuthenticationFailed", "Content-Type": "application/xml"}
    # Our own clock is years behind.
    clock = FakeClock(NOW - timedelta(days=1000))
    for text, date, said in (
        (sas(), "Tue, 03 Mar 2026 05:00:00 GMT", "Signature did not match."),
        (sas(), "Thu, 05 Mar 2026 05:00:00 GMT", "The SAS expired at 2026-03-04 00:00:00Z (se)"),
    ):
        refusal = (403, b"" if call == "head" else body, {**headers, "Date": date})
        async with scripted_store(clock, refusal) as (other, _):
            signed = {"url": (f"{other.url}?{text}", None), "credential": (other.url, AzureSasCredential(text))}[kind]
            async with (
                ContainerClient.from_container_url(signed[0], credential=signed[1]) as client,
                AzureBlobStore(client, clock) as store,
            ):
                with pytest.raises(CredentialsError) as caught:
                    await store.head("a") if call == "head" else [each async for each in store.list("")]
        assert (said if call == "list" or "expired" in said else "was changed") in str(caught.value)
        assert SECRET not in str(caught.value)
        assert caught.value.reason == "AuthenticationFailed"


async def test_without_a_sas_nothing_is_said_of_one():
    async with scripted_store(FakeClock(), answer(403, "AuthenticationFailed")) as (store, _):
        with pytest.raises(CredentialsError, match="Check the key or SAS of the connection"):
            await store.head("a")

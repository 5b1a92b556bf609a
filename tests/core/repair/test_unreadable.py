"""A candidate that cannot be read is one candidate less, said in a sentence: the search goes on."""

import pytest

from include.drive_backup.errors import (
    ContentArchivedError,
    CorruptStoreError,
    CredentialsError,
    PermanentError,
    ServiceUnavailableError,
)
from include.drive_backup.repair.run import look
from tests.core.repair.test_elsewhere import NOW, shared_with_bob
from tests.core.repair.test_repair import SOURCE, apply, blob_of, world
from tests.support.verified import assert_sound

REFUSALS = {
    "refused": CredentialsError("HTTP 403 AuthorizationPermissionMismatch."),
    "of another key": PermanentError("HTTP 409 BlobUsesCustomerSpecifiedEncryption."),
    "gone": CorruptStoreError("It is not there.", reason="blobMissing"),
    "no network": ServiceUnavailableError("No connection.", service="blob"),
    "archived meanwhile": ContentArchivedError("It is in the archive tier."),
}
refusals = pytest.mark.parametrize("refusal", REFUSALS.values(), ids=REFUSALS)


def refusing(refusal, *, times=1, operation="stream"):
    """Refuses the first requests of a kind."""
    left = [refusal] * times

    def strike(phase, done, _):
        if (phase, done) == ("before", operation) and left:
            raise left.pop()

    return strike


async def spoilt_twice():
    """The newer of two versions of the right length is not it, and the older one is."""
    store = await world(versions=True)
    name = blob_of(store, b"aaaa")
    store.spoil(name, b"XXXX")
    store.spoil(name, b"YYYY")
    return store


@refusals
async def test_the_next_version_is_tried(refusal):
    store = await spoilt_twice()
    store.fault = refusing(refusal)
    [remedy] = (await look(store, SOURCE, NOW)).remedies
    assert remedy.how == "copy"
    assert [str(refusal) in said for said in remedy.unread] == [True]

    store.fault = None
    assert [each.done for each in (await apply(store)).repaired] == [True]
    await assert_sound(store)


@refusals
async def test_another_blob_is_tried_and_the_other_damages_are_looked_at(refusal):
    store = await world(versions=True)
    await shared_with_bob(store)
    store.lose(blob_of(store, b"aaaa"))
    store.lose(blob_of(store, b"bbbb"))
    store.fault = refusing(refusal)
    found = await look(store, SOURCE, NOW)
    assert [remedy.how for remedy in found.remedies] == ["copy", "copy"]


@refusals
async def test_where_none_can_be_read_the_reason_says_why(refusal):
    store = await spoilt_twice()
    store.lose(blob_of(store, b"bbbb"))
    store.fault = refusing(refusal, times=2)
    found = {remedy.what: remedy for remedy in (await look(store, SOURCE, NOW)).remedies}
    assert found["/a.txt"].how == "none"
    assert str(refusal) in found["/a.txt"].why
    assert found["/b.txt"].how == "copy"


@pytest.mark.parametrize("refusal", [REFUSALS["refused"], REFUSALS["no network"]], ids=["refused", "no network"])
async def test_what_is_kept_may_not_be_listed(refusal):
    store = await world(versions=True)
    await shared_with_bob(store)
    store.lose(blob_of(store, b"aaaa"))
    store.lose(blob_of(store, b"bbbb"))
    store.fault = refusing(refusal, times=2, operation="earlier")
    found = {remedy.what: remedy for remedy in (await look(store, SOURCE, NOW)).remedies}
    assert (found["/a.txt"].how, found["/b.txt"].how) == ("copy", "none")
    assert str(refusal) in found["/b.txt"].why


async def test_a_blob_that_cannot_be_read_now_is_not_written_over():
    """It may be whole: who cannot read it does not know."""
    store = await world(versions=True)
    name = blob_of(store, b"aaaa")
    store.spoil(name, b"XXXX")
    store.lose(blob_of(store, b"bbbb"))
    found = (await look(store, SOURCE, NOW)).remedies

    from include.drive_backup.repair.mend import mend

    store.fault = refusing(REFUSALS["no network"], times=1)
    done = [await mend(store, remedy, lambda: None) for remedy in found]
    assert sorted(each.done for each in done) == [False, True]
    assert store.blobs[name][0] == b"XXXX"
    assert [each.why for each in done if not each.done] == ["No connection."]


async def test_what_came_back_into_the_archive_is_not_called_wrong():
    store = await world(soft_delete=True)
    name = blob_of(store, b"aaaa")
    await store.set_tier([name], "archive")
    store.lose(name)
    [done] = (await apply(store)).repaired
    assert not done.done
    assert "archive tier" in done.why
    assert "other bytes" not in done.why


async def test_what_was_repaired_is_told_when_the_credential_ends_meanwhile():
    store = await world(versions=True)
    store.lose(blob_of(store, b"aaaa"))
    store.lose(blob_of(store, b"bbbb"))
    written = []

    def strike(phase, operation, name):
        if (phase, operation) == ("before", "put") and name.startswith("content/"):
            if written:
                raise CredentialsError("HTTP 403 AuthenticationFailed.")
            written.append(name)

    store.fault = strike
    done = await apply(store)
    assert [each.done for each in done.repaired] == [True, False]
    assert "AuthenticationFailed" in done.repaired[1].why

"""The real adapter when the service, or the way to it, misbehaves."""

from __future__ import annotations

import base64
import hashlib
from datetime import UTC, datetime

import pytest
from azure.storage.blob.aio import ContainerClient

from include.drive_backup.blob.azure import AzureBlobStore
from include.drive_backup.blob.calls import CallSettings
from include.drive_backup.blob.reading import RANGE
from include.drive_backup.errors import (
    BrokenBodyError,
    ConfigError,
    ContainerMissingError,
    ContentArchivedError,
    CorruptStoreError,
    CredentialsError,
    PermanentError,
    ServiceUnavailableError,
    TransientError,
)
from include.drive_backup.pacing import Backoff
from tests.core.blob.scripted_blob import HANG_UP, answer, scripted_store
from tests.support.fake_clock import FakeClock

DATA = b"hello"
MD5 = hashlib.md5(DATA).digest()
MD5_TEXT = base64.b64encode(MD5).decode()
FOUND = {"Content_MD5": MD5_TEXT, "Content_Length": "5", "x_ms_blob_type": "BlockBlob", "ETag": '"1"'}
TAKEN = answer(409, "BlobAlreadyExists")
# aiohttp by itself sends PUT, GET and HEAD once more when a connection breaks, so it takes two to be noticed.
BROKEN = (HANG_UP, HANG_UP)
FAILURES = [*((answer(*said),) for said in ((500, "InternalError"), (503, "ServerBusy"), (429,), (408,))), BROKEN]


def found(**changes):
    """What HEAD says of our blob."""
    return answer(200, **(FOUND | changes))


async def put(store):
    return await store.put("a", DATA, metadata={"name": "é"})


async def commit(store):
    return await store.commit_blocks("a", 1, upload_key="k", md5=MD5, metadata={"name": "é"})


WRITES = pytest.mark.parametrize("write", [put, commit])


async def test_a_create_is_one_request_with_checksum_and_condition():
    async with scripted_store(FakeClock(), answer(201, Content_MD5=MD5_TEXT)) as (store, service):
        assert await put(store)
    (asked,) = service.asked
    assert (asked.method, asked.path, asked.body) == ("PUT", "/account/backup/a", DATA)
    assert asked.headers["Content-MD5"] == MD5_TEXT
    assert asked.headers["If-None-Match"] == "*"
    assert asked.headers["x-ms-meta-name"] == "%C3%A9"


async def test_a_commit_stores_the_checksum_of_the_whole():
    async with scripted_store(FakeClock(), answer(201), answer(201)) as (store, service):
        await store.stage_block("a", 0, DATA, upload_key="k")
        assert await commit(store)
    staged, committed = service.asked
    assert staged.headers["Content-MD5"] == MD5_TEXT
    assert staged.query["blockid"].encode() in committed.body
    assert committed.headers["x-ms-blob-content-md5"] == MD5_TEXT
    assert committed.headers["If-None-Match"] == "*"


@WRITES
@pytest.mark.parametrize("taken", [TAKEN, answer(412, "ConditionNotMet")])
async def test_a_name_in_use_is_said_at_once_and_not_looked_into(write, taken):
    async with scripted_store(FakeClock(), taken) as (store, _):
        assert await write(store) is False


@WRITES
@pytest.mark.parametrize("failure", FAILURES)
async def test_a_write_whose_answer_was_lost_finds_itself(write, failure):
    async with scripted_store(FakeClock(), *failure, TAKEN, found(x_ms_meta_name="%C3%A9")) as (store, _):
        assert await write(store) is True


@WRITES
@pytest.mark.parametrize("other", [{"Content_MD5": base64.b64encode(b"x" * 16).decode()}, {"x_ms_meta_name": "other"}])
async def test_a_write_whose_answer_was_lost_does_not_take_another_blob_for_its_own(write, other):
    there = found(**({"x_ms_meta_name": "%C3%A9"} | other))
    async with scripted_store(FakeClock(), *BROKEN, TAKEN, there) as (store, _):
        assert await write(store) is False


@WRITES
@pytest.mark.parametrize(
    ("status", "code"),
    [
        (409, "BlobImmutableDueToPolicy"),
        (409, "BlobImmutableDueToLegalHold"),
        (409, "BlobArchived"),
        (409, "LeaseAlreadyPresent"),
        (409, "SnapshotsPresent"),
        (412, "LeaseIdMissing"),
        (400, "MetadataTooLarge"),
        (413, "RequestBodyTooLarge"),
    ],
)
async def test_no_other_conflict_is_taken_for_a_name_in_use(write, status, code):
    async with scripted_store(FakeClock(), answer(status, code)) as (store, _):
        with pytest.raises(PermanentError) as caught:
            await write(store)
    assert caught.value.reason == code


@pytest.mark.parametrize("failure", FAILURES)
async def test_what_passes_is_tried_again(failure):
    clock = FakeClock()
    async with scripted_store(clock, *failure, *failure, found()) as (store, _):
        assert (await store.head("a")).size == 5
    assert len(clock.slept) == 2
    assert 0.5 <= clock.slept[0] < clock.slept[1] * 2


async def test_the_service_may_say_how_long_to_wait():
    clock = FakeClock()
    async with scripted_store(clock, answer(503, "ServerBusy", Retry_After="17"), found()) as (store, _):
        await store.head("a")
    assert clock.slept == [17.0]


async def test_what_does_not_pass_ends_as_a_transient_error():
    clock = FakeClock()
    async with scripted_store(clock, *[answer(503, "ServerBusy")] * 6) as (store, _):
        with pytest.raises(ServiceUnavailableError) as caught:
            await store.head("a")
    assert (caught.value.service, caught.value.reason) == ("blob", "ServerBusy")
    assert sum(clock.slept) < 60


async def test_a_container_that_is_being_deleted_is_waited_for():
    async with scripted_store(FakeClock(), answer(409, "ContainerBeingDeleted"), answer(201)) as (store, _):
        assert await store.put("a", DATA)


async def test_bytes_that_arrived_broken_are_sent_again():
    async with scripted_store(FakeClock(), answer(400, "Md5Mismatch"), answer(201)) as (store, service):
        await store.stage_block("a", 0, DATA, upload_key="k")
    assert [asked.body for asked in service.asked] == [DATA, DATA]


async def test_blocks_that_are_gone_are_reported_at_once():
    clock = FakeClock()
    async with scripted_store(clock, answer(400, "InvalidBlockList")) as (store, _):
        with pytest.raises(BrokenBodyError):
            await commit(store)
    assert clock.slept == []


async def test_a_service_that_took_other_bytes_is_not_believed():
    wrong = base64.b64encode(b"x" * 16).decode()
    script = answer(201, Content_MD5=wrong), TAKEN, found(Content_MD5=wrong)
    async with scripted_store(FakeClock(), *script) as (store, _):
        assert await store.put("a", DATA) is False


@pytest.mark.parametrize(
    ("status", "code", "what_to_do"),
    [
        (403, "AuthenticationFailed", "clock"),
        (403, "AuthorizationFailure", "firewall"),
        (403, "AuthorizationPermissionMismatch", "Storage Blob Data Contributor"),
        (403, "KeyBasedAuthenticationNotPermitted", "managed identity"),
        (401, "NoAuthenticationInformation", "Set a key"),
        (403, None, "credential"),
    ],
)
async def test_a_refusal_says_what_to_do(status, code, what_to_do):
    async with scripted_store(FakeClock(), answer(status, code)) as (store, _):
        with pytest.raises(CredentialsError, match=what_to_do):
            await store.ensure_container(create=True)


@pytest.mark.parametrize(
    ("ask", "words"),
    [
        (lambda store: store.head("a"), ("'Storage Blob Data Reader'", "the letter r.")),
        (lambda store: store.read("a"), ("'Storage Blob Data Reader'", "the letter r.")),
        (lambda store: store.now(), ("'Storage Blob Data Reader'", "the letter l.")),
        (lambda store: store.ensure_container(create=False), ("'Storage Blob Data Reader'", "the letters r and l.")),
        (lambda store: store.put("a", b""), ("'Storage Blob Data Contributor'", "the letters c and w.")),
        (lambda store: store.delete(["a"]), ("'Storage Blob Data Contributor'", "the letter d.")),
        (lambda store: store.lease("a"), ("'Storage Blob Data Contributor'", "the letter w.")),
        (lambda store: store.ensure_container(create=True), ("'Storage Blob Data Contributor'", "r, c, w, d and l.")),
    ],
)
async def test_no_more_rights_are_advised_than_are_needed(ask, words):
    async with scripted_store(FakeClock(), answer(403, "AuthorizationPermissionMismatch")) as (store, _):
        with pytest.raises(CredentialsError) as refused:
            await ask(store)
    assert all(word in str(refused.value) for word in words), str(refused.value)


async def test_a_missing_container_is_not_a_missing_blob():
    async with scripted_store(FakeClock(), answer(404, "ContainerNotFound")) as (store, _):
        with pytest.raises(ContainerMissingError):
            await store.head("a")


async def test_a_404_of_some_other_server_is_not_a_missing_blob():
    async with scripted_store(FakeClock(), answer(404)) as (store, _):
        with pytest.raises(ConfigError, match="Blob endpoint"):
            await store.head("a")


async def test_a_body_that_is_cut_is_read_again():
    part = {"Content_Range": "bytes 0-4/5", "ETag": '"1"', "Content_MD5": MD5_TEXT, "x_ms_blob_content_md5": MD5_TEXT}
    cut = answer(206, body=b"hel", Cut="5", **part)
    async with scripted_store(FakeClock(), cut, answer(206, body=DATA, **part)) as (store, _):
        assert await store.read("a") == DATA


async def test_bytes_that_never_fit_their_checksum_are_a_damaged_blob():
    part = {"Content_Range": "bytes 0-4/5", "ETag": '"1"', "x_ms_blob_content_md5": MD5_TEXT}
    async with scripted_store(FakeClock(), answer(206, body=b"jello", **part)) as (store, _):
        with pytest.raises(CorruptStoreError):
            await store.read("a")


async def test_a_blob_that_ends_before_its_length_is_damaged_even_without_a_checksum():
    first = answer(206, body=bytes(RANGE), Content_Range=f"bytes 0-{RANGE - 1}/{RANGE + 5}", ETag='"1"')
    async with scripted_store(FakeClock(), first, answer(404, "BlobNotFound")) as (store, service):
        with pytest.raises(CorruptStoreError):
            await store.read("a")
    assert service.asked[1].headers["If-Match"] == '"1"'


async def test_a_listing_goes_on_where_a_page_failed():
    def page(name, marker):
        return answer(
            200,
            body=f"<?xml version='1.0'?><EnumerationResults><Blobs><Blob><Name>{name}</Name><Properties>"
            f"<BlobType>BlockBlob</BlobType><Content-Length>5</Content-Length><Content-MD5>{MD5_TEXT}</Content-MD5></Properties></Blob></Blobs>"
            f"<NextMarker>{marker}</NextMarker></EnumerationResults>".encode(),
            Content_Type="application/xml",
        )

    script = page("a", "m1"), answer(500, "InternalError"), page("b", "m2"), *BROKEN, page("c", "")
    async with scripted_store(FakeClock(), *script) as (store, service):
        assert [(info.name, info.md5) async for info in store.list("")] == [(name, MD5.hex()) for name in "abc"]
    assert [asked.query.get("marker") for asked in service.asked] == [None, "m1", "m1", "m2", "m2", "m2"]
    assert service.asked[0].query["maxresults"] == "5000"


@pytest.mark.parametrize(
    "body",
    [
        b"<html><body>A proxy's page</body></html>",
        b"",
        b"<?xml version='1.0'?><EnumerationResults><Blobs/>",
        b"<EnumerationResults><Blobs/></EnumerationResults>",
        b"<EnumerationResults><NextMarker/></EnumerationResults>",
        b"<EnumerationResults><Blobs><Blob/></Blobs></EnumerationResults>",
        b"<EnumerationResults><Blobs><Blob/></Blobs><NextMarker/></EnumerationResults>",
        b"<EnumerationResults><Blobs><Blob><Name>a</Name></Blob></Blobs><NextMarker/></EnumerationResults>",
    ],
)
async def test_what_is_no_page_of_a_listing_is_never_an_empty_one(body):
    whole = b"<EnumerationResults><Blobs/><NextMarker/></EnumerationResults>"
    async with scripted_store(FakeClock(), answer(200, body=body), answer(200, body=whole)) as (store, service):
        assert [info async for info in store.list("")] == []
    assert len(service.asked) == 2


async def test_a_listed_name_that_xml_cannot_hold_is_decoded():
    body = (
        b"<EnumerationResults><Blobs><Blob><Name Encoded='true'>a%EF%BF%BEb</Name><Properties>"
        b"<Content-Length>5</Content-Length></Properties></Blob></Blobs><NextMarker/></EnumerationResults>"
    )
    async with scripted_store(FakeClock(), answer(200, body=body)) as (store, _):
        assert [info.name async for info in store.list("")] == ["a\ufffeb"]


async def test_metadata_may_have_the_names_of_a_pages_parts():
    names = ("Blob", "Blobs", "NextMarker", "Name", "Properties")
    metadata = "".join(f"<{name}>{name}!</{name}>" for name in names)
    body = (
        "<EnumerationResults><Blobs><Blob><Name>a</Name><Properties><Content-Length>5</Content-Length></Properties>"
        f"<Metadata>{metadata}</Metadata></Blob></Blobs><NextMarker/></EnumerationResults>"
    ).encode()
    async with scripted_store(FakeClock(), answer(200, body=body)) as (store, _):
        (info,) = [info async for info in store.list("", metadata=True)]
    assert (info.name, info.size) == ("a", 5)
    assert info.metadata == {name.lower(): f"{name}!" for name in names}


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/account", "https://no-such-account.invalid"])
async def test_a_service_that_cannot_be_reached_is_down_and_secrets_stay_secret(url):
    settings = CallSettings(backoff=Backoff(attempts=2))
    async with ContainerClient(f"{url}/backup?sig=SECRET", "backup", credential="sig=SECRET2") as client:
        store = AzureBlobStore(client, FakeClock(), settings)
        with pytest.raises(TransientError, match="no connection") as caught:
            await store.ensure_container(create=True)
    assert "SECRET" not in str(caught.value)
    assert "SECRET" not in store.url


async def test_what_a_policy_or_hold_protects_is_told_and_the_rest_is_deleted():
    script = (
        answer(409, "BlobImmutableDueToPolicy"),
        answer(202),
        answer(409, "BlobImmutableDueToLegalHold"),
        answer(409, "SnapshotsPresent"),
        answer(412, "LeaseIdMissing"),
        answer(404, "BlobNotFound"),
    )
    kept = {}
    async with scripted_store(FakeClock(), *script) as (store, service):
        for name in "abcdef":
            kept |= await store.delete([name])
    assert {name: refused.reason for name, refused in kept.items()} == {
        "a": "BlobImmutableDueToPolicy",
        "c": "BlobImmutableDueToLegalHold",
        "d": "SnapshotsPresent",
        "e": "LeaseIdMissing",
    }
    assert len(service.asked) == 6


async def test_another_refusal_to_delete_is_an_error():
    async with scripted_store(FakeClock(), answer(403, "AuthorizationPermissionMismatch")) as (store, _):
        with pytest.raises(CredentialsError):
            await store.delete(["a"])


async def test_its_time_is_that_of_the_answer():
    page = b"<?xml version='1.0'?><EnumerationResults><Blobs/></EnumerationResults>"
    said = answer(200, body=page, Date="Sun, 01 Mar 2026 10:20:30 GMT", Content_Type="application/xml")
    async with scripted_store(FakeClock(), said) as (store, _):
        assert await store.now() == datetime(2026, 3, 1, 10, 20, 30, tzinfo=UTC)


@pytest.mark.parametrize("status", [200, 202])
async def test_moving_a_blob_says_where_to_and_how_soon(status):
    async with scripted_store(FakeClock(), answer(status), answer(status)) as (store, service):
        assert await store.set_tier(["a/é"], "cold") == {}
        assert await store.set_tier(["a/é"], "hot", priority="high") == {}
        assert store.writes == 2
    asked = [(each.query, each.headers.get("x-ms-access-tier")) for each in service.asked]
    assert asked == [({"comp": "tier"}, "Cold"), ({"comp": "tier"}, "Hot")]
    assert [each.headers.get("x-ms-rehydrate-priority") for each in service.asked] == [None, "High"]


@pytest.mark.parametrize(
    ("status", "code", "said"),
    [
        (409, "BlobImmutableDueToPolicy", "An immutability policy protects it."),
        (409, "BlobImmutableDueToLegalHold", "A legal hold in Azure protects it."),
        (409, "BlobBeingRehydrated", "It is being rehydrated."),
        (400, "AccessTierNotSupportedForBlobType", "HTTP 400 AccessTierNotSupportedForBlobType: "),
        (409, "FeatureNotSupportedForAccount", "HTTP 409 FeatureNotSupportedForAccount: "),
        (412, "ConditionNotMet", "HTTP 412 ConditionNotMet: "),
    ],
)
async def test_a_blob_that_may_not_move_is_named_with_the_reason_and_the_others_move(status, code, said):
    async with scripted_store(FakeClock(), answer(status, code)) as (store, _):
        refused = await store.set_tier(["a"], "archive")
    assert refused["a"].reason == code
    assert refused["a"].message.startswith(said)


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (403, "AuthorizationPermissionMismatch", CredentialsError),
        (404, "ContainerNotFound", ContainerMissingError),
        (400, "InvalidHeaderValue", ConfigError),
    ],
)
async def test_what_concerns_more_than_one_blob_ends_the_moving(status, code, kind):
    async with scripted_store(FakeClock(), answer(status, code)) as (store, _):
        with pytest.raises(kind):
            await store.set_tier(["a"], "cool")


@pytest.mark.parametrize("failure", FAILURES)
async def test_moving_is_tried_again_when_that_may_help(failure):
    async with scripted_store(FakeClock(), *failure, answer(200)) as (store, _):
        assert await store.set_tier(["a"], "cool") == {}


@pytest.mark.parametrize("code", ["BlobArchived", "BlobBeingRehydrated"])
async def test_reading_what_is_archived_is_an_error_of_its_own_and_not_tried_again(code):
    async with scripted_store(FakeClock(), answer(409, code)) as (store, _):
        with pytest.raises(ContentArchivedError, match="archive tier") as caught:
            await store.read("a")
    assert caught.value.reason == code


async def test_a_listing_tells_tiers_and_what_is_on_its_way():
    facts = "<AccessTier>Archive</AccessTier><ArchiveStatus>rehydrate-pending-to-hot</ArchiveStatus>"
    facts += "<AccessTierChangeTime>Sun, 01 Mar 2026 10:00:00 GMT</AccessTierChangeTime>"
    blobs = f"<Blob><Name>a</Name><Properties><Content-Length>1</Content-Length>{facts}</Properties></Blob>"
    blobs += "<Blob><Name>b</Name><Properties><Content-Length>1</Content-Length></Properties></Blob>"
    page = f"<EnumerationResults><Blobs>{blobs}</Blobs><NextMarker /></EnumerationResults>".encode()
    async with scripted_store(FakeClock(), (200, page, {})) as (store, _):
        first, second = [info async for info in store.list("")]
    assert (first.tier, first.archived, first.rehydrating) == ("archive", True, True)
    assert first.tier_changed == datetime(2026, 3, 1, 10, tzinfo=UTC)
    assert (second.tier, second.tier_changed, second.archived, second.rehydrating) == (None, None, False, False)


async def test_properties_tell_what_is_on_its_way():
    there = found(x_ms_access_tier="Archive", x_ms_archive_status="rehydrate-pending-to-cool")
    async with scripted_store(FakeClock(), there) as (store, _):
        info = await store.head("a")
    assert (info.archived, info.rehydrating) == (True, True)

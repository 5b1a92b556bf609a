"""Drive's answers in odd shapes: the change feed, revisions, details, the directory. None of them is a traceback."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from include.drive_backup.drive.changes import _read
from include.drive_backup.drive.client import DriveClient
from include.drive_backup.drive.corpus import Corpus, MyDriveFilter, belongs_to_my_drive, owned
from include.drive_backup.drive.directory import list_users, shared_drives
from include.drive_backup.drive.errors import operation_error, parse_refusal, retry_after
from include.drive_backup.drive.source import _read_page
from include.drive_backup.errors import DriveBackupError, FeedLostError, ServiceUnavailableError
from include.drive_backup.model import Item
from include.drive_backup.pacing import QuotaLimiter
from include.drive_backup.planning.filters import Filters, ItemFilter
from tests.core.drive.test_source import ANN, LIST, page, resource
from tests.core.odd.test_listing_page import json_values
from tests.core.odd.test_values import ODD_SHAPES, ODD_TIMES
from tests.support.scripted_drive import ok

USER = Corpus(kind="user", root_id="root")
DOC = "application/vnd.google-apps.document"
FEED = "/drive/v3/changes"


@pytest.fixture
def server(server):
    server.on("/drive/v3/about", ok({"user": {"emailAddress": "Ann@example.com"}}))
    server.on(f"{LIST}/root", ok(resource("rootid", mime="application/vnd.google-apps.folder")))
    return server


def change(ident, **more):
    return {"changeType": "file", "fileId": ident, "file": {"id": ident, "name": ident}, **more}


async def feed(drive, server, *changes, **more):
    server.on(FEED, ok({"changes": list(changes), "newStartPageToken": "9", **more}))
    return [each async for each in drive.changes(ANN, "1")]


@pytest.mark.parametrize("claim", [each for each in ODD_TIMES if each != "\ud800"])
async def test_a_change_at_an_odd_time_is_one(drive, server, claim):
    odd = change("odd", time=claim)
    odd["file"] |= {"modifiedTime": claim, "size": claim, "capabilities": claim}
    [read] = await feed(drive, server, change("a", time="2026-03-01T00:00:00Z"), odd)
    assert [item.id for item in read.items] == ["a", "odd"]
    assert set(read.times) == {"a"}


@pytest.mark.parametrize(
    "odd",
    [
        None,
        5,
        [],
        {},
        change("a", file={"name": "no id"}),
        change("a", file=None),
        change(None, file=None, removed=True),
        change(5),
        change("a", removed="no"),
        change("a", changeType="moon"),
        change("a", changeType=[]),
    ],
)
async def test_a_change_that_names_nothing_loses_the_feed(drive, server, odd):
    with pytest.raises(FeedLostError):
        await feed(drive, server, change("good"), odd)


@pytest.mark.parametrize("more", [{"changes": None}, {"changes": {}}, {"changes": "x"}, {"newStartPageToken": 5}])
async def test_a_feed_of_another_shape_is_lost(drive, server, more):
    with pytest.raises(FeedLostError):
        await feed(drive, server, **more)


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(["changeType", "fileId", "file", "removed", "time", "driveId"]), json_values)
def test_any_value_in_a_change_loses_the_feed_or_nothing(field, value):
    try:
        read = _read({"changes": [change("good"), change("odd") | {field: value}]}, USER)
    except ValueError:
        return
    assert "good" in {item.id for item in read.items}


@pytest.mark.parametrize("token", [5, [], {"a": 1}, True])
async def test_a_page_token_that_is_no_text_is_an_answer_without_sense(drive, server, token):
    server.on(LIST, page(resource("a", "rootid"), nextPageToken=token))
    with pytest.raises(ServiceUnavailableError, match="makes no sense"):
        [each async for each in drive.list_items(ANN)]


@pytest.mark.parametrize("files", [5, "files", {"id": "a"}, True])
async def test_files_that_are_no_list_are_an_answer_without_sense(drive, server, files):
    server.on(LIST, ok({"kind": "drive#fileList", "files": files}))
    with pytest.raises(ServiceUnavailableError, match="makes no sense"):
        [each async for each in drive.list_items(ANN)]


async def test_an_item_without_id_makes_a_real_listing_incomplete(drive, server):
    server.on(LIST, page(resource("a", "rootid"), {"name": "odd"}, token="2"), page(resource("b", "rootid")))
    pages = [each async for each in drive.list_items(ANN)]
    assert {item.id for each in pages for item in each.items} == {"a", "b"}
    assert [each.incomplete for each in pages][:2] == [True, False]


@pytest.mark.parametrize("claim", ODD_TIMES[:7])
async def test_revisions_with_odd_times_are_left_out_and_odd_sizes_are_not(drive, server, claim):
    good = {"id": "r1", "modifiedTime": "2026-03-01T00:00:00Z", "size": "many"}
    server.on(f"{LIST}/a/revisions", ok({"revisions": [good, None, 5, {"id": "r2", "modifiedTime": claim}]}))
    [revision] = await drive.revisions(Item(id="a", name="a", mime_type=DOC))
    assert (revision.id, revision.size) == ("r1", None)


@pytest.mark.parametrize("value", [None, 5, "x", {}, [1], [None]])
@pytest.mark.parametrize("detail", ["comments", "permissions"])
async def test_details_of_another_shape_are_asked_for_again_and_stop_one_item(drive, server, value, detail):
    server.on(f"{LIST}/a/comments", ok({"comments": value}))
    server.on(f"{LIST}/a", ok({"id": "a", "permissions": value}))
    with pytest.raises(ServiceUnavailableError, match="makes no sense"):
        await drive.details(Item(id="a", name="a", mime_type=DOC), detail)


async def test_a_user_and_a_drive_that_nobody_can_name_are_passed_over(server, clock, tokens, caplog):
    users = [
        {"primaryEmail": "ann@example.com"},
        {},
        None,
        {"primaryEmail": 5},
        {"primaryEmail": "b@x", "suspended": "n"},
    ]
    server.on("/drive/v3/users", ok({"users": users}))
    server.on("/drive/v3/drives", ok({"drives": [{"id": "d", "name": 5}, {}, 5, {"id": ""}]}))
    async with DriveClient(tokens, limiter=QuotaLimiter(clock), clock=clock, api_endpoint=server.url) as client:
        accounts = [each async for each in list_users(client, domain=None)]
        assert [(each.email, each.suspended) for each in accounts] == [("ann@example.com", False), ("b@x", False)]
        assert [each async for each in shared_drives(client, as_admin=False)] == [("d", "d")]
    assert "passed over" in caplog.text


@pytest.mark.parametrize("link", ["http://[bad", "://", "http://\0", "", "http://a:b/"])
async def test_an_export_link_that_is_no_address_is_an_error_of_ours(drive, server, link):
    item = Item.from_resource({"id": "a", "mimeType": DOC, "exportLinks": {"text/plain": link}})
    with pytest.raises(DriveBackupError):
        async with drive.open_content(item, "text/plain") as body:
            [piece async for piece in body]


@pytest.mark.parametrize("key", ["a\r\nX-Evil: 1", "\0", "\u00e4", "k" * 5000])
async def test_a_resource_key_that_no_header_can_hold_is_not_sent(drive, server, key):
    server.on(f"{LIST}/a/comments", ok({"comments": []}))
    assert await drive.details(Item(id="a", name="a", mime_type=DOC, resource_key=key), "comments") == []
    assert "X-Goog-Drive-Resource-Keys" not in server.requests[-1].headers


@pytest.mark.parametrize("claim", ODD_SHAPES)
def test_what_cannot_be_read_never_leaves_an_item_out(claim):
    item = Item.from_resource({"id": "a", "ownedByMe": claim if claim is not True else None, "owners": claim})
    assert owned(item)
    assert ItemFilter(Filters(owners=("ann@example.com",))).refuses(item) is None


@pytest.mark.parametrize("claim", [5, True, "text", {"a": 1}, [5], [None]])
def test_somebody_elses_item_with_parents_that_cannot_be_read_is_kept(claim):
    item = Item.from_resource({"id": "a", "ownedByMe": False, "parents": claim})
    assert belongs_to_my_drive(item, {})
    assert MyDriveFilter("root").sift((item,)) == (item,)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(json_values)
def test_no_answer_is_a_traceback(value):

    parse_refusal(403, json.dumps({"error": value}).encode())
    operation_error(value if isinstance(value, dict) else {}, "x")
    try:
        _read_page({"files": value})
    except ServiceUnavailableError:
        return


@pytest.mark.parametrize("value", ["9" * 5000, "\u0663", "-1", "nan", "Fri, 31 Dec 99999 23:59:59 GMT", "x"])
def test_a_wait_that_cannot_be_read_is_none(value):
    assert retry_after({"Retry-After": value, "Date": "Fri, 27 Nov 2026 00:00:00 GMT"}) is None

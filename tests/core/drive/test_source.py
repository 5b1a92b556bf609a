"""Sources as the rest of the program sees them: roots, change tokens, listings."""

from __future__ import annotations

import json
from pathlib import Path

import googleapiclient
import pytest

from include.drive_backup.drive import fields
from include.drive_backup.drive.source import GoogleDrive
from include.drive_backup.errors import (
    CredentialsError,
    DriveBackupError,
    ItemUnavailableError,
    ServiceUnavailableError,
    SourceNotFoundError,
)
from include.drive_backup.model import FOLDER, SHORTCUT, Source
from include.drive_backup.ports import Page
from tests.support.scripted_drive import ScriptedServer, ok, raw, refusal

ANN = Source.parse("user/ann@example.com")
TEAM = Source.parse("drive/team1")
SUBTREE = Source.parse("folder/sub1")
LIST = "/drive/v3/files"


def resource(ident: str, *parents: str, mime: str = "text/plain", **more: object) -> dict[str, object]:
    return {"id": ident, "name": ident, "mimeType": mime, "parents": list(parents), "ownedByMe": True, **more}


def page(*resources: dict[str, object], token: str | None = None, **more: object) -> object:
    return ok(
        {
            "kind": "drive#fileList",
            "files": list(resources),
            **({"nextPageToken": token} if token else {}),
            **more,
        }
    )


@pytest.fixture
def server(server: ScriptedServer) -> ScriptedServer:
    server.on("/drive/v3/about", ok({"user": {"emailAddress": "Ann@example.com"}}))
    server.on(f"{LIST}/root", ok(resource("rootid", mime=FOLDER)))
    server.on(f"{LIST}/team1", ok(resource("team1", mime=FOLDER, driveId="team1")))
    return server


async def collect(drive: GoogleDrive, source: Source) -> list[Page]:
    return [page async for page in drive.list_items(source)]


def ids(pages: list[Page]) -> list[str]:
    return [item.id for page in pages for item in page.items]


async def test_who_we_are(drive: GoogleDrive, server: ScriptedServer) -> None:
    assert await drive.user_email() == "ann@example.com"
    assert await drive.user_email() == "ann@example.com"
    assert server.queries("/drive/v3/about") == [{"fields": "user(emailAddress,permissionId)"}]


async def test_a_users_listing_is_flat_and_takes_no_call_too_many(drive: GoogleDrive, server: ScriptedServer) -> None:
    server.on(LIST, page(resource("a", "rootid"), token="2"), page(resource("b", "rootid", trashed=True)))

    assert ids(await collect(drive, ANN)) == ["a", "b"]
    first, second = server.queries(LIST)
    assert {key: first[key] for key in first if key != "fields"} == {
        "corpora": "user",
        "spaces": "drive",
        "pageSize": "1000",
        "supportsAllDrives": "true",
    }
    assert second == {**first, "pageToken": "2"}
    assert server.paths() == ["/drive/v3/about", f"{LIST}/root", LIST, LIST]
    assert drive.use.units == 5 + 5 + 200


async def test_what_others_shared_stays_out_but_not_their_files_in_my_folders(
    drive: GoogleDrive, server: ScriptedServer
) -> None:
    theirs = {"ownedByMe": False}
    server.on(
        LIST,
        page(resource("in shared", "shared", **theirs), resource("in mine", "folder", **theirs), token="2"),
        page(resource("shared", mime=FOLDER, **theirs), resource("folder", "rootid", mime=FOLDER), token="3"),
        page(resource("lost", "never listed", **theirs)),
    )

    assert ids(await collect(drive, ANN)) == ["folder", "in mine", "lost"]


async def test_a_shared_drive_is_listed_by_its_own_corpus(drive: GoogleDrive, server: ScriptedServer) -> None:
    server.on(LIST, page(resource("a", "team1", driveId="team1", ownedByMe=None)))

    assert ids(await collect(drive, TEAM)) == ["a"]
    query = server.queries(LIST)[0]
    assert (query["corpora"], query["driveId"], query["includeItemsFromAllDrives"]) == ("drive", "team1", "true")


async def test_a_folder_is_listed_by_the_corpus_that_holds_it(drive: GoogleDrive, server: ScriptedServer) -> None:
    server.on(f"{LIST}/sub1", ok(resource("sub1", "team1", mime=FOLDER, driveId="team1")))
    server.on(LIST, page())

    await collect(drive, SUBTREE)
    assert server.queries(LIST)[0]["driveId"] == "team1"


async def test_a_folder_that_somebody_shared_is_walked(drive: GoogleDrive, server: ScriptedServer) -> None:
    theirs = {"ownedByMe": False}
    server.on(f"{LIST}/sub1", ok(resource("sub1", mime=FOLDER, **theirs)))
    tree = {
        "sub1": [resource("a", "sub1", **theirs), resource("f2", "sub1", mime=FOLDER, **theirs)],
        "f2": [resource("b", "f2", **theirs), resource("sub1", "f2", mime=FOLDER, **theirs)],
    }

    async def answer(request: object) -> object:
        folder = request.query["q"].split("'")[1]  # type: ignore[attr-defined]
        return await page(*tree.get(folder, []))(request)  # type: ignore[operator]

    server.on(LIST, answer)  # type: ignore[arg-type]
    assert sorted(ids(await collect(drive, SUBTREE))) == ["a", "b", "f2", "sub1"]
    assert [query["q"] for query in server.queries(LIST)] == ["'sub1' in parents", "'f2' in parents"]


async def test_empty_pages_with_a_token_do_not_end_the_listing(drive: GoogleDrive, server: ScriptedServer) -> None:
    server.on(LIST, page(token="2"), page(token="3"), ok({"nextPageToken": "4"}), page(resource("a", "rootid")))

    assert ids(await collect(drive, ANN)) == ["a"]


async def test_an_incomplete_search_is_reported(drive: GoogleDrive, server: ScriptedServer) -> None:
    server.on(LIST, page(token="2"), page(resource("a", "rootid"), token="3", incompleteSearch=True), page())

    assert [page.incomplete for page in await collect(drive, ANN)] == [False, True, False]


@pytest.mark.parametrize(
    "rejection",
    [refusal(400, "invalid", "Invalid Value", "pageToken"), refusal(400, "badRequest"), refusal(410, "gone")],
)
async def test_a_rejected_page_token_starts_the_listing_over(
    drive: GoogleDrive, server: ScriptedServer, rejection: object
) -> None:
    a, b = resource("a", "rootid"), resource("b", "rootid")
    server.on(LIST, page(a, token="2"), rejection, page(a, token="2"), page(b))

    assert ids(await collect(drive, ANN)) == ["a", "a", "b"]
    assert [query.get("pageToken") for query in server.queries(LIST)] == [None, "2", None, "2"]


async def test_page_tokens_that_are_always_rejected_fail_the_listing(
    drive: GoogleDrive, server: ScriptedServer
) -> None:
    first = page(resource("a", "rootid"), token="2")
    rejection = refusal(400, "invalid")
    server.on(LIST, *[first, rejection] * 9)

    with pytest.raises(ServiceUnavailableError):
        await collect(drive, ANN)
    assert len(server.queries(LIST)) == 8


async def test_a_bad_request_on_page_one_is_no_token_matter(drive: GoogleDrive, server: ScriptedServer) -> None:
    server.on(LIST, refusal(400, "invalidParameter", "Invalid field selection x"))

    with pytest.raises(DriveBackupError, match="Invalid field selection x"):
        await collect(drive, ANN)
    assert len(server.queries(LIST)) == 1


@pytest.mark.parametrize("answer", [ok({}), ok({"hello": "world"}), page({"name": "no id"}), page(token="2")])
async def test_an_answer_without_sense_is_never_an_empty_drive(
    drive: GoogleDrive, server: ScriptedServer, answer: object
) -> None:
    server.on(LIST, answer)

    with pytest.raises(ServiceUnavailableError, match="makes no sense"):
        await collect(drive, ANN)


async def test_a_failure_in_mid_listing_is_not_its_end(drive: GoogleDrive, server: ScriptedServer) -> None:
    server.on(LIST, page(resource("a", "rootid"), token="2"), refusal(503, "backendError"))
    with pytest.raises(ServiceUnavailableError):
        await collect(drive, ANN)

    server.on(LIST, page(resource("a", "rootid"), token="2"), refusal(404, "notFound"))
    with pytest.raises(SourceNotFoundError):
        await collect(drive, ANN)


async def test_change_tokens_are_those_of_the_corpus(drive: GoogleDrive, server: ScriptedServer) -> None:
    server.on("/drive/v3/changes/startPageToken", ok({"startPageToken": "77"}))

    assert await drive.change_token(ANN) == "77"
    assert await drive.change_token(TEAM) == "77"
    assert server.queries("/drive/v3/changes/startPageToken") == [
        {"supportsAllDrives": "true"},
        {"supportsAllDrives": "true", "driveId": "team1"},
    ]


async def test_an_answer_without_a_change_token_is_an_error(drive: GoogleDrive, server: ScriptedServer) -> None:
    server.on("/drive/v3/changes/startPageToken", ok({}))

    with pytest.raises(ServiceUnavailableError):
        await drive.change_token(ANN)


async def test_the_root_of_a_user_is_asked_for_once(drive: GoogleDrive, server: ScriptedServer) -> None:
    assert (await drive.root(ANN)).id == "rootid"
    assert (await drive.root(ANN)).id == "rootid"
    assert server.paths() == ["/drive/v3/about", f"{LIST}/root"]


async def test_one_users_files_are_never_stored_under_anothers_name(drive: GoogleDrive) -> None:
    with pytest.raises(SourceNotFoundError, match=r"acts as ann@example\.com, not as bob@example\.com"):
        await drive.root(Source.parse("user/bob@example.com"))


@pytest.mark.parametrize(
    ("source", "answer", "sentence"),
    [
        ("drive/gone", refusal(404, "notFound"), "add it as a member"),
        ("folder/x", refusal(403, "insufficientFilePermissions"), "Share it"),
        ("folder/x", ok(resource("x")), r"not a folder but 'x' \(text/plain\)"),
        ("folder/x", ok(resource("x", mime=SHORTCUT)), "not a shortcut to it"),
        ("drive/x", ok(resource("x", mime=FOLDER, driveId="d9")), "Write folder/x, or drive/d9"),
    ],
)
async def test_a_source_that_cannot_be_says_what_to_do(
    drive: GoogleDrive, server: ScriptedServer, source: str, answer: object, sentence: str
) -> None:
    server.on(f"{LIST}/{source.split('/')[1]}", answer)

    with pytest.raises(SourceNotFoundError, match=sentence):
        await drive.root(Source.parse(source))


async def test_an_outage_is_not_a_missing_source(drive: GoogleDrive, server: ScriptedServer) -> None:
    server.on(f"{LIST}/team1", raw(b"<html>404</html>", "text/html", 404))
    with pytest.raises(ServiceUnavailableError):
        await drive.root(TEAM)

    server.on(f"{LIST}/team1", refusal(403, "accessNotConfigured"))
    with pytest.raises(CredentialsError, match="Enable the Google Drive API"):
        await drive.root(TEAM)


async def test_an_item_that_is_gone_says_so(drive: GoogleDrive) -> None:
    with pytest.raises(ItemUnavailableError) as caught:
        await drive.get_item("gone")
    assert caught.value.reason == "notFound"


def test_every_field_that_is_asked_for_exists_in_drives_own_description() -> None:
    folder = Path(googleapiclient.__file__).parent / "discovery_cache" / "documents"
    schemas = json.loads((folder / "drive.v3.json").read_text())["schemas"]
    known = schemas["File"]["properties"]
    users = schemas["User"]["properties"]
    capabilities = known["capabilities"]["properties"]

    for field in fields._FILE:
        name, _, nested = field.rstrip(")").partition("(")
        assert name in known
        assert set(filter(None, nested.split(","))) <= (capabilities if name == "capabilities" else users).keys()
    assert "permissions" not in fields.FILE_FIELDS.split(",")
    assert fields.LIST_FIELDS.startswith("kind,nextPageToken,incompleteSearch,files(")

"""Changes and revisions."""

import pytest
from googleapiclient.http import MediaInMemoryUpload
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from include.local_cloud.drive import ANN, BOB, DriveState, edits
from include.local_cloud.drive.access import corpus
from include.local_cloud.drive.content import BytesContent
from include.local_cloud.drive.model import FOLDER

MASK = "nextPageToken,newStartPageToken,changes(fileId,removed,time,changeType,driveId,file(name,trashed,parents))"


@pytest.fixture
def replay():
    """All changes from a token on, and the token to go on with."""

    def run(client, token, **params):
        found = []
        while True:
            answer = client.changes().list(pageToken=token, fields=MASK, **params).execute()
            found += answer["changes"]
            if "newStartPageToken" in answer:
                assert "nextPageToken" not in answer
                return found, answer["newStartPageToken"]
            token = answer["nextPageToken"]

    return run


def test_nothing_new_is_an_empty_page_with_a_new_token(ann, replay):
    token = ann.changes().getStartPageToken().execute()["startPageToken"]
    assert replay(ann, token) == ([], token)


def test_a_newer_change_replaces_the_older_one(ann, drive, replay):
    token = ann.changes().getStartPageToken().execute()["startPageToken"]
    one, two = drive.named("pixel.png").id, drive.named("target.txt").id
    for edit in (
        {"action": "rename", "file": one, "name": "first.png"},
        {"action": "rename", "file": two, "name": "renamed.txt"},
        {"action": "rename", "file": one, "name": "second.png", "at": "2026-09-01T00:00:00Z"},
    ):
        drive.admin("edit", edit)
    found, after = replay(ann, token)
    assert [(c["fileId"], c["file"]["name"]) for c in found] == [(two, "renamed.txt"), (one, "second.png")]
    assert found[1]["time"] == "2026-09-01T00:00:00.000Z"
    assert replay(ann, after)[0] == []
    assert replay(ann, token)[0] == found


def test_each_edit_of_the_past_is_in_the_log_at_its_time(ann, drive, replay):
    token = ann.changes().getStartPageToken().execute()["startPageToken"]
    ids = [drive.named(name).id for name in ("pixel.png", "target.txt")]
    place = drive.admin(
        "edit", {"action": "create", "name": "place", "mime_type": FOLDER, "at": "2026-09-01T00:00:00Z"}
    )
    edits_of_then = [
        {"action": "rename", "file": ids[0], "name": "renamed"},
        {"action": "move", "file": ids[0], "parent": place["id"]},
        {"action": "modify", "file": ids[0], "data": "AAAA"},
        {"action": "trash", "file": ids[0]},
        {"action": "untrash", "file": ids[0]},
        {"action": "create", "name": "new.txt", "text": "new"},
        {"action": "delete", "file": ids[1]},
    ]
    for day, edit in enumerate(edits_of_then, 2):
        drive.admin("edit", {**edit, "at": f"2026-09-{day:02d}T00:00:00Z"})
        found, token = replay(ann, token)
        assert found[-1]["time"] == f"2026-09-{day:02d}T00:00:00.000Z", edit


def test_a_client_that_sets_a_modified_time_does_not_set_the_logs(ann, drive, replay):
    token = ann.changes().getStartPageToken().execute()["startPageToken"]
    drive.admin("clock", {"at": "2026-10-01T00:00:00Z"})
    old = {"modifiedTime": "2020-01-01T00:00:00Z"}
    body = MediaInMemoryUpload(b"old", "text/plain")
    made = ann.files().create(body={"name": "old.txt", **old}, media_body=body).execute()
    ann.files().update(fileId=drive.named("pixel.png").id, body=old, media_body=body).execute()
    found, _ = replay(ann, token)
    assert made["id"] == found[0]["fileId"]
    assert {change["time"] for change in found} == {"2026-10-01T00:00:00.000Z"}


def test_pages_hand_on_a_token_and_only_the_last_one_a_new_start(ann, drive, replay):
    token = ann.changes().getStartPageToken().execute()["startPageToken"]
    for number in range(5):
        drive.admin("edit", {"action": "create", "name": f"new {number}", "text": ""})
    found, _ = replay(ann, token, pageSize=2)
    assert [c["file"]["name"] for c in found] == [f"new {number}" for number in range(5)]
    assert "newStartPageToken" not in ann.changes().list(pageToken=token, pageSize=2).execute()


def test_trash_is_a_change_and_deletion_is_a_removal(ann, drive, replay):
    token = ann.changes().getStartPageToken().execute()["startPageToken"]
    one, two = drive.named("pixel.png").id, drive.named("target.txt").id
    drive.admin("edit", {"action": "trash", "file": one})
    drive.admin("edit", {"action": "delete", "file": two})
    found, _ = replay(ann, token)
    assert [(c["fileId"], c["removed"], c.get("file", {}).get("trashed")) for c in found] == [
        (one, False, True),
        (two, True, None),
    ]
    assert len(replay(ann, token, includeRemoved=False)[0]) == 1


def test_losing_access_is_a_removal_in_that_users_log_only(ann, bob, drive, replay):
    item = drive.named("From Bob.txt").id
    anns, bobs = (c.changes().getStartPageToken().execute()["startPageToken"] for c in (ann, bob))
    drive.admin("edit", {"action": "unshare", "file": item, "email": ANN})
    assert [(c["fileId"], c["removed"]) for c in replay(ann, anns)[0]] == [(item, True)]
    assert [(c["fileId"], c["removed"]) for c in replay(bob, bobs)[0]] == [(item, False)]


def test_sharing_a_folder_says_nothing_of_what_is_inside(ann, bob, drive, replay):
    token = bob.changes().getStartPageToken().execute()["startPageToken"]
    folder = drive.named("Documents").id
    drive.admin("edit", {"action": "share", "file": folder, "email": BOB})
    assert [c["fileId"] for c in replay(bob, token)[0]] == [folder]
    assert bob.files().get(fileId=drive.named("note 2024-01-01.txt").id).execute()


def test_each_shared_drive_has_its_own_log_and_tokens_are_not_interchangeable(ann, drive, team, replay, refusal):
    both = {"driveId": team, "supportsAllDrives": True}
    mine = ann.changes().getStartPageToken().execute()["startPageToken"]
    theirs = ann.changes().getStartPageToken(**both).execute()["startPageToken"]
    item = drive.named("team.txt").id
    drive.admin("edit", {"action": "modify", "file": item, "text": "new"})
    every = {"includeItemsFromAllDrives": True, **both}
    assert [c["fileId"] for c in replay(ann, theirs, **every)[0]] == [item]
    assert replay(ann, mine)[0] == []
    assert refusal(ann.changes().list(pageToken=mine, **every)) == (400, "invalid", "pageToken")
    assert refusal(ann.changes().list(pageToken=theirs)) == (400, "invalid", "pageToken")
    assert refusal(ann.changes().list(pageToken="99999999")) == (400, "invalid", "pageToken")
    assert refusal(ann.changes().getStartPageToken(driveId=team))[0] == 404


def test_joining_a_shared_drive_is_one_entry(drive, team, replay):
    drive.admin("users", {"email": "eve@example.com"})
    eve = drive.client("eve@example.com")
    token = eve.changes().getStartPageToken().execute()["startPageToken"]
    drive.admin("edit", {"action": "share", "file": team, "email": "eve@example.com"})
    found, token = replay(eve, token, supportsAllDrives=True, includeItemsFromAllDrives=True)
    assert [(c["changeType"], c.get("driveId"), c["removed"]) for c in found] == [("drive", team, False)]
    drive.admin("edit", {"action": "unshare", "file": team, "email": "eve@example.com"})
    found, _ = replay(eve, token, supportsAllDrives=True, includeItemsFromAllDrives=True)
    assert [(c["changeType"], c["removed"]) for c in found] == [("drive", True)]


def test_a_move_into_a_shared_drive_leaves_one_log_and_enters_the_other(ann, drive, team, replay):
    every = {"driveId": team, "supportsAllDrives": True, "includeItemsFromAllDrives": True}
    mine = ann.changes().getStartPageToken().execute()["startPageToken"]
    theirs = ann.changes().getStartPageToken(driveId=team, supportsAllDrives=True).execute()["startPageToken"]
    item = drive.named("pixel.png").id
    drive.admin("edit", {"action": "move", "file": item, "parent": team})
    assert [(c["fileId"], c["removed"]) for c in replay(ann, mine)[0]] == [(item, True)]
    assert [(c["fileId"], c["removed"]) for c in replay(ann, theirs, **every)[0]] == [(item, False)]
    kept = replay(ann, mine, includeCorpusRemovals=True, supportsAllDrives=True, includeItemsFromAllDrives=True)[0]
    assert kept[0]["file"]["name"] == "pixel.png"


ACTIONS = st.lists(
    st.tuples(
        st.sampled_from(
            ["create", "folder", "write", "rename", "move", "trash", "untrash", "delete", "share", "unshare"]
        ),
        st.integers(0, 30),
        st.integers(0, 30),
    ),
    max_size=25,
)


def act(state, action, first, second):
    """One edit by Ann somewhere in her Drive, when it is possible."""
    root = state.users[ANN].root_id
    mine = [state.items[i] for i in state.owned[ANN] if i != root]
    folders = [root, *(i.id for i in mine if i.mime_type.endswith("folder"))]
    place = folders[second % len(folders)]
    if action in {"create", "folder"}:
        make = edits.folder if action == "folder" else edits.create
        make(state, f"{action} {first}", place, by=ANN)
        return
    if not mine:
        return
    item = mine[first % len(mine)]
    if action == "write" and not item.mime_type.endswith("folder"):
        edits.write(state, item, BytesContent(bytes([second])), by=ANN)
    elif action == "rename":
        edits.rename(state, item, f"renamed {second}", by=ANN)
    elif action == "move" and place != item.id and place not in {d.id for d in state.descendants(item.id)}:
        edits.move(state, item, [place], by=ANN)
    elif action in {"trash", "untrash"}:
        edits.trash(state, item, by=ANN, trashed=action == "trash")
    elif action == "delete":
        state.remove(item)
    elif action in {"share", "unshare"}:
        (edits.share if action == "share" else edits.unshare)(state, item, state.user_permission(BOB, "reader"))


@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(before=ACTIONS, after=ACTIONS)
def test_a_listing_and_the_changes_since_are_the_listing_of_now(before, after):
    """Ann's own log leaves no gap, and the indexes agree with the items."""
    state = DriveState()
    for email in (ANN, BOB):
        state.add_user(email)
    for step in before:
        act(state, *step)
    listing = {item.id: (item.name, item.version) for item in corpus(state, ANN)}
    position = state.logs[ANN].next
    for step in after:
        act(state, *step)
    entries = state.logs[ANN].since(position)
    assert len({ident for ident, _ in entries}) == len(entries)
    for ident, entry in entries:
        if entry.removed:
            listing.pop(ident, None)
        else:
            listing[ident] = (state.items[ident].name, state.items[ident].version)
    assert listing == {item.id: (item.name, item.version) for item in corpus(state, ANN)}
    for item in state.items.values():
        above = [state.items[p] for p in item.parents]
        assert item.trashed is (item.explicitly_trashed or any(parent.trashed for parent in above))
        assert all(item.id in state.children[parent.id] for parent in above)


def test_revisions_come_oldest_first_and_only_kept_ones_can_be_read(ann, drive, refusal, read):
    item = drive.named("edited often.txt").id
    for text in ("the fourth\n", "the fifth one\n"):
        drive.admin("edit", {"action": "modify", "file": item, "text": text})
    fields = "revisions(id,size,keepForever,md5Checksum,modifiedTime)"
    listed = ann.revisions().list(fileId=item, fields=fields).execute()["revisions"]
    assert [(r["size"], r["keepForever"]) for r in listed] == [("7", True), ("11", False), ("14", False)]
    assert [r["modifiedTime"] for r in listed] == sorted(r["modifiedTime"] for r in listed)
    head = ann.files().get(fileId=item, fields="headRevisionId,md5Checksum").execute()
    assert (listed[-1]["id"], listed[-1]["md5Checksum"]) == (head["headRevisionId"], head["md5Checksum"])
    assert read(ann.revisions().get_media(fileId=item, revisionId=listed[0]["id"])) == b"second\n"
    for revision in listed[1:]:
        refused = ann.revisions().get_media(fileId=item, revisionId=revision["id"])
        assert refusal(refused)[:2] == (403, "download_restricted_for_revision")


def test_old_revisions_are_purged_unless_kept(ann, drive):
    item = drive.named("edited often.txt").id
    drive.server.service.tokens.lifetime_s = 10**9
    client = drive.client(ANN)
    drive.admin("clock", {"at": "2027-06-01T00:00:00Z"})
    listed = client.revisions().list(fileId=item, fields="revisions(keepForever)").execute()["revisions"]
    assert listed == [{"keepForever": True}, {"keepForever": False}]
    for number in range(105):
        drive.admin("edit", {"action": "modify", "file": item, "text": f"{number}"})
    listed = client.revisions().list(fileId=item, pageSize=1000, fields="revisions(id)").execute()["revisions"]
    assert len(listed) == 101


def test_keep_forever_goes_on_and_never_off(ann, drive, refusal):
    item = drive.named("pixel.png")
    head = item.revisions[-1].id
    call = {"fileId": item.id, "revisionId": head}
    assert ann.revisions().update(**call, body={"keepForever": True}, fields="keepForever").execute() == {
        "keepForever": True
    }
    refused = ann.revisions().update(**call, body={"keepForever": False})
    assert refusal(refused)[:2] == (400, "illegalKeepForeverModification")


def test_a_natives_revisions_have_links_and_no_bytes(ann, drive, refusal):
    import urllib.request

    item = drive.named("Letter").id
    fields = "revisions(id,exportLinks,keepForever,size)"
    old, new = ann.revisions().list(fileId=item, fields=fields).execute()["revisions"]
    assert int(old["id"]) < int(new["id"])
    assert set(old) == {"id", "exportLinks"}
    texts = []
    for revision in (old, new):
        headers = {"Authorization": f"Bearer {drive.server.token(ANN)}"}
        request = urllib.request.Request(revision["exportLinks"]["text/plain"], headers=headers)
        with urllib.request.urlopen(request) as answer:
            texts.append(answer.read())
    assert texts[1] == texts[0] + b"\nAnn"
    assert refusal(ann.revisions().get_media(fileId=item, revisionId=old["id"]))[1] == "fileNotDownloadable"


def test_readers_see_no_revisions(ann, drive, refusal):
    item = drive.named("From Bob.txt").id
    seen = ann.files().get(fileId=item, fields="capabilities/canReadRevisions").execute()
    assert seen["capabilities"]["canReadRevisions"] is False
    assert refusal(ann.revisions().list(fileId=item))[:2] == (403, "insufficientFilePermissions")
    assert refusal(ann.revisions().list(fileId="root"))[1] == "revisionsNotSupported"

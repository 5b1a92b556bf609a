"""What is saved beside the content, on request: permissions, comments, labels, revisions."""

import json

import pytest

from include.drive_backup.errors import ServiceUnavailableError, TransientError
from include.drive_backup.manifest.catalogue import read_details
from include.drive_backup.manifest.manifest import Manifest
from include.drive_backup.report import readable
from include.local_cloud.drive import edits
from include.local_cloud.drive.faults import Rule
from include.local_cloud.drive.model import Permission
from tests.support.fake_drive import FakeDrive
from tests.support.flow import Backup
from tests.support.local_drive import LocalDrive, backup_of
from tests.support.trees import file, folder
from tests.support.verified import assert_sound

ALL = ("permissions", "comments", "labels", "revisions")


async def beside(backup, summary):
    """What was saved beside the content: (item id, detail) → value, or the reason why there is none."""
    manifest = Manifest.from_json(await backup.store.read(summary["manifest"]))
    return {
        (row["item_id"], row["detail"]): row["reason"] if row["value"] is None else json.loads(row["value"])
        async for row in read_details(backup.store, manifest)
    }


def comment(number):
    author = {"displayName": "Bob", "emailAddress": "bob@example.com"}
    reply = {"id": "r1", "content": "done", "author": author}
    return {"id": f"c{number}", "content": f"remark {number}", "author": author, "replies": [reply]}


async def test_nothing_beside_the_content_is_asked_for_unless_the_job_says_so():
    local = LocalDrive()
    local.share(local.file("a.txt"), "bob@example.com")
    async with backup_of(local) as backup:
        summary = await backup.run()
        assert summary["details"] is None
        assert await beside(backup, summary) == {}
    assert not {"permissions.list", "comments.list", "revisions.list", "files.listLabels"} & set(
        local.server.service.stats.calls
    )


async def test_comments_with_their_replies_labels_and_revisions_are_saved_on_request():
    local = LocalDrive()
    document = local.native("Letter", "document")
    document.comments = [comment(number) for number in range(250)]
    document.labels = [{"id": "L1", "revisionId": "1", "fields": {"F1": {"id": "F1", "text": ["internal"]}}}]
    local.folder("Folder")
    async with backup_of(local) as backup:
        summary = await backup.run(save=("comments", "labels", "revisions"))
        found = await beside(backup, summary)
    assert [each["content"] for each in found[document.id, "comments"]] == [f"remark {n}" for n in range(250)]
    assert found[document.id, "comments"][0]["replies"][0]["content"] == "done"
    assert found[document.id, "labels"][0]["fields"]["F1"]["text"] == ["internal"]
    assert [each["id"] for each in found[document.id, "revisions"]] == [each.id for each in document.revisions]
    assert {ident for ident, _ in found} == {document.id}
    assert summary["details"]["counts"] == {"comments": 1, "labels": 1, "revisions": 1}
    assert "comments of 1 items, labels of 1 items, revisions of 1 items" in readable([], [summary])
    assert summary["status"] == "complete"


async def test_in_my_drive_the_permissions_of_what_is_shared_are_saved_also_by_link():
    local = LocalDrive()
    shared, linked = local.folder("Shared"), local.file("linked.txt")
    local.share(shared, "bob@example.com", "writer")
    edits.share(local.state, linked, Permission("anyoneWithLink", "anyone", "reader"))
    local.file("private.txt")
    async with backup_of(local) as backup:
        found = await beside(backup, await backup.run(save=("permissions",)))
    roles = {
        ident: {each.get("emailAddress", each["type"]): each["role"] for each in value}
        for (ident, _), value in found.items()
    }
    assert roles == {
        shared.id: {"ann@example.com": "owner", "bob@example.com": "writer"},
        linked.id: {"ann@example.com": "owner", "anyone": "reader"},
    }
    assert local.calls("permissions.list") == 0


async def test_in_a_shared_drive_members_are_saved_once_and_own_permissions_where_there_are_any():
    local = LocalDrive()
    team = local.state.add_drive("Team", {"ann@example.com": "organizer"})
    open_file = local.file("open.txt", team.id)
    local.file("plain.txt", team.id)
    local.share(open_file, "bob@example.com")
    async with backup_of(local) as backup:
        summary = await backup.run(source=f"drive/{team.id}", save=("permissions",))
        found = await beside(backup, summary)
        root = json.loads(await backup.store.read(summary["manifest"]))["root"]
    assert set(found) == {(open_file.id, "permissions")}
    assert "bob@example.com" in {each["emailAddress"] for each in found[open_file.id, "permissions"]}
    assert [each["role"] for each in root["permissions"]] == ["organizer"]
    assert root["drive"]["name"] == "Team"
    assert local.calls("permissions.list") == 2


async def test_a_detail_that_drive_refuses_is_a_reason_and_no_failure():
    local = LocalDrive()
    letter = local.file("letter.txt", local.state.users["bob@example.com"].root_id, by="bob@example.com")
    letter.labels_readable = False
    together = local.folder("Together", local.state.users["bob@example.com"].root_id, by="bob@example.com")
    local.share(together, "ann@example.com")
    edits.move(local.state, letter, [together.id], by="bob@example.com")
    async with backup_of(local) as backup:
        summary = await backup.run(source=f"folder/{together.id}", save=ALL)
        found = await beside(backup, summary)
        rows = await backup.rows(summary)
    assert rows[letter.id]["outcome"] == "copied"
    assert found == {
        (letter.id, "permissions"): "cannotShare",
        (letter.id, "comments"): "insufficientFilePermissions",
        (letter.id, "labels"): "cannotReadLabels",
        (letter.id, "revisions"): "cannotReadRevisions",
    }
    assert summary["status"] == "complete"
    assert summary["reasons"]["comments: insufficientFilePermissions"]["examples"] == ["/letter.txt"]


async def test_details_that_cannot_be_had_now_make_the_snapshot_partial_and_a_retry_asks_only_for_them():
    drive = FakeDrive(file("a.txt", b"a", id="a", shared=True), file("b.txt", b"b", id="b"))
    drive.kept["a", "comments"] = [{"id": "c1", "content": "hello"}]
    drive.errors["comments a"] = [ServiceUnavailableError("Drive is down.", service="drive")]
    backup = Backup(drive)
    plan, [batch] = await backup.plan(save=("comments",))
    with pytest.raises(TransientError):
        await backup.copy(batch)
    partial = await backup.commit(plan)
    assert (partial["status"], partial["counts"]) == ("partial", {"copied": 1, "failed": 1})
    assert len(await backup.restored(partial)) == 2
    # What could not be had is not counted as saved.
    assert partial["details"]["counts"] == {"comments": 1}
    await assert_sound(backup.store)
    drive.reads.clear()
    drive.calls.clear()
    await backup.copy(batch, resume=True)
    assert drive.calls == ["comments a"]
    assert not drive.reads
    complete = await backup.commit(plan)
    assert (complete["status"], complete["generation"]) == ("complete", 2)
    assert (await beside(backup, complete))["a", "comments"] == [{"id": "c1", "content": "hello"}]


async def test_a_snapshot_that_lacks_its_details_is_never_complete():
    backup = Backup(FakeDrive(folder("F", id="f", shared=True)))
    plan, _ = await backup.plan(save=("permissions",))
    assert (await backup.commit(plan))["counts"] == {"failed": 1}


async def test_the_same_instant_again_is_another_snapshot_when_more_is_asked_for_and_none_when_less():
    drive = FakeDrive(file("a.txt", b"a", id="a"))
    drive.kept["a", "comments"] = [{"id": "c1"}]
    backup = Backup(drive)
    first = await backup.run()
    more = await backup.run(save=("comments",))
    again = await backup.run(save=("comments",))
    less = await backup.run()
    drive.kept["a", "comments"] = [{"id": "c1"}, {"id": "c2"}]
    other = await backup.run(save=("comments",))
    assert [first["generation"], more["generation"], other["generation"]] == [1, 2, 3]
    assert [again["created"], less["created"]] == [False, False]


async def test_where_drive_does_not_say_whether_an_item_is_shared_it_is_asked():
    drive = FakeDrive(
        file("unknown", id="unknown"),
        file("private", id="private", shared=False),
        file("in a drive", id="drive", driveId="d"),
        file("plain", id="plain", driveId="d", hasAugmentedPermissions=False),
        folder("closed", id="closed", driveId="d", hasAugmentedPermissions=False, inheritedPermissionsDisabled=True),
    )
    await Backup(drive).run(save=("permissions",))
    asked = {call.removeprefix("permissions ") for call in drive.calls if call.startswith("permissions ")}
    assert asked == {"root-id", "unknown", "drive", "closed"}


async def test_a_shared_drive_whose_settings_are_refused_is_backed_up_all_the_same():
    local = LocalDrive()
    team = local.state.add_drive("Team", {"ann@example.com": "organizer"})
    local.file("plain.txt", team.id)
    refused = Rule(
        kind="error", routes=["drives.get"], status=404, reason="notFound", message="Shared drive not found."
    )
    async with backup_of(local) as backup:
        local.server.service.faults.rules.append(refused)
        summary = await backup.run(source=f"drive/{team.id}")
        root = json.loads(await backup.store.read(summary["manifest"]))["root"]
    assert summary["status"] == "complete"
    assert root["refused"]["drive"]["reason"] == "notFound"

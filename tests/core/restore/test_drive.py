"""What was backed up comes back into a Drive: bytes, names, tree; once, whatever happens on the way."""

import hashlib

import pytest
from msgspec.structs import replace

from include.local_cloud.drive import ANN, edits
from include.local_cloud.drive.content import BytesContent
from tests.core.restore.drive_world import NATIVE, SOURCE, opened
from tests.support.local_drive import LocalDrive

BIG = bytes(range(256)) * 40_000  # 10 MB: two chunks


def sample():
    made = LocalDrive()
    reports = made.folder("Reports")
    reports.fields.update(description="all of them", folderColorRgb="#f83a22")
    q1 = made.file("q1.pdf", reports.id, content=b"first quarter")
    q1.fields["properties"] = {"state": "final"}
    made.file("q1.pdf", reports.id, content=b"another of that name")
    made.file("big.bin", content=BIG)
    made.file("empty", content=b"")
    made.native("Plan", "document", reports.id, text="the plan")
    made.native("Sketch", "drawing")
    edits.shortcut(made.state, "to q1", made.root, q1.id, by=ANN)
    return made


@pytest.fixture
def local():
    return sample()


@pytest.fixture
async def world(local):
    async with opened(local) as made:
        yield made


EXPECTED = sorted(
    [
        ("Reports", f"{NATIVE}folder"),
        ("Reports/Plan", f"{NATIVE}document"),
        ("Reports/q1.pdf", b"first quarter"),
        ("Reports/q1.pdf", b"another of that name"),
        ("Sketch.svg", "svg"),
        ("big.bin", BIG),
        ("empty", b""),
        ("to q1", f"{NATIVE}shortcut"),
    ],
    key=str,
)


def simple(tree):
    return sorted([(path, "svg" if path.endswith(".svg") else value) for path, value in tree], key=str)


async def test_everything_comes_back_into_a_new_folder(world):
    before = world.tree(world.local.root)
    counts, results, folder = await world.bring_back()
    assert counts["failed"] == 0
    assert counts["restored"] == 8
    assert simple(world.tree(folder)) == EXPECTED
    top = world.local.state.items[folder]
    assert top.name == f"Restored {SOURCE} as of 20260301T000000.000Z"
    assert [each for each in world.tree(world.local.root) if not each[0].startswith("Restored")] == before
    [sketch] = [each for each in results if each.path == "Sketch"]
    assert (sketch.outcome, sketch.reason) == ("restored", "exportOnly")


async def test_what_is_beside_the_content_comes_back(world):
    _, results, folder = await world.bring_back()
    reports = world.named("Reports", folder)
    assert (reports.fields["description"], reports.fields["folderColorRgb"]) == ("all of them", "#f83a22")
    originals = [each for each in world.local.state.items.values() if each.name == "q1.pdf"]
    restored = {each.item_id: world.local.state.items[each.target] for each in results if each.target}
    for original in originals:
        if original.id in restored:
            again = restored[original.id]
            assert again.modified == original.modified
            assert again.fields.get("properties", {}) == original.fields.get("properties", {})
    # The shortcut leads to the restored file.
    [q1] = [each for each in originals if each.fields.get("properties") and each.id in restored]
    assert world.named("to q1", folder).target == restored[q1.id].id


async def test_a_second_time_makes_nothing(world):
    _, _, folder = await world.bring_back()
    before = set(world.local.state.items)
    counts, _, again = await world.bring_back()
    assert again == folder
    assert set(world.local.state.items) == before
    assert (counts["restored"], counts["same"]) == (0, 8)


@pytest.mark.parametrize("after", [0, 1, 3, 5])
async def test_killed_in_the_middle_and_run_again_nothing_is_doubled(world, after):
    class KilledError(Exception):
        pass

    stream, seen = world.backup.store.stream, 0

    def dying(name):
        nonlocal seen
        seen += 1
        if seen > after:
            raise KilledError
        return stream(name)

    world.backup.store.stream = dying
    with pytest.raises(KilledError):
        await world.bring_back()
    world.backup.store.stream = stream
    counts, _, folder = await world.bring_back()
    assert counts["failed"] == 0
    assert simple(world.tree(folder)) == EXPECTED


async def test_into_a_folder_and_a_part_only(world):
    target = world.local.folder("Target")
    counts, _, folder = await world.bring_back(f"folder/{target.id}", paths=("/Reports/",))
    assert target.id in world.local.state.items[folder].parents
    assert counts["restored"] == 4
    assert {path for path, _ in world.tree(folder)} == {"Reports", "Reports/Plan", "Reports/q1.pdf"}


async def test_a_drive_that_stumbles_gets_each_item_once(world):
    world.faults(
        {"kind": "error", "routes": ["files.create"], "rate": 0.3, "count": 2},
        {"kind": "error", "routes": ["files.create"], "status": 403, "reason": "userRateLimitExceeded", "count": 1},
    )
    counts, _, folder = await world.bring_back()
    assert counts["failed"] == 0
    assert simple(world.tree(folder)) == EXPECTED


@pytest.mark.parametrize("lost", range(9))
async def test_a_lost_answer_doubles_nothing(world, monkeypatch, lost):
    """Drive carries a call out, and its answer never comes."""
    client, seen = world.drive._client, 0
    follow = client._follow

    async def losing(method, url, headers, token, data):
        nonlocal seen
        response = await follow(method, url, headers, token, data)
        if method != "GET" and "/permissions" not in url.path:
            seen += 1
            if seen == lost + 1:
                response.release()
                raise TimeoutError
        return response

    monkeypatch.setattr(client, "_follow", losing)
    counts, _, folder = await world.bring_back()
    assert counts["failed"] == 0
    assert simple(world.tree(folder)) == EXPECTED
    assert seen > lost


async def test_a_full_account_fails_each_item_and_says_why(world):
    """It may have room for others: see test_drive_limits.py."""
    await world.bring_back(paths=("/empty",))
    world.faults({"kind": "error", "routes": ["files.create"], "status": 403, "reason": "storageQuotaExceeded"})
    counts, results, _ = await world.bring_back()
    assert (counts["restored"], counts["same"]) == (0, 1)
    assert {each.outcome for each in results if each.path != "empty"} <= {"failed", "left-out"}
    assert all("storageQuotaExceeded" in each.message for each in results if each.outcome == "failed")


async def test_permissions_come_back_without_mail(world):
    [q1] = [each for each in world.local.state.items.values() if each.fields.get("properties")]
    given = {q1.id: [{"type": "user", "role": "reader", "emailAddress": "bob@example.com"}]}
    for _ in range(2):
        _, results, _ = await world.bring_back(permissions=given)
        [restored] = [each for each in results if each.item_id == q1.id]
        roles = {each.email: each.role for each in world.local.state.items[restored.target].permissions}
        assert roles == {"bob@example.com": "reader"}


async def test_damaged_content_is_never_restored(world):
    store = world.backup.store
    [blob] = [name for name in store.blobs if "/big.bin/" in name]
    data, info = store.blobs[blob]
    damaged = b"X" + data[1:]
    store.blobs[blob] = (damaged, replace(info, md5=hashlib.md5(damaged, usedforsecurity=False).hexdigest()))
    counts, results, folder = await world.bring_back()
    assert counts["failed"] == 1
    [failed] = [each for each in results if each.outcome == "failed"]
    assert failed.reason == "corrupt"
    assert "big.bin" not in dict(world.tree(folder))


@pytest.mark.parametrize(
    ("conflict", "contents", "outcome"),
    [("copy", [b"mine", b"theirs"], "restored"), ("skip", [b"mine"], "skipped"), ("replace", [b"theirs"], "restored")],
)
async def test_what_is_there_already_is_treated_as_asked(local, conflict, contents, outcome):
    local.file("theirs.txt", content=b"theirs")
    async with opened(local) as world:
        target = world.local.folder("Target")
        edits.create(world.local.state, "theirs.txt", target.id, BytesContent(b"mine"), by=ANN)
        for expected in (outcome, "skipped" if conflict == "skip" else "same"):
            counts, _, folder = await world.bring_back(
                f"folder/{target.id}", merge=True, conflict=conflict, paths=("/theirs.txt",)
            )
            assert folder == target.id
            assert counts[expected] == 1
            assert sorted(value for _, value in world.tree(target.id)) == contents

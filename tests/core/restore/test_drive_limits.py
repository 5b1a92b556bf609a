"""What Drive takes no more of is named, with what to do; and whatever still fits is restored."""

import pytest

from include.drive_backup.drive.refused_writes import CREDENTIALS, LIMITS, REFUSALS
from include.drive_backup.errors import CredentialsError
from include.local_cloud.drive import edits
from tests.core.restore.drive_world import ANN, opened
from tests.support.local_drive import LocalDrive

UNKNOWN = "not one that Drive documents"


@pytest.fixture
def local():
    made = LocalDrive()
    docs = made.folder("Docs")
    made.file("a.txt", docs.id, content=b"in the folder")
    made.file("large.bin", content=b"L" * 1000)
    made.file("small.txt", content=b"s")
    return made


def of(results, name):
    return next(each for each in results if each.path.endswith(name))


def refuse(reason, status=403, routes=("files.create",), **more):
    return {"kind": "error", "routes": list(routes), "status": status, "reason": reason, **more}


@pytest.mark.parametrize("reason", sorted(LIMITS | REFUSALS))
async def test_every_refusal_is_said_in_plain_words(local, reason):
    async with opened(local) as world:
        await world.bring_back(paths=("/Docs/",))
        world.faults(refuse(reason))
        counts, results, _ = await world.bring_back(paths=("/small.txt", "/large.bin"))
        assert counts["failed"] == 2
        for result in results:
            assert result.reason == reason
            assert (LIMITS | REFUSALS)[reason] in result.message
            assert UNKNOWN not in result.message


async def test_a_folder_that_is_too_deep_does_not_keep_others_from_being_restored(local):
    async with opened(local) as world:
        _, _, folder = await world.bring_back(paths=("/small.txt",))
        world.faults(refuse("myDriveHierarchyDepthLimitExceeded", count=1))
        counts, results, _ = await world.bring_back()
        assert {value for _, value in world.tree(folder)} == {b"s", b"L" * 1000}
        assert counts["failed"] == 2
        assert "100 levels" in of(results, "Docs").message
        assert "100 levels" in of(results, "a.txt").message


async def test_a_folder_that_is_full_is_not_tried_again_and_others_are(local):
    full = local.folder("Full")
    for n in range(10):
        local.file(f"n{n}.txt", full.id, content=b"%d" % n)
    async with opened(local) as world:
        _, _, folder = await world.bring_back(ids=(full.id,), paths=("/Docs/",))
        for item in [each for each in local.state.items.values() if world.named("Full", folder).id in each.parents]:
            edits.trash(local.state, item, by=ANN)
        before = local.calls("files.create")
        world.faults(refuse("numChildrenInNonRootLimitExceeded", count=4))
        counts, results, _ = await world.bring_back(paths=("/Full/",))
        assert counts["failed"] == 10
        assert local.calls("files.create") - before == 4, "only those that were on their way already"
        assert all("500,000" in each.message for each in results if each.outcome == "failed")
        counts, _, _ = await world.bring_back()
        assert (counts["failed"], counts["restored"]) == (0, 12)


async def test_larger_files_are_not_sent_where_a_smaller_one_did_not_fit(local):
    for n in range(10):
        local.file(f"n{n}.bin", content=b"N" * 2000)
    async with opened(local) as world:
        await world.bring_back(paths=("/Docs/",))
        full = refuse("storageQuotaExceeded")
        world.faults(full)
        before = local.calls("files.create")
        counts, results, _ = await world.bring_back(paths=("*.bin",))
        assert counts["failed"] == 11
        # Four at once were on their way when the first answer came, and one smaller file was worth a try.
        assert local.calls("files.create") - before <= 6
        assert all("full" in each.message for each in results)
        world.faults()
        counts, _, _ = await world.bring_back(paths=("*.bin",))
        assert counts["restored"] == 11


@pytest.mark.parametrize("reason", ["userRateLimitExceeded", "rateLimitExceeded", "quotaExceeded"])
async def test_the_limit_of_a_day_is_named_with_the_time_when_it_is_over(local, reason):
    async with opened(local) as world:
        await world.bring_back(paths=("/Docs/",))
        world.faults(refuse(reason))
        counts, results, _ = await world.bring_back(paths=("/small.txt", "/large.bin", "/Docs/"))
        assert counts == {"same": 2, "failed": 2, "bytes": 0}
        for each in results:
            if each.outcome == "failed":
                assert each.reason == "uploadLimit"
                assert "750 GB" in each.message
                assert "2026-03-02" in each.message


async def test_a_limit_on_sharing_does_not_end_the_restore(local):
    [small] = [each for each in local.state.items.values() if each.name == "small.txt"]
    given = {small.id: [{"type": "user", "role": "reader", "emailAddress": "bob@example.com"}]}
    async with opened(local) as world:
        world.faults(refuse("sharingRateLimitExceeded", routes=["permissions.create"]))
        counts, results, folder = await world.bring_back(permissions=given)
        assert (counts["restored"], counts["failed"]) == (4, 1)
        assert len(world.tree(folder)) == 4
        failed = next(each for each in results if each.outcome == "failed")
        assert (failed.reason, failed.path) == ("permissions", "small.txt")
        assert "again after" in failed.message


@pytest.mark.parametrize("route", ["files.generateIds", "files.create"])
@pytest.mark.parametrize("reason", sorted(CREDENTIALS))
async def test_a_credential_that_may_not_write_is_told_the_scope_that_writes(local, reason, route):
    async with opened(local) as world:
        target = local.folder("Target")
        world.faults(refuse(reason, routes=[route]))
        with pytest.raises(CredentialsError, match=r"auth/drive \("):
            await world.bring_back(f"folder/{target.id}", merge=True)


async def test_a_large_upload_that_meets_a_limit_midway_says_so(local):
    local.file("huge.bin", content=b"H" * 10_000_000)
    async with opened(local) as world:
        await world.bring_back(paths=("/small.txt",))
        world.faults(refuse("storageQuotaExceeded", routes=["*"], skip=3))
        _, [result], _ = await world.bring_back(paths=("/huge.bin",))
        assert (result.outcome, result.reason) == ("failed", "storageQuotaExceeded")

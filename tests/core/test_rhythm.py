"""A file that stays failed: the other files go on as ever, and it is asked for once a run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from include.drive_backup.errors import (
    BrokenBodyError,
    DailyQuotaError,
    ItemLaterError,
    ItemUnavailableError,
    ServiceUnavailableError,
    TransientError,
)
from include.drive_backup.manifest.repository import SnapshotRepository
from include.drive_backup.model import Source
from include.drive_backup.report import readable, verdict
from include.local_cloud.drive import ANN
from include.local_cloud.drive.faults import Rule
from tests.support.fake_drive import FakeDrive, flipped, short
from tests.support.flow import Backup
from tests.support.local_drive import LocalDrive, backup_of
from tests.support.nights import DELAY, RETRIES, night
from tests.support.trees import file, folder, native

QUOTA = ItemLaterError("Too many people downloaded 'b'. A later run saves it.", reason="downloadQuotaExceeded")
BROKEN = BrokenBodyError("The content of 'b' broke off after 1 byte.", reason="cutBody")


def days(count: int) -> list[str]:
    return [f"2026-03-{number:02d}" for number in range(1, count + 1)]


def three() -> list[Any]:
    return [file("a.txt", b"aaa", id="a"), file("b.txt", b"bbb", id="b"), file("c.txt", b"ccc", id="c")]


def refusing(drive: FakeDrive, errors: dict[str, Exception]) -> None:
    """Let reads of some files fail, as long as they are in ``errors``."""

    def before(ident: str) -> None:
        if ident in errors:
            raise errors[ident]

    drive.before_read = before


async def test_ten_nights_with_a_file_whose_download_quota_is_spent():
    local = LocalDrive()
    wanted, doomed = local.file("wanted.bin", content=b"wanted"), local.file("doomed.txt")
    local.file("other.txt", content=b"other")
    rule = Rule(kind="error", routes=["files.get.media"], files=[wanted.id], status=403)
    rule.reason, rule.message = "downloadQuotaExceeded", "The download quota for this file has been exceeded."
    async with backup_of(local) as backup:
        local.server.service.faults.rules.append(rule)
        asked = local.calls("files.get.media")
        for number, day in enumerate(days(10), 1):
            if number == 4:
                local.state.remove(doomed)
            if number == 6:
                local.file("new.txt", content=b"new")
            found = await night(backup, day)
            expected = 3 if number == 1 else 2 if number == 6 else 1
            assert (number, local.calls("files.get.media") - asked) == (number, expected)
            asked += expected
            assert (found.tries, found.summary["status"]) == ([1], "partial")
            assert not [wait for wait in backup.clock.slept if wait >= DELAY]
            # The second night lists everything, too: nothing had told what the first listing may lack.
            proving = {1: ("full", "noBase"), 2: ("full", "unproven")}
            assert found.listing == proving.get(number, ("changes", None))
            assert found.summary["reasons"]["downloadQuotaExceeded"]["count"] == 1
            if number > 1:
                counts = found.summary["left"].get("counts", {})
                assert counts == ({"deleted": 1} if number == 4 else {})
                previous = f"snapshots/user/{ANN}/default/202603{number - 1:02d}T000000.000Z/manifest.json"
                assert found.summary["left"]["base"] == previous
        local.server.service.faults.rules.clear()
        healed = await night(backup, "2026-03-11")
        assert (healed.tries, healed.summary["status"], healed.listing) == ([1], "complete", ("changes", None))
        assert (await backup.restored(healed.summary))[wanted.id] == b"wanted"
        calm = await night(backup, "2026-03-12")
        assert (calm.tries, calm.summary["status"], calm.summary["reasons"]) == ([], "complete", {})


FAULTS: dict[str, Callable[[FakeDrive, dict[str, Exception]], None]] = {
    "cut at the same byte": lambda _, errors: errors.update(b=BROKEN),
    "the wrong bytes": lambda drive, _: drive.bodies["b"].extend([flipped] * 999),
    "too few bytes": lambda drive, _: drive.bodies["b"].extend([short] * 999),
    "a server error for this file alone": lambda _, errors: errors.update(
        b=ServiceUnavailableError("It is too hard.", service="drive", reason="http500")
    ),
    "a bug of ours": lambda _, errors: errors.update(b=ValueError("odd")),
}


@pytest.mark.parametrize("fault", FAULTS)
async def test_what_fails_in_all_tries_of_one_night_is_tried_once_in_the_next(fault: str):
    drive, errors = FakeDrive(*three()), dict[str, Exception]()
    refusing(drive, errors)
    FAULTS[fault](drive, errors)
    backup = Backup(drive)
    first = await night(backup, "2026-03-01")
    assert (first.tries, first.summary["status"]) == ([RETRIES + 1], "partial")
    for day in days(5)[1:]:
        drive.reads.clear()
        found = await night(backup, day)
        assert (found.tries, found.summary["status"]) == ([1], "partial")
        assert found.summary["counts"] == {"unchanged": 2, "failed": 1}
        assert (drive.reads, backup.clock.slept[-1:] or [0]) == ({"b": 1}, backup.clock.slept[-1:] or [0])
        assert found.listing == (("full", "unproven") if day == "2026-03-02" else ("changes", None))
    errors.clear()
    drive.bodies.clear()
    assert (await night(backup, "2026-03-06")).summary["status"] == "complete"


async def test_a_file_that_changes_at_each_read_is_tried_once_from_the_second_night_on():
    drive = FakeDrive(*three())
    backup = Backup(drive)
    number = 0

    def written_again(ident: str) -> None:
        nonlocal number
        if ident == "b":
            number += 1
            drive.write("b", b"%d" % number, "2026-02-01T00:00:00.000Z")

    drive.before_read = written_again
    assert (await night(backup, "2026-03-01")).tries == [RETRIES + 1]
    for day in days(4)[1:]:
        found = await night(backup, day)
        assert (found.tries, found.summary["status"]) == ([1], "partial")
        assert found.summary["reasons"]["changedWhileReading"]["count"] == 1
    drive.before_read = None
    assert (await night(backup, "2026-03-05")).summary["status"] == "complete"


async def test_new_content_of_a_file_that_failed_has_the_tries_of_a_new_file():
    drive, errors = FakeDrive(*three()), {"b": BROKEN}
    refusing(drive, errors)
    backup = Backup(drive)
    await night(backup, "2026-03-01")
    assert (await night(backup, "2026-03-02")).tries == [1]
    drive.write("b", b"new", "2026-03-02T12:00:00.000Z")
    assert (await night(backup, "2026-03-03")).tries == [RETRIES + 1]
    assert (await night(backup, "2026-03-04")).tries == [1]


async def test_only_the_export_format_that_failed_is_tried_once():
    drive = FakeDrive(native("Letter", content=b"text", id="n"))
    backup = Backup(drive)
    formats = {"document": ("docx", "pdf")}
    plan, [batch] = await backup.plan("2026-03-01", formats=formats)
    drive.errors["n"] = [BROKEN] * 4
    with pytest.raises(Exception, match="broke off"):
        await backup.copy(batch, in_flight=1)
    await backup.commit(plan)
    [row] = (await backup.rows(await backup.commit(plan))).values()
    [stored] = row["contents"]
    _, [batch] = await backup.plan("2026-03-02", formats=formats)
    assert await failing_orders(backup, batch) == {("n", {"docx": "pdf", "pdf": "docx"}[stored["format"]]): True}
    del backup.store.blobs[stored["blob"]]
    _, [batch] = await backup.plan("2026-03-02", formats=formats)
    assert (await failing_orders(backup, batch))["n", stored["format"]] is False


async def failing_orders(backup: Backup, batch: Any) -> dict[tuple[str, str], bool]:
    from include.drive_backup.model import CopyOrder
    from include.drive_backup.work import batch_prefix, read_parts

    orders = read_parts(backup.store, batch_prefix(batch.plan, batch.number), CopyOrder)
    return {(order.item.id, order.format): order.failing async for order in orders}


async def test_details_that_keep_failing_are_tried_once_and_so_is_content_beside_them():
    drive = FakeDrive(*three())
    backup = Backup(drive)
    down = ServiceUnavailableError("It is too hard.", service="drive", reason="http500")
    drive.errors["comments b"] = [down] * 99
    first = await night(backup, "2026-03-01", save=("comments",))
    assert (first.tries, first.summary["counts"]) == ([RETRIES + 1], {"copied": 2, "failed": 1})
    for day in days(3)[1:]:
        found = await night(backup, day, save=("comments",))
        assert (found.tries, found.summary["counts"]) == ([1], {"unchanged": 2, "failed": 1})
    drive.errors.clear()
    assert (await night(backup, "2026-03-04", save=("comments",))).summary["status"] == "complete"


async def test_a_new_failure_beside_an_old_one_has_its_tries_and_the_old_one_has_one():
    drive, errors = FakeDrive(*three()), dict[str, Exception]({"b": QUOTA})
    refusing(drive, errors)
    backup = Backup(drive)
    await night(backup, "2026-03-01")
    drive.add(file("d.txt", b"ddd", id="d"))
    errors["d"] = BROKEN
    drive.reads.clear()
    found = await night(backup, "2026-03-02")
    assert (found.tries, drive.reads["b"]) == ([RETRIES + 1], 1)
    assert found.summary["counts"] == {"unchanged": 2, "failed": 2}


async def test_drive_down_fails_the_task_although_all_its_files_failed_before():
    drive, errors = FakeDrive(*three()), dict[str, Exception]({"b": QUOTA})
    refusing(drive, errors)
    backup = Backup(drive)
    await night(backup, "2026-03-01")
    await night(backup, "2026-03-02")
    down = ServiceUnavailableError("Drive is down.", service="drive", reason="http503")
    errors["b"] = down
    down_for_all(drive, down)
    assert (await night(backup, "2026-03-03")).tries == [RETRIES + 1]
    # And when it comes back within the hour, that very run has the file.
    _, [batch] = await backup.plan("2026-03-04")
    with pytest.raises(TransientError, match="Drive is down"):
        await backup.copy(batch)
    errors.clear()
    assert (await backup.copy(batch, resume=True))["copied"] == 1


def down_for_all(drive: FakeDrive, error: Exception) -> None:
    """Let Drive answer no call that concerns no file either."""

    async def change_token(source: Source) -> str:
        raise error

    drive.change_token = change_token  # type: ignore[method-assign]


async def test_a_batch_of_nothing_but_spent_quotas_is_asked_for_once_and_again_when_its_task_is_cleared():
    drive, errors = FakeDrive(*three()), dict[str, Exception]()
    refusing(drive, errors)
    errors.update(dict.fromkeys("abc", QUOTA))
    backup = Backup(drive)
    _, [batch] = await backup.plan("2026-03-01")
    assert (await backup.copy(batch))["failed"] == 3
    errors.clear()
    assert (await backup.copy(batch, resume=True))["copied"] == 3


async def test_a_task_that_failed_for_another_file_asks_again_for_all_when_it_is_cleared():
    drive, errors = FakeDrive(*three()), dict[str, Exception]({"a": QUOTA, "b": BROKEN})
    refusing(drive, errors)
    backup = Backup(drive)
    _, [batch] = await backup.plan("2026-03-01")
    for number in range(RETRIES + 1):
        with pytest.raises(Exception, match="broke off"):
            await backup.copy(batch, resume=number > 0)
    assert drive.reads["a"] == 1
    errors.clear()
    assert (await backup.copy(batch, resume=True, cleared=True))["failed"] == 0
    assert drive.reads["a"] == 2


async def test_a_finished_batch_is_not_asked_again_when_its_task_is_retried_for_another_batch():
    drive, errors = FakeDrive(*three()), dict[str, Exception]({"a": QUOTA})
    refusing(drive, errors)
    drive.errors["b"] = [ItemUnavailableError("No right.", reason="cannotDownloadFile")]
    backup = Backup(drive)
    _, [batch] = await backup.plan("2026-03-01")
    await backup.copy(batch)
    again = await backup.copy(batch, resume=True, cleared=False)
    assert (again["failed"], again["unavailable"], again["stored"]) == (1, 1, 1)
    assert drive.reads == {"a": 1, "b": 1, "c": 1}


async def test_a_day_whose_quota_is_used_up_says_nothing_of_a_file_that_failed_before():
    drive, errors = FakeDrive(*three()), dict[str, Exception]({"b": BROKEN})
    refusing(drive, errors)
    backup = Backup(drive)
    await night(backup, "2026-03-01")
    errors["b"] = DailyQuotaError("Nothing more today.")
    plan, [batch] = await backup.plan("2026-03-02")
    assert (await backup.copy(batch))["failed"] == 1
    found = await backup.commit(plan)
    assert found["reasons"]["dailyLimitExceeded"]["since"] == "20260301T000000.000Z"
    errors.clear()
    assert (await backup.copy(batch, resume=True, cleared=False))["copied"] == 1


async def test_a_batch_that_never_ran_leaves_a_base_and_its_files_are_new_ones():
    drive, errors = FakeDrive(*three()), dict[str, Exception]()
    refusing(drive, errors)
    backup = Backup(drive)
    plan, _ = await backup.plan("2026-03-01")
    assert (await backup.commit(plan))["reasons"]["notCopied"]["count"] == 3
    drive.delete("c")
    errors["b"] = BROKEN
    found = await night(backup, "2026-03-02")
    assert (found.tries, found.listing) == ([RETRIES + 1], ("full", "unproven"))
    assert found.summary["counts"] == {"copied": 1, "failed": 1}
    assert sum(found.summary["left"]["counts"].values()) == 1


async def test_a_night_whose_batch_never_ran_does_not_forget_what_was_failing():
    drive, errors = FakeDrive(*three()), dict[str, Exception]({"b": BROKEN})
    refusing(drive, errors)
    backup = Backup(drive)
    await night(backup, "2026-03-01")
    plan, _ = await backup.plan("2026-03-02")
    await backup.commit(plan)
    found = await night(backup, "2026-03-03")
    assert (found.tries, found.summary["status"]) == ([1], "partial")
    assert found.summary["reasons"]["cutBody"]["since"] == "20260301T000000.000Z"


async def test_the_report_says_how_many_items_keep_failing_since_when_and_what_to_do():
    drive, errors = FakeDrive(*three()), dict[str, Exception]({"b": QUOTA})
    refusing(drive, errors)
    backup = Backup(drive)
    first = await night(backup, "2026-03-01")
    assert "since" not in readable([first.plan.to_dict()], [first.summary]).split("NOT SAVED")[1].splitlines()[0]
    await night(backup, "2026-03-02")
    errors["c"] = QUOTA
    drive.write("c", b"new", "2026-03-02T12:00:00.000Z")
    third = await night(backup, "2026-03-03")
    report = readable([third.plan.to_dict()], [third.summary])
    assert "2 for downloadQuotaExceeded: /b.txt, /c.txt (1 of them failing since 2026-03-01 00:00:00 UTC)" in report
    with pytest.raises(
        Exception, match=r"1 of them failed before, the first one since 2026-03-01 00:00:00 UTC"
    ) as caught:
        verdict([third.plan.to_dict()], [third.summary])
    assert "Too many people downloaded 'b'" in str(caught.value)


async def test_a_partial_night_is_never_what_readers_take_as_latest():
    drive, errors = FakeDrive(*three()), dict[str, Exception]()
    refusing(drive, errors)
    backup = Backup(drive)
    await night(backup, "2026-03-01")
    drive.write("b", b"new", "2026-03-01T12:00:00.000Z")
    errors["b"] = QUOTA
    found = await night(backup, "2026-03-02")
    assert found.summary["status"] == "partial"
    latest = await SnapshotRepository(backup.store).find(Source.parse("user/ann@example.com"))
    assert latest.instant == "20260301T000000.000Z"


async def test_what_an_incomplete_listing_lacks_is_no_base_however_good_its_copies_are():
    backup = Backup(FakeDrive(folder("A", *three(), id="A")))
    await night(backup, "2026-03-01")
    backup.drive.incomplete = True
    await night(backup, "2026-03-02", mode="full")
    backup.drive.incomplete = False
    found = await night(backup, "2026-03-03")
    assert found.summary["left"]["base"].split("/")[-2] == "20260301T000000.000Z"

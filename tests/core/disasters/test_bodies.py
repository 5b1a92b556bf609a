"""Cut bodies and wrong bytes: whatever Drive or the network does to a body, what is restored is what Drive has."""

import random

import pytest

from include.drive_backup.errors import TransientError
from tests.support.fake_drive import FakeDrive, cut, flipped, short
from tests.support.flow import Backup
from tests.support.trees import file, native


def storm(seed: int, share: float):
    """Damages a share of all reads, in any of the ways there are."""
    dice = random.Random(seed)
    ways = [cut, short, flipped, lambda content: content + b"x", lambda content: b""]

    def damage(content: bytes) -> bytes:
        return dice.choice(ways)(content) if dice.random() < share else content

    return damage


@pytest.mark.parametrize("seed", range(5))
async def test_half_of_all_bodies_are_damaged(seed):
    contents = {f"f{n}": random.Random(n).randbytes(10 + n) for n in range(60)}
    backup = Backup(FakeDrive(*(file(ident, content, id=ident) for ident, content in contents.items())))
    damage = storm(seed, 0.5)
    for ident in contents:
        backup.drive.bodies[ident] = [damage] * 1000
    plan, (batch,) = await backup.plan()
    tries = 0
    while True:
        try:
            await backup.copy(batch, resume=tries > 0)
            break
        except TransientError:
            tries += 1
            assert tries < 20
    summary = await backup.commit(plan)
    assert summary["status"] == "complete"
    assert await backup.restored(summary) == contents


async def test_a_file_that_never_comes_right_makes_the_snapshot_partial_and_the_others_are_saved():
    backup = Backup(FakeDrive(file("good", b"good", id="good"), file("bad", b"bad", id="bad")))
    backup.drive.bodies["bad"] = [flipped] * 99
    plan, (batch,) = await backup.plan()
    with pytest.raises(TransientError):
        await backup.copy(batch)
    summary = await backup.commit(plan)
    assert summary["status"] == "partial"
    assert await backup.restored(summary) == {"good": b"good"}
    row = (await backup.rows(summary))["bad"]
    assert (row["outcome"], row["reason"]) == ("failed", "checksumMismatch")


async def test_the_next_run_completes_what_one_run_could_not():
    backup = Backup(FakeDrive(file("bad", b"bad", id="bad"), native("doc", id="doc", content=b"text")))
    backup.drive.bodies["bad"] = [cut] * 4
    plan, (batch,) = await backup.plan()
    with pytest.raises(TransientError):
        await backup.copy(batch)
    await backup.commit(plan)
    backup.drive.reads.clear()
    summary = await backup.run("2026-03-02")
    assert (summary["status"], dict(backup.drive.reads)) == ("complete", {"bad": 1})
    assert await backup.restored(summary) == {"bad": b"bad", "doc": b"text"}

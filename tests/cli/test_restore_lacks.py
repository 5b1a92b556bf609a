"""What a restore on the command line does about content that cannot be had now, or never was saved."""

import asyncio

from tests.support.fake_drive import FakeDrive, at
from tests.support.flow import Backup
from tests.support.trees import file, folder

ANN = "user/ann@example.com"
SHUT = {"canListChildren": False}


def backed_up(*entries):
    made = Backup(FakeDrive(*entries))
    assert asyncio.run(made.run("2026-03-01"))["status"] == "complete"
    return made


def test_a_restore_of_a_complete_snapshot_with_a_closed_folder_ends_with_1(on_store, tmp_path):
    made = backed_up(file("a.txt", b"a", id="a"), folder("Closed", id="closed", capabilities=SHUT))
    run = on_store(made.store)
    code, out, _ = run("restore", ANN, "--to", str(tmp_path / "all"))
    assert (code, "not, or not all, in the backup: 1 folder" in out) == (1, True)
    assert run("restore", ANN, "--to", str(tmp_path / "part"), "--path", "/a.txt")[0] == 0


def test_what_is_asked_for_and_not_waited_for_is_protected_for_a_day(on_store, tmp_path):
    made = backed_up(file("a.txt", b"a", id="a"))
    asyncio.run(made.store.set_tier(made.contents(), "archive"))
    code, out, _ = on_store(made.store)("restore", ANN, "--to", str(tmp_path), "--no-wait")
    assert (code, "Nothing is restored yet" in out) == (3, True)
    [(name, (_, info))] = [each for each in made.store.blobs.items() if each[0].startswith("reading/")][-1:]
    assert name.startswith(f"reading/{ANN}/default/20260301T000000.000Z/")
    assert info.metadata["seconds"] == "86400"
    assert info.metadata["who"] == "drive-backup restore --no-wait"


def test_a_path_in_other_letters_is_told_the_right_one(on_store, tmp_path):
    made = backed_up(folder("Reports", file("a.txt", b"a", id="a"), id="r"))
    code, _, err = on_store(made.store)("restore", ANN, "--to", str(tmp_path / "out"), "--path", "/REPORTS/")
    assert (code, "In other upper and lower case there is: '/Reports/'." in err) == (2, True)
    assert not (tmp_path / "out").exists()


def test_how_a_dry_run_ends(on_store, tmp_path):
    """As docs/restore.md says: nothing is missing yet, whatever is not saved."""
    made = backed_up(file("a.txt", b"a", id="a"), folder("Closed", id="closed", capabilities=SHUT))
    run = on_store(made.store)
    dry = ("restore", ANN, "--to", str(tmp_path / "out"), "--dry-run")
    code, out, _ = run(*dry)
    assert (code, "1 item not saved, or not all of it" in out) == (0, True)
    asyncio.run(made.store.set_tier(made.contents(), "archive"))
    assert run(*dry)[0] == 0
    made.clock.set(at("2026-03-02T00:10"))
    made.drive.write("a", b"b", "2026-03-02T00:00:00.000Z")
    asyncio.run(made.run("2026-03-02"))
    [newest] = [name for name in made.store.blobs if "20260302" in name and name.endswith("/manifest.json")]
    made.store.blobs[newest] = (b"{", made.store.blobs[newest][1])
    assert run(*dry)[0] == 1
    assert run(*dry, "--path", "/nothing")[0] == 2
    assert not (tmp_path / "out").exists()

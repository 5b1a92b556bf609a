"""Every command takes a single file as its source."""

import asyncio
from types import SimpleNamespace

from tests.support.fake_drive import FakeDrive, at
from tests.support.flow import Backup
from tests.support.trees import file, folder
from tests.support.verified import assert_sound

SOURCE = "file/a"


def test_a_single_file_is_shown_verified_restored_as_it_was_and_thinned_out(on_store, tmp_path):
    backup = Backup(FakeDrive(folder("Reports", file("a.txt", b"one", id="a"), file("b.txt", b"b"))))
    backup.store.clock = SimpleNamespace(now=backup.clock.now)
    asyncio.run(backup.run("2026-03-01", SOURCE))
    backup.drive.write("a", b"two", "2026-03-01T12:00:00Z")
    backup.clock.set(at("2026-03-02T00:10"))
    asyncio.run(backup.run("2026-03-02", SOURCE))
    cli = on_store(backup.store)

    for command in (("doctor",), ("verify", "--read", "all"), ("find", SOURCE, "a.txt"), ("snapshots", SOURCE)):
        code, out, err = cli(*command)
        shown = SOURCE in out or "a.txt" in out or out.count("complete") == 2
        assert (code, shown) == (0, True), (command, out, err)
    assert "a.txt" in cli("ls", SOURCE, "/")[1]
    assert "b.txt" not in cli("ls", SOURCE, "/")[1]
    asyncio.run(assert_sound(backup.store))

    for day, content in (("2026-03-01", b"one"), ("latest", b"two")):
        to = tmp_path / day
        assert cli("restore", SOURCE, "--at", day, "--path", "/a.txt", "--to", str(to))[0] == 0
        assert (to / "a.txt").read_bytes() == content

    code, _, err = cli("restore", SOURCE, "--to-drive", "file/a")
    assert (code, "nothing can be restored into a single file" in err) == (2, True), err
    assert "1 snapshot of 2 would go" in cli("forget", SOURCE, "--keep-last", "1")[1]

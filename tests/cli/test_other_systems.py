"""The command line on systems that lack what Linux has: it starts, shows its help, and restores."""

import subprocess
import sys
import textwrap
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

#: Takes away what Windows does not have, after what is not ours was imported: that asks the system for its name.
WITHOUT = """
import os, sys, time, errno
sys.path.insert(0, {root!r})
import include.drive_backup.cli.app as first
first.application()
for name in [each for each in sys.modules if each == "include" or each.startswith("include.")]:
    del sys.modules[name]

for name in ("O_DIRECTORY", "O_NOFOLLOW", "O_CLOEXEC", "O_NONBLOCK", "O_SYNC", "fchmod", "fchown", "chown", "lchown",
             "geteuid", "getuid", "getgid", "getegid", "getpgid", "setsid", "fork", "forkpty", "killpg", "mkfifo",
             "mknod", "sched_getaffinity", "pathconf", "fpathconf", "uname", "getloadavg", "sysconf",
             "openpty", "posix_fallocate", "posix_fadvise", "sync", "wait3", "wait4", "sendfile", "readv", "writev"):
    if hasattr(os, name):
        delattr(os, name)
for name in ("EDQUOT", "ENOTBLK", "ESHUTDOWN"):
    if hasattr(errno, name):
        delattr(errno, name)
for name in ("clock_gettime", "CLOCK_BOOTTIME", "CLOCK_MONOTONIC", "tzset", "pthread_getcpuclockid"):
    if hasattr(time, name):
        delattr(time, name)
os.supports_dir_fd, os.supports_fd, os.supports_follow_symlinks = set(), set(), set()

def refuse(call):
    def without(*arguments, **named):
        if any(named.get(each) is not None for each in ("dir_fd", "src_dir_fd", "dst_dir_fd")):
            raise NotImplementedError("dir_fd unavailable on this platform")
        if named.get("follow_symlinks") is False and call is not stat:
            raise NotImplementedError("follow_symlinks unavailable on this platform")
        return call(*arguments, **named)
    return without

stat = os.stat
for name in ("open", "mkdir", "stat", "unlink", "link", "utime", "rename", "replace", "rmdir"):
    setattr(os, name, refuse(getattr(os, name)))

class Missing:
    def find_spec(self, name, path=None, target=None):
        if name in ("fcntl", "pwd", "grp", "resource", "termios", "tty", "pty", "syslog", "uvloop"):
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

for name in ("fcntl", "pwd", "grp", "resource", "termios", "tty", "pty", "syslog", "uvloop"):
    sys.modules.pop(name, None)
sys.meta_path.insert(0, Missing())
"""


def run(script, *arguments):
    code = WITHOUT.format(root=str(ROOT)) + textwrap.dedent(script)
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, timeout=240, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def test_the_help_of_every_command_is_shown_where_posix_is_missing():
    said = run("""
    from include.drive_backup.cli import app
    from typer.testing import CliRunner
    application = app.application()
    for command in [[], *([each.name or each.callback.__name__] for each in application.registered_commands)]:
        done = CliRunner().invoke(application, [*command, "--help"])
        assert done.exit_code == 0, (command, done.output, done.exception)
        print(command, len(done.output))
    """)
    assert "restore" in said


def test_every_module_of_the_core_is_imported_where_posix_is_missing():
    run("""
    import importlib, pkgutil
    import include.drive_backup
    for each in pkgutil.walk_packages(include.drive_backup.__path__, "include.drive_backup."):
        if not each.name.endswith("__main__"):
            importlib.import_module(each.name)
    """)


def test_a_restore_works_where_posix_is_missing(tmp_path):
    said = run(
        """
        import asyncio
        from pathlib import Path
        from include.drive_backup.manifest.repository import SnapshotRepository
        from include.drive_backup.model import Source
        from include.drive_backup.restore.local_target import open_local
        from include.drive_backup.restore.run import restore
        from include.drive_backup.restore.selection import Selection, select
        from tests.support.fake_drive import FakeDrive
        from tests.support.flow import Backup
        from tests.support.trees import file, folder

        async def main():
            twins = file("a.txt", b"a", id="a"), file("a.txt", b"b", id="b")
            backup = Backup(FakeDrive(folder("Docs", *twins), file("c", b"")))
            await backup.run()
            manifest = await SnapshotRepository(backup.store).find(Source.parse("user/ann@example.com"))
            wanted = await select(backup.store, manifest, Selection())
            for conflict in ("copy", "skip", "replace"):
                place = open_local(Path(sys.argv[1]), wanted, backup.store, conflict)
                print(dict(await restore(backup.store, manifest, wanted, place, lambda _: None)))

        asyncio.run(main())
        """,
        str(tmp_path),
    )
    first, *others = said.splitlines()
    assert "'restored': 4" in first
    assert all("'same': 4" in each for each in others)
    assert {str(p.relative_to(tmp_path)): p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()} == {
        "Docs/a.txt": b"a",
        "Docs/a (b).txt": b"b",
        "c": b"",
    }


def test_names_and_renames_as_windows_has_them(monkeypatch, tmp_path):
    """There a rename takes no name away, so that it is the way to give one; and names are those that Windows holds."""
    from include.drive_backup.restore import placing

    monkeypatch.setattr("os.name", "nt")
    monkeypatch.setattr(placing.Path, "mkdir", lambda *_, **__: None)
    try:
        ground = placing.probe(tmp_path)
    finally:
        monkeypatch.undo()
    assert (ground.way, ground.any_name) == ("rename", False)

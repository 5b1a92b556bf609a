"""A path in other upper and lower case selects nothing, and the sentence has the right one."""

import pytest

from include.drive_backup.errors import SnapshotNotFoundError
from include.drive_backup.manifest.repository import SnapshotRepository
from include.drive_backup.restore.selection import Selection, select
from tests.core.restore.test_local import ANN
from tests.support.fake_drive import FakeDrive
from tests.support.flow import Backup
from tests.support.trees import file, folder

NOT_THERE = "`drive-backup ls` shows what a snapshot holds"


@pytest.fixture
async def chosen():
    made = Backup(
        FakeDrive(
            folder("Reports", file("Budget.xlsx", b"1"), folder("ÄRGER", file("a.txt", b"2")), id="r"),
            *(file(f"Note {n}.TXT", b"3", id=f"n{n}") for n in range(5)),
        )
    )
    await made.run()
    manifest = await SnapshotRepository(made.store).find(ANN)
    return lambda *paths: select(made.store, manifest, Selection(paths=paths))


@pytest.mark.parametrize(
    ("path", "right"),
    [
        ("/reports/", "'/Reports/'"),
        ("reports", "'/Reports/'"),
        ("/REPORTS/BUDGET.XLSX", "'/Reports/Budget.xlsx'"),
        ("*.XLSX", "'/Reports/Budget.xlsx'"),
        ("/Reports/ärger/", "'/Reports/ÄRGER/'"),
        ("a\u0308rger", "'/Reports/ÄRGER/'"),
        ("note*", "'/Note 0.TXT', '/Note 1.TXT', '/Note 2.TXT' and 2 more"),
    ],
)
async def test_the_right_one_is_named(chosen, path, right):
    with pytest.raises(SnapshotNotFoundError) as caught:
        await chosen(path)
    assert f"In other upper and lower case there is: {right}." in str(caught.value)
    assert await chosen(str(caught.value).partition("there is: '")[2].partition("'")[0])


@pytest.mark.parametrize("paths", [("/salary/",), ("Budget",), ("!/reports/",)])
async def test_where_there_is_none_nothing_is_promised(chosen, paths):
    with pytest.raises(SnapshotNotFoundError, match=NOT_THERE) as caught:
        await chosen(*paths)
    assert "other upper" not in str(caught.value)


async def test_of_several_paths_each_may_be_meant(chosen):
    with pytest.raises(SnapshotNotFoundError, match="there is: '/Reports/'"):
        await chosen("/salary/", "/reports/")

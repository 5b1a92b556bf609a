"""What the new folder of a restore into Drive is called."""

import pytest
from msgspec.structs import replace

from include.drive_backup.manifest.repository import SnapshotRepository
from include.drive_backup.model import Series, Source
from include.drive_backup.restore.drive_target import new_folder_name
from tests.support.fake_drive import FakeDrive
from tests.support.flow import Backup
from tests.support.trees import file

ANN = Source.parse("user/ann@example.com")
NARROWED = Series.narrowed_name("default", "x")


@pytest.mark.parametrize(
    ("series", "named"),
    [("default", ""), ("noon", "noon/"), (NARROWED, f"{NARROWED}/")],
)
async def test_the_folders_of_two_series_have_different_names(series, named):
    backup = Backup(FakeDrive(file("a.txt", b"a", id="a")))
    await backup.run("2026-03-01")
    manifest = replace(await SnapshotRepository(backup.store).find(ANN), series=series)
    assert new_folder_name(manifest) == f"Restored {ANN} as of {named}20260301T000000.000Z"

"""A backup of a small Drive with hard names, and a container to restore it into."""

import pytest

from tests.core.restore.test_local import drive
from tests.support.flow import Backup
from tests.support.memory_target import MemoryTargetStore


@pytest.fixture
async def backup():
    made = Backup(drive())
    await made.run(formats={"document": ["docx"]})
    return made


@pytest.fixture
def target():
    return MemoryTargetStore()

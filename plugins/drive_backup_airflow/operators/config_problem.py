"""What a job does whose config is wrong: fail, so that somebody hears of it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from drive_backup_airflow.operators.base import DriveBackupOperator
from include.drive_backup.errors import ConfigError

if TYPE_CHECKING:
    from airflow.sdk import Context


class ConfigProblemOperator(DriveBackupOperator):
    """Fails with a sentence.

    :param problem: what is wrong, where, and what is allowed.
    """

    def __init__(self, *, problem: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.problem = problem

    async def run(self, context: Context, stop: asyncio.Event) -> None:  # noqa: ARG002
        """:raises ConfigError: always."""
        raise ConfigError(self.problem)

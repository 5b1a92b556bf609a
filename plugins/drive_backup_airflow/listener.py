"""Makes the pool that the backup's tasks wait for.

Airflow never schedules a task whose pool does not exist, and says so only in the scheduler's log. The scheduler, which
may use the database, makes it when it starts. A pool that is there is left alone: its size is the operator's business.
"""

from __future__ import annotations

import logging
from typing import Any

from airflow.listeners import hookimpl

from include.drive_backup.settings import POOL, config_path, load

log = logging.getLogger(__name__)


@hookimpl
def on_starting(component: Any) -> None:
    """Called in every process of Airflow before it works; tasks have no database, jobs (the scheduler …) have."""
    if type(component).__module__ != "airflow.jobs.job":
        return
    from airflow.models.pool import Pool  # noqa: PLC0415 - the plugin is loaded in processes that must not import it
    from sqlalchemy.exc import IntegrityError  # noqa: PLC0415 - as above

    if Pool.get_pool(POOL) is not None:
        return
    slots = load(config_path()).config.limits.tasks_at_once
    try:
        Pool.create_or_update_pool(
            POOL, slots, "Tasks of Drive Backup that spend Drive's quota", include_deferred=False
        )
        log.info("Made the pool '%s' with %d slots.", POOL, slots)
    except IntegrityError:
        log.debug("Another process made the pool '%s' at the same moment.", POOL)

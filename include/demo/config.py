"""The config file of a demo: the shipped one, with what a local cloud needs otherwise."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from include.drive_backup.settings import DEFAULT_PATH

#: The local Drive's quota is as wide as this; Google's is 325,000 a minute, about 27 downloads a second.
UNITS_PER_MINUTE = 30_000_000


def write_config(
    path: Path,
    *,
    limits: dict[str, Any] | None = None,
    jobs: dict[str, Any] | None = None,
    notifiers: list[dict[str, Any]] | None = None,
    retention: dict[str, Any] | None = None,
    restore: dict[str, Any] | None = None,
    **job: Any,
) -> Path:
    """Write a demo's config file, unless somebody has edited the one that is there.

    :param limits: limits that differ.
    :param jobs: further jobs.
    :param notifiers: further notifiers.
    :param retention: the section of that name.
    :param restore: the section of that name.
    :param job: settings of the default job that differ.
    """
    data = yaml.safe_load(DEFAULT_PATH.read_text(encoding="utf-8"))
    data["limits"] = {
        **data["limits"],
        "units_per_minute": UNITS_PER_MINUTE,
        "retry_delay_seconds": 2,
        **(limits or {}),
    }
    if retention is not None:
        data["retention"] = retention
    if restore is not None:
        data["restore"] = restore
    # From today on: unpausing the DAG must not start a run for yesterday, of which a new sample knows nothing.
    data["jobs"]["default"] = {**data["jobs"]["default"], "start_date": datetime.now(UTC).date(), **job}
    data["notifiers"] = notifiers or []
    # Last, so that a job can be added at the end of the file.
    data["jobs"] = {**data.pop("jobs"), **(jobs or {})}
    path.parent.mkdir(parents=True, exist_ok=True)
    written = path.with_suffix(".written")
    if not path.exists() or (written.exists() and path.read_bytes() == written.read_bytes()):
        text = yaml.safe_dump(data, sort_keys=False)
        for file in (path, written):
            file.write_text(text, encoding="utf-8")
    return path

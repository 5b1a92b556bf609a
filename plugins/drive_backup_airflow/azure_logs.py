"""Keeps the Azure SDKs from writing dozens of lines about tokens and requests into each task's log."""

from __future__ import annotations

import logging

_NOISY = ("azure.eventhub", "azure.identity", "azure.core.pipeline.policies.http_logging_policy")


def quieten() -> None:
    """Let them say what is wrong and no more, unless somebody has set their level. At INFO, Airflow's, they say all."""
    for name in _NOISY:
        logger = logging.getLogger(name)
        if logger.level == logging.NOTSET:
            logger.setLevel(logging.WARNING)

"""What the demo says at its end: what was saved, where, what was not and why, and which events were received."""

from __future__ import annotations

from collections import Counter
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from include.demo.airflow import USER
from include.demo.drive import not_served
from include.demo.events import Event
from include.demo.world import DAG_ID, World
from include.drive_backup.model import counted, human_bytes

EXAMPLES = 5
WORDS = {
    "copied": "copied now",
    "unchanged": "stored by an earlier run",
    "known": "same bytes were stored already",
    "metadata": "folders and shortcuts",
    "unavailable": "Drive does not give them",
    "failed": "failed",
}


def show(
    console: Console, world: World, run: dict[str, Any], summaries: list[dict[str, Any]], events: list[Event]
) -> None:
    """Print the report."""
    good = run["state"] == "success"
    console.print()
    for summary in summaries:
        console.print(_snapshot(summary))
    if not summaries:
        console.print(Panel(Text("Nothing was committed. The log of the failed task says why."), border_style="red"))
    if left_out := not_served(world.cloud.urls["drive"]):
        console.print(_left_out(left_out))
    # Without borders, so that addresses can be copied from any width.
    console.print(_events(events), soft_wrap=True)
    console.rule("[green]Still running" if good else "[red]The run failed; all is still running")
    console.print(_where(world, run), soft_wrap=True, highlight=False, markup=False)


def _snapshot(summary: dict[str, Any]) -> RenderableType:
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    for outcome, words in WORDS.items():
        if count := summary["counts"].get(outcome):
            size = summary["bytes"].get(outcome)
            table.add_row(words, f"{count:,}", human_bytes(size) if size else "")
    parts: list[RenderableType] = [table]
    if reasons := summary.get("reasons"):
        parts += [Text("\nNot saved, with Drive's reason:", style="yellow"), _reasons(reasons)]
    if not summary["created"]:
        parts.append(Text("\nNothing differs from the snapshot of this instant, so nothing new was stored."))
    parts.append(Text(f"\n{summary['manifest']}", style="dim"))
    complete = summary["status"] == "complete"
    title = f"{summary['source']} as of {summary['instant']}: {summary['status']}"
    return Panel(Group(*parts), title=Text(printable(title)), border_style="green" if complete else "red")


def _reasons(reasons: dict[str, Any]) -> RenderableType:
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 2))
    for reason, detail in reasons.items():
        count, examples = (detail, []) if isinstance(detail, int) else (detail["count"], detail.get("examples", []))
        table.add_row(f"{count:,}", Text(printable(reason)), Text(printable(", ".join(examples[:3]))))
    return table


def _left_out(paths: dict[str, str]) -> RenderableType:
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 2))
    for path, reason in list(paths.items())[:EXAMPLES]:
        table.add_row(Text(printable(path)), reason)
    if len(paths) > EXAMPLES:
        table.add_row(f"and {len(paths) - EXAMPLES:,} more", "")
    said = f"{counted(len(paths), 'path')} of the served folder became no part of the Drive:"
    return Group(Text(said, style="yellow"), table, Text())


def printable(text: str) -> str:
    """Without what would move a terminal's cursor or break its line."""
    return "".join(each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in text)


def _events(events: list[Event]) -> str:
    counts = Counter(event["type"].removeprefix("dev.drivebackup.backup.") for event in events)
    text = ", ".join(f"{count} {name}" for name, count in counts.items()) or "none"
    return f"Events received from Event Hubs: {text}"


def _where(world: World, run: dict[str, Any]) -> str:
    airflow = world.airflow()
    lines = {
        "Airflow": f"{airflow.url}/dags/{DAG_ID}/runs/{run['dag_run_id']}",
        "Login": f"{USER} / {airflow.password}",
        "Blob": f"{world.cloud.urls['azurite']}/drive-backup, which takes the account's key alone:",
        "Look": f"export AZURE_STORAGE_CONNECTION_STRING='{world.cloud.blob_connection_string}'; "
        ".venv/bin/drive-backup doctor",
        "Config": f"{world.config}: edit it; the DAGs follow within a minute",
        "Again": "make demo: an incremental run",
        "Stop": "make stop",
    }
    return "\n".join(f"{name:<9}{text}" for name, text in lines.items())

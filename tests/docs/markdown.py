"""The little of Markdown that the tests of the documentation need."""

from __future__ import annotations

import re
import subprocess
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)


@cache
def files() -> tuple[str, ...]:
    """The Markdown files that Git knows or would add, as paths from the root."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.md"]
    output = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return tuple(sorted(name for name in output.splitlines() if (ROOT / name).exists()))


def text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def fenced(name: str, language: str) -> list[str]:
    """The code blocks of a language."""
    return [body for found, body in _FENCE.findall(text(name)) if found == language]


def prose(name: str) -> str:
    """A file without its code: neither blocks nor spans hold links."""
    return re.sub(r"`[^`\n]*`", "", _FENCE.sub("", text(name)))


def links(name: str) -> list[str]:
    return re.findall(r"\]\(([^)\s]+)\)", prose(name))


def anchors(name: str) -> set[str]:
    """The anchors that GitHub makes of headings."""
    headings = re.findall(r"^#+ +(.+?) *$", _FENCE.sub("", text(name)), re.MULTILINE)
    plain = [re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading).lower() for heading in headings]
    return {re.sub(r"[^\w\- ]", "", heading).replace(" ", "-") for heading in plain}


def rows(name: str) -> list[list[str]]:
    """The cells of all table rows, headings left out."""
    lines = [line.strip() for line in text(name).splitlines() if line.strip().startswith("|")]
    cells = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line[1:-1])] for line in lines]
    ruled = {index for index, row in enumerate(cells) if set("".join(row)) <= set("-: ")}
    return [row for index, row in enumerate(cells) if index not in ruled and index + 1 not in ruled]


def codes(cell: str) -> list[str]:
    """What stands in backticks."""
    return re.findall(r"`([^`]+)`", cell)

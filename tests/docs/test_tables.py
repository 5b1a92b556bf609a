"""Every table of the documentation is one: a head, a ruler, and rows of as many cells."""

import re

import pytest

from tests.docs.markdown import files, text

_CELL = re.compile(r"(?<!\\)\|")


def tables(name):
    """Blocks of lines with bars, outside of fenced code."""
    block, fenced = [], False
    for line in [*text(name).splitlines(), ""]:
        fenced ^= line.startswith("```")
        if line.startswith("|") and not fenced:
            block.append(line)
        elif block:
            yield block
            block = []


@pytest.mark.parametrize("name", files())
def test_each_table_has_a_head_a_ruler_and_rows_of_as_many_cells(name):
    for head, ruler, *rows in ([*block, *[""] * (2 - len(block))] for block in tables(name)):
        assert re.fullmatch(r"\|(?: *:?-+:? *\|)+", ruler), f"{name}: no ruler after '{head}'"
        cells = len(_CELL.findall(ruler))
        for row in (head, *rows):
            assert len(_CELL.findall(re.sub(r"`[^`]*`", "", row))) == cells, f"{name}: {row}"

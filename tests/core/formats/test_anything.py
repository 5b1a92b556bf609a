"""Whatever comes, a check says yes or no: it never breaks, and never needs much memory."""

from __future__ import annotations

import contextlib
import random

from hypothesis import given, settings
from hypothesis import strategies as st

from include.drive_backup.exports import MIME_TYPES
from include.drive_backup.formats.check import check_of
from include.drive_backup.formats.machine import FlawError
from tests.support import bodies

EXTENSIONS = sorted(bodies.WHOLE)


def judge(extension: str, body: bytes, size: int) -> None:
    check = check_of(MIME_TYPES[extension][0])
    with contextlib.suppress(FlawError):
        for start in range(0, len(body), size):
            check.see(body[start : start + size])
        check.end()


@settings(max_examples=400, deadline=None)
@given(which=st.integers(0, len(EXTENSIONS) - 1), seed=st.integers(0, 2**32), size=st.integers(1, 2_000))
def test_a_body_that_was_changed_in_any_way(which: int, seed: int, size: int) -> None:
    chance = random.Random(seed)
    body = bytearray(bodies.WHOLE[EXTENSIONS[which]])
    for _ in range(chance.randint(1, 6)):
        at = chance.randrange(len(body) + 1)
        length = chance.choice((0, 1, 1, 4, 40))
        body[at : at + length] = chance.randbytes(chance.choice((0, 1, 1, 4, 40)))
    judge(EXTENSIONS[which], bytes(body), size)


@settings(max_examples=200, deadline=None)
@given(which=st.integers(0, len(EXTENSIONS) - 1), body=st.binary(max_size=200), head=st.integers(0, 40))
def test_a_beginning_and_then_anything(which: int, body: bytes, head: int) -> None:
    judge(EXTENSIONS[which], bodies.WHOLE[EXTENSIONS[which]][:head] + body, 7)


@settings(max_examples=100, deadline=None)
@given(which=st.integers(0, len(EXTENSIONS) - 1), other=st.integers(0, len(EXTENSIONS) - 1))
def test_a_file_of_another_format(which: int, other: int) -> None:
    judge(EXTENSIONS[which], bodies.WHOLE[EXTENSIONS[other]], 50)

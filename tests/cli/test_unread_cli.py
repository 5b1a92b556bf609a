"""What cannot be read is said by ``verify`` and ``repair``, and is no "nothing is damaged"."""

import asyncio
import json

import pytest

from tests.core.verification.test_unread import REFUSALS, made, refuse


@pytest.fixture
def store():
    return asyncio.run(made(versions=True)).store


def test_the_command_line_says_it_and_ends_with_1(store, on_store):
    refuse(store, REFUSALS["refused"])
    code, out, err = on_store(store)("verify", "--read", "all")
    assert code == 1
    assert "/0.txt (n0) could not be read: HTTP 403" in err
    assert "1 NOT READ; no damage found" in out
    code, out, _ = on_store(store)("--json", "verify", "--read", "all")
    said = json.loads(out.splitlines()[-1])
    assert (code, said["result"], said["unread"]) == (1, "bad", 1)
    code, out, err = on_store(store)("repair", "--read", "all")
    assert (code, "nothing is damaged" in out, "could not be read" in err) == (1, False, True)

"""What ``repair`` and ``verify`` say: no promise of nothing, each name once, and why a candidate was passed over."""

import asyncio
import json

import pytest

from include.drive_backup.errors import CredentialsError
from tests.cli.nights import ANN
from tests.core.repair.test_elsewhere import shared_with_bob
from tests.core.repair.test_repair import blob_of, world
from tests.core.repair.test_unreadable import refusing


@pytest.fixture
def store():
    return asyncio.run(world(versions=True))


def part_of(store):
    return next(name for name in store.blobs if "20260302" in name and name.endswith("items-00000.parquet"))


def forget(store, name):
    """Lose a blob of which the account keeps nothing."""
    store.lose(name)
    store.kept.pop(name)


@pytest.mark.parametrize(("options", "word"), [((), "can be"), (("--apply",), "was")], ids=["dry", "applied"])
def test_nothing_is_promised_where_nothing_can_be_repaired(store, on_store, options, word):
    forget(store, blob_of(store, b"aaaa"))
    code, out, _ = on_store(store)("repair", ANN, *options)
    assert code == 1
    assert "0 blobs" not in out
    assert "--apply" not in out
    assert f"{ANN}: none of 1 damaged blob {word} repaired; still damaged: " in out


def test_what_can_be_repaired_is_said_with_how_many_cannot(store, on_store):
    forget(store, blob_of(store, b"aaaa"))
    store.lose(blob_of(store, b"cccc"))
    _, out, _ = on_store(store)("repair", ANN)
    assert "1 blob of 2 can be repaired; run it again with --apply; still damaged: " in out
    _, out, _ = on_store(store)("repair", ANN, "--apply")
    assert "1 blob of 2 repaired; still damaged: " in out


@pytest.mark.parametrize("command", ["repair", "verify"])
@pytest.mark.parametrize("harm", ["lost", "spoilt"])
def test_a_catalogue_is_named_once(store, on_store, command, harm):
    part = part_of(store)
    forget(store, part) if harm == "lost" else store.spoil(part, b"no table")
    store.kept.pop(part, None)
    code, out, _ = on_store(store)(command, ANN)
    assert code == 1
    [line] = [line for line in out.splitlines() if line.startswith(("DAMAGED", "CANNOT BE REPAIRED"))]
    assert line.count(part) == 1


@pytest.mark.parametrize("data", [b"{", b"[]"])
def test_a_manifest_is_named_once(store, on_store, data):
    name = next(name for name in store.blobs if name.endswith("20260301T000000.000Z/manifest.json"))
    store.spoil(name, data)
    for command in ("verify", "repair"):
        _, out, _ = on_store(store)(command, ANN)
        [line] = [line for line in out.splitlines() if line.startswith(("DAMAGED", "CANNOT BE REPAIRED"))]
        assert line.count(name) == 1


def test_a_content_is_named_by_its_path_and_its_blob_once_each(store, on_store):
    name = blob_of(store, b"aaaa")
    forget(store, name)
    for command in ("verify", "repair"):
        _, out, _ = on_store(store)(command, ANN)
        [line] = [line for line in out.splitlines() if line.startswith(("DAMAGED", "CANNOT BE REPAIRED"))]
        assert (line.count("a.txt"), line.count(name)) == (2, 1)


def test_another_blob_and_what_could_not_be_read_are_named(store, on_store):
    other = asyncio.run(shared_with_bob(store))
    name = blob_of(store, b"aaaa")
    store.lose(name)
    store.fault = refusing(CredentialsError("HTTP 403 AuthorizationFailure."))
    code, out, _ = on_store(store)("repair", ANN)
    assert code == 1
    assert f"the blob {other} has the right bytes (SHA-256 compared)." in out
    assert "The version 2026-01-01T00:00:00.0000000Z cannot be read: HTTP 403 AuthorizationFailure." in out


def test_for_programs_what_could_not_be_read_is_in_the_json(store, on_store):
    store.lose(blob_of(store, b"aaaa"))
    asyncio.run(shared_with_bob(store))
    store.fault = refusing(CredentialsError("HTTP 403 AuthorizationFailure."))
    _, out, _ = on_store(store)("--json", "repair", ANN)
    [remedy] = json.loads(out.splitlines()[-1])["remedies"]
    assert (remedy["how"], len(remedy["unread"])) == ("copy", 1)


def test_a_credential_that_may_only_read_is_told_what_it_is_about(store, on_store):
    store.lose(blob_of(store, b"aaaa"))

    def strike(phase, operation, _):
        if operation == "put":
            raise CredentialsError("HTTP 403 AuthorizationPermissionMismatch.")

    store.fault = strike
    _, _, err = on_store(store)("repair", ANN)
    assert "while they are being looked at for a repair" in err
    assert "verified" not in err
    _, _, err = on_store(store)("verify", ANN)
    assert "while they are being verified" in err

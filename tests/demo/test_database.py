"""The demo's PostgreSQL: made once, whole or not at all, and it runs as whoever runs the demo, root among them."""

import os
import signal
import subprocess
import time

import psycopg
import pytest

from include.demo.database import MAJOR, Database
from include.demo.errors import DemoError
from include.demo.world import free_port


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    # A folder that nobody else may enter.
    database = Database(tmp_path_factory.mktemp("world") / "airflow" / "database", free_port())
    database.make()
    return database


def query(database, sql):
    with psycopg.connect(database.dsn) as connection:
        return connection.execute(sql).fetchone()


def serve(database):
    server = subprocess.Popen(database.command(), stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while not database.answers() and time.monotonic() < deadline:
        time.sleep(0.05)
    return server


def test_what_was_written_is_there_after_a_stop_and_another_make(made):
    server = serve(made)
    try:
        with psycopg.connect(made.dsn, autocommit=True) as connection:
            connection.execute("CREATE TABLE run AS SELECT 7 AS day")
    finally:
        server.terminate()
        assert server.wait(timeout=60) == 0
    made.make()
    server = serve(made)
    try:
        assert query(made, "SELECT day FROM run") == (7,)
    finally:
        server.terminate()
        server.wait(timeout=60)


def test_it_asks_for_its_password(made):
    server = serve(made)
    try:
        with pytest.raises(psycopg.OperationalError, match="password"):
            psycopg.connect(f"postgresql://airflow:wrong@{made.dsn.rpartition('@')[2]}")
    finally:
        server.terminate()
        server.wait(timeout=60)


def test_after_a_kill_it_starts_again(made):
    server = serve(made)
    os.kill(server.pid, signal.SIGKILL)
    server.wait(timeout=60)
    server = serve(made)
    try:
        assert query(made, "SELECT 1") == (1,)
    finally:
        server.terminate()
        server.wait(timeout=60)


def test_files_of_another_version_are_left_alone_with_a_sentence(tmp_path):
    folder = tmp_path / "database"
    folder.mkdir()
    (folder / "PG_VERSION").write_text(f"{int(MAJOR) - 1}\n")
    with pytest.raises(DemoError, match="Delete that folder"):
        Database(folder, 1).make()


def test_what_was_begun_and_not_finished_is_begun_again(tmp_path):
    begun = tmp_path / "database.new"
    begun.mkdir()
    (begun / "PG_VERSION").write_text(MAJOR)
    database = Database(tmp_path / "database", free_port())
    database.make()
    assert not begun.exists()
    server = serve(database)
    try:
        assert query(database, "SELECT 1") == (1,)
    finally:
        server.terminate()
        server.wait(timeout=60)

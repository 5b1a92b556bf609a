"""Two Airflow processes write at once: each waits for its turn."""

import threading

import pytest
from sqlalchemy import Column, Integer, MetaData, Table, create_engine, select, text

from include.demo.sqlite import CONNECT_ARGS


@pytest.fixture
def engine(tmp_path):
    made = create_engine(
        f"sqlite:///{tmp_path / 'airflow.db'}", connect_args=dict(CONNECT_ARGS, check_same_thread=False)
    )
    with made.begin() as connection:
        connection.execute(text("PRAGMA journal_mode=WAL"))
        connection.execute(text("CREATE TABLE run (id INTEGER PRIMARY KEY, day INTEGER)"))
    yield made
    made.dispose()


def read_then_write(engine, day):
    """What creating a run of a backfill does: a savepoint, a look, an insert."""
    with engine.begin() as connection, connection.begin_nested():
        connection.execute(text("SELECT count(*) FROM run")).scalar()
        connection.execute(text("INSERT INTO run (day) VALUES (:day)"), {"day": day})


def test_writers_that_read_first_wait_instead_of_failing(engine):
    problems = []

    def write():
        try:
            for day in range(100):
                read_then_write(engine, day)
        except Exception as error:
            problems.append(error)

    threads = [threading.Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []
    with engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM run")).scalar() == 400


def test_a_reader_that_will_decide_on_a_row_keeps_others_from_changing_it(engine):
    run = Table("run", MetaData(), Column("id", Integer, primary_key=True), Column("day", Integer))
    with engine.begin() as connection:
        connection.execute(run.insert(), {"day": 1})
    changed = threading.Event()

    def change():
        with engine.begin() as connection:
            connection.execute(run.update(), {"day": 2})
        changed.set()

    writer = threading.Thread(target=change)
    with engine.begin() as connection:
        assert connection.execute(select(run.c.day).with_for_update()).scalar() == 1
        writer.start()
        assert not changed.wait(0.3)
        assert connection.execute(select(run.c.day)).scalar() == 1
    writer.join()
    assert changed.is_set()

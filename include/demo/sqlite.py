"""How Airflow connects to its SQLite here: writers wait for one another instead of failing with "database is locked".

Airflow reads, then writes, inside savepoints. SQLite refuses such a write at once, whatever the time-out, when another
process wrote in between (https://sqlite.org/rescode.html#busy_snapshot). So every transaction takes the write lock when
it begins, and waits its turn for it; reading outside of transactions stays free (Airflow turns write-ahead logging on).

And Airflow locks rows before it decides on them (``SELECT … FOR UPDATE``), which SQLAlchemy leaves out for SQLite: the
scheduler could read a run as running, its tasks as a person had just marked them, and call the run a success. So such a
SELECT takes the write lock, too.

A commit does not wait for the disk: with write-ahead logging, ``synchronous=NORMAL`` cannot damage the database, and
only a power cut could take the last commits (https://sqlite.org/pragma.html#pragma_synchronous). On a slow disk,
writers that each wait for it would keep others from their turn for minutes.
"""

from __future__ import annotations

import sqlite3
from typing import Any

from sqlalchemy.dialects.sqlite.base import SQLiteCompiler

#: Seconds that a writer waits for its turn.
TURN = 60.0
_FOR_UPDATE = "/* for update */"


def _for_update_clause(_compiler: SQLiteCompiler, _select: Any, **_options: Any) -> str:
    return f" {_FOR_UPDATE}"


SQLiteCompiler.for_update_clause = _for_update_clause  # type: ignore[assignment]


class _Cursor(sqlite3.Cursor):
    def execute(self, sql: str, *arguments: Any) -> _Cursor:
        # The driver begins a transaction before INSERT, UPDATE and DELETE by itself, but not before these.
        if not self.connection.in_transaction and (sql.startswith("SAVEPOINT") or _FOR_UPDATE in sql):
            super().execute("BEGIN IMMEDIATE")
        super().execute(sql, *arguments)
        return self


class Connection(sqlite3.Connection):
    """A connection whose savepoints and locking reads begin with the write lock."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.execute("PRAGMA synchronous = NORMAL").close()

    def cursor(self, factory: Any = _Cursor) -> Any:
        """A cursor of ours."""
        return super().cursor(factory)


#: For Airflow's ``sql_alchemy_connect_args`` and ``sql_alchemy_connect_args_async``.
CONNECT_ARGS = {"timeout": TURN, "isolation_level": "IMMEDIATE", "factory": Connection}

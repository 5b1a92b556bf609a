"""How Airflow connects to its SQLite here: writers wait for one another instead of failing with "database is locked".

Airflow reads, then writes, inside savepoints. SQLite refuses such a write at once, whatever the time-out, when another
process wrote in between (https://sqlite.org/rescode.html#busy_snapshot). So every transaction takes the write lock when
it begins, and waits its turn for it; reading outside of transactions stays free (Airflow turns write-ahead logging on).
"""

from __future__ import annotations

import sqlite3
from typing import Any

#: Seconds that a writer waits for its turn.
TURN = 60.0


class _Cursor(sqlite3.Cursor):
    def execute(self, sql: str, *arguments: Any) -> _Cursor:
        # The driver begins a transaction before INSERT, UPDATE and DELETE by itself, but not before a savepoint.
        if sql.startswith("SAVEPOINT") and not self.connection.in_transaction:
            super().execute("BEGIN IMMEDIATE")
        super().execute(sql, *arguments)
        return self


class Connection(sqlite3.Connection):
    """A connection whose savepoints begin with the write lock."""

    def cursor(self, factory: Any = _Cursor) -> Any:
        """A cursor of ours."""
        return super().cursor(factory)


#: For Airflow's ``sql_alchemy_connect_args`` and ``sql_alchemy_connect_args_async``.
CONNECT_ARGS = {"timeout": TURN, "isolation_level": "IMMEDIATE", "factory": Connection}

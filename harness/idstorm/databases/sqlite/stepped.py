"""SQLite: nobody waits in the database itself; a busy one is told to the driver, which tries again for a while.

https://www.sqlite.org/rescode.html#busy
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import sqlalchemy as sa

from idstorm.databases.stepped import KEPT, Standalone, Stepped

_CONNECTING = """\
import os
import sqlite3
from tempfile import TemporaryDirectory

PLACE = TemporaryDirectory()


def make_place():
    connect().execute("PRAGMA journal_mode = WAL")


def connect():
    return sqlite3.connect(os.path.join(PLACE.name, "witness.db"), timeout=20, check_same_thread=False)


def drop_place():
    PLACE.cleanup()
"""


class SQLiteStepped(Stepped):
    """A client that finds the database busy says so, and is told when to try again."""

    explorable = True
    stepped: ClassVar[Mapping[str, str]] = {"busy_timeout": "0", "synchronous": "off"}

    def hurry(self, connection: Any) -> Any:
        """Set the busy timeout to nothing."""
        before = connection.execute("PRAGMA busy_timeout").fetchone()[0]
        connection.execute("PRAGMA busy_timeout = 0")
        return before

    def relax(self, connection: Any, before: Any) -> None:
        """Set the busy timeout."""
        connection.execute(f"PRAGMA busy_timeout = {before}")

    def retries(self, error: Exception) -> bool:
        """A plain SQLITE_BUSY is tried again until the timeout; one with an extended code (a stale snapshot) never."""
        inner = getattr(error, "orig", None) or error
        return isinstance(inner, sqlite3.OperationalError) and inner.sqlite_errorcode == sqlite3.SQLITE_BUSY

    def standalone(self, isolation: str | None) -> Standalone:
        """A file in a temporary folder. Transactions begin as they do by default: before the first write."""
        return Standalone("Python alone", "no argument.", _CONNECTING)

    def keep_state(self, connection: sa.Connection, tables: Sequence[sa.Table]) -> Any:
        """Copy each table that has rows; AUTOINCREMENT's counters are in a table, too."""
        names = connection.exec_driver_sql(
            "SELECT name FROM sqlite_schema WHERE type = 'table' AND (name NOT LIKE 'sqlite~_%' ESCAPE '~' "
            "OR name = 'sqlite_sequence')"
        ).scalars()
        quote = connection.dialect.identifier_preparer.quote_identifier
        kept: dict[str, str | None] = {}
        for name in names.all():
            full = connection.exec_driver_sql(f"SELECT count(*) FROM {quote(name)}").scalar_one() > 0
            kept[name] = f"{KEPT}{len(kept)}" if full else None
            if full:
                connection.exec_driver_sql(
                    f"CREATE TABLE {quote(KEPT + str(len(kept) - 1))} AS SELECT * FROM {quote(name)}"
                )
        return kept

    def restore_state(self, connection: sa.Connection, state: Any) -> None:
        """Put the rows back in one transaction, without looking at foreign keys."""
        quote = connection.dialect.identifier_preparer.quote_identifier
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        for name, kept in state.items():
            connection.exec_driver_sql(f"DELETE FROM {quote(name)}")
            if kept is not None and name != "sqlite_sequence":
                connection.exec_driver_sql(f"INSERT INTO {quote(name)} SELECT * FROM {quote(kept)}")
        if (kept := state.get("sqlite_sequence")) is not None:  # last, since inserting into others changes it
            connection.exec_driver_sql("DELETE FROM sqlite_sequence")
            connection.exec_driver_sql(f"INSERT INTO sqlite_sequence SELECT * FROM {quote(kept)}")
        connection.exec_driver_sql("COMMIT")

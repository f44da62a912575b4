"""SQLite: nobody waits in the database itself; a busy one is told to the driver, which tries again for a while.

https://www.sqlite.org/rescode.html#busy
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from typing import Any, ClassVar

import sqlalchemy as sa

from idstorm.databases.sqlite.namespaces import COPY
from idstorm.databases.stepped import Standalone, Stepped

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
    stepped: ClassVar[Mapping[str, str]] = {"synchronous": "off"}

    def hurry(self, connection: Any) -> Any:
        """Set the busy timeout to nothing."""
        before = _said(connection, "PRAGMA busy_timeout")
        _said(connection, "PRAGMA busy_timeout = 0")
        return before

    def relax(self, connection: Any, before: Any) -> None:
        """Set the busy timeout."""
        _said(connection, f"PRAGMA busy_timeout = {before}")

    def retries(self, error: Exception) -> bool:
        """A plain SQLITE_BUSY is tried again until the timeout; one with an extended code (a stale snapshot) never."""
        inner = getattr(error, "orig", None) or error
        return isinstance(inner, sqlite3.OperationalError) and inner.sqlite_errorcode == sqlite3.SQLITE_BUSY

    def standalone(self, isolation: str | None) -> Standalone:
        """A file in a temporary folder. Transactions begin as they do by default: before the first write."""
        return Standalone("Python alone", "no argument.", _CONNECTING)

    def analyse(self, connection: sa.Connection) -> None:
        """The file is the namespace's own."""
        connection.exec_driver_sql("ANALYZE")

    def has_triggers(self, connection: sa.Connection) -> bool:
        """Look into the schema's own table."""
        return connection.exec_driver_sql("SELECT 1 FROM sqlite_schema WHERE type = 'trigger'").first() is not None

    def keep_state(self, connection: sa.Connection, tables: Sequence[sa.Table]) -> Any:
        """Copy the whole file, page by page: no trigger fires when it is copied back.

        https://www.sqlite.org/backup.html
        """
        (_, _, file), *_ = connection.exec_driver_sql("PRAGMA database_list").all()
        with closing(sqlite3.connect(f"{file}{COPY}")) as copy:
            _driver_of(connection).backup(copy)
        return f"{file}{COPY}"

    def restore_state(self, connection: sa.Connection, state: Any) -> None:
        """Copy it back."""
        with closing(sqlite3.connect(state)) as copy:
            copy.backup(_driver_of(connection))


def _said(connection: Any, pragma: str) -> Any:
    """Return what the driver's connection, or SQLAlchemy's around one for asyncio, says to a pragma."""
    cursor = connection.cursor()
    try:
        cursor.execute(pragma)
        return cursor.fetchone()[0]
    finally:
        cursor.close()


def _driver_of(connection: sa.Connection) -> sqlite3.Connection:
    driver = connection.connection.driver_connection
    assert isinstance(driver, sqlite3.Connection)
    return driver

"""Engines for scenarios whose transactions have to begin before they read, on SQLite too."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event


def sqlite_begin(statement: str) -> Callable[..., Engine]:
    """Return an `engine=` for which SQLite begins each transaction with this statement, such as ``BEGIN IMMEDIATE``.

    Python's driver begins none for a SELECT or a SAVEPOINT. On other databases the engine is a plain one.
    https://docs.sqlalchemy.org/en/20/dialects/sqlite.html#sqlite-transactions
    """

    def engine(url: URL, **pool: Any) -> Engine:
        made = create_engine(url, **pool)
        if made.dialect.name == "sqlite":

            @event.listens_for(made, "connect")
            def leave_transactions_alone(connection: Any, _: object) -> None:
                connection.isolation_level = None

            @event.listens_for(made, "begin")
            def begin(connection: Connection) -> None:
                connection.exec_driver_sql(statement)

        return made

    return engine

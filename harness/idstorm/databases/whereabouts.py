"""Where a driver's connection leads, in words for a reader."""

from __future__ import annotations

import sqlite3
from typing import Any


def whereabouts(connection: Any) -> str | None:
    """Return the file or database that a connection leads to, without touching its transaction; None: unknown.

    `connection` is the driver's own: of sqlite3, psycopg, psycopg2, PyMySQL or mysql-connector.
    """
    if isinstance(connection, sqlite3.Connection):
        names = {name: file for _, name, file in connection.execute("PRAGMA database_list")}
        return names.get("main") or "a database in memory"
    info = getattr(connection, "info", None)
    for place, name, host in ((info, "dbname", "host"), (connection, "db", "host"), (connection, "database", "_host")):
        database = getattr(place, name, None)
        if isinstance(database, str | bytes):
            text = database if isinstance(database, str) else database.decode(errors="replace")
            return f"the database {text} on {getattr(place, host, None) or 'this machine'}"
    return None

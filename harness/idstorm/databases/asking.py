"""Queries on a driver's own connection."""

from __future__ import annotations

from typing import Any


def ask(connection: Any, query: str) -> Any:
    """Return the single value of a query on a driver's connection, leaving no transaction open."""
    cursor = connection.cursor()
    cursor.execute(query)
    (value,) = cursor.fetchone()
    cursor.close()
    connection.commit()
    return value


def look(connection: Any, query: str) -> tuple[Any, ...] | None:
    """Return the only row of a query on a driver's connection, or None, within the current transaction."""
    cursor = connection.cursor()
    try:
        cursor.execute(query)
        row = cursor.fetchone()
        return None if row is None else tuple(row)
    finally:
        cursor.close()


def fetch(connection: Any, query: str) -> list[Any]:
    """Return all rows of a query on a driver's connection, within the current transaction, if it has one."""
    cursor = connection.cursor()
    try:
        cursor.execute(query)
        return list(cursor.fetchall())
    finally:
        cursor.close()


def literal(text: str) -> str:
    """Return a text as a quoted SQL literal."""
    return "'" + text.replace("'", "''") + "'"

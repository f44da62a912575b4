"""Questions to a driver's own connection."""

from __future__ import annotations

from typing import Any


def ask(connection: Any, query: str) -> Any:
    """Return the one value that a query answers on a driver's connection, leaving no transaction open."""
    cursor = connection.cursor()
    cursor.execute(query)
    (value,) = cursor.fetchone()
    cursor.close()
    connection.commit()
    return value


def look(connection: Any, query: str) -> tuple[Any, ...] | None:
    """Return the one row that a query has on a driver's connection, within the transaction that is under way."""
    cursor = connection.cursor()
    try:
        cursor.execute(query)
        row = cursor.fetchone()
        return None if row is None else tuple(row)
    finally:
        cursor.close()


def literal(text: str) -> str:
    """Return a text as SQL has it between quotes."""
    return "'" + text.replace("'", "''") + "'"

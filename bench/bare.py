"""The fastest honest insert: one statement of the driver's own, on the session's connection, that returns the id.

A scenario file, meant for `--isolation AUTOCOMMIT`: each insert is a transaction, as a load generator's is.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import String
from sqlalchemy.orm import Mapped, Session, mapped_column

from idstorm.scenario import Row, Scenario, accepted, durable, faithful, holds, unique


class User(Row):
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(50))


def insert(session: Session, tokens: Sequence[int]) -> list[int]:
    """Insert one row for each token, and ask nothing of SQLAlchemy but the connection."""
    connection = session.connection()
    cursor = connection.connection.cursor()
    try:
        return [_insert(cursor, token, connection.dialect.name == "postgresql") for token in tokens]
    finally:
        cursor.close()


def _insert(cursor: Any, token: int, returning: bool) -> int:
    if returning:
        cursor.execute("INSERT INTO \"user\" (token, name) VALUES (%s, 'Alice') RETURNING id", (token,))
        return int(cursor.fetchone()[0])
    cursor.execute("INSERT INTO `user` (token, name) VALUES (%s, 'Alice')", (token,))
    return int(cursor.lastrowid)


bare = Scenario(model=User, insert=insert, claims=[holds(unique, durable, faithful, accepted)])

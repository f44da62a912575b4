"""The fastest honest insert: one statement of the driver's own, on a connection of its own, that returns the id.

A scenario file: each client has one connection in autocommit, so that each insert is a transaction, as a load
generator's is, and asks nothing of SQLAlchemy but how the driver is called.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from idstorm.scenario import Place, Row, Scenario, accepted, durable, faithful, holds, unique


class User(Row):
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(50))


class Client:
    """One connection of the driver's."""

    def __init__(self, connection: Any, *, returning: bool) -> None:
        self._cursor, self._returning = connection.cursor(), returning

    def insert(self, tokens: Sequence[int], /) -> list[int]:
        """Insert one row for each token."""
        return [self._one(token) for token in tokens]

    def _one(self, token: int) -> int:
        cursor = self._cursor
        if self._returning:
            cursor.execute("INSERT INTO \"user\" (token, name) VALUES (%s, 'Alice') RETURNING id", (token,))
            return int(cursor.fetchone()[0])
        cursor.execute("INSERT INTO `user` (token, name) VALUES (%s, 'Alice')", (token,))
        return int(cursor.lastrowid)


@contextmanager
def client(place: Place, _: Any) -> Iterator[Client]:
    """Connect as SQLAlchemy would, and let each statement commit."""
    dialect = place.url.get_dialect()()
    words, named = dialect.create_connect_args(place.url)
    connection: Any = dialect.import_dbapi().connect(*words, **named)
    if callable(connection.autocommit):  # PyMySQL's is a method
        connection.autocommit(True)
    else:
        connection.autocommit = True
    yield Client(connection, returning=place.dialect == "postgresql")
    connection.close()


bare = Scenario(model=User, client=client, claims=[holds(unique, durable, faithful, accepted)])

"""Who else on a server a storm affects: connections, the log and replication are shared by all namespaces."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa

MAX = "its max_connections"  #: the usual limit on connections


@dataclass(frozen=True)
class Bystanders:
    """What a storm shares a server with."""

    free: int | None = None  #: connections that the server still has for this user; None: there is no such limit
    limit: str = MAX  #: what limits the connections
    followers: tuple[str, ...] = ()  #: who would be sent everything that a storm writes, in words
    triggers: tuple[str, ...] = ()  #: what fires when a storm creates its tables, in words
    unseen: tuple[str, ...] = ()  #: what could not be looked for, with the missing privilege


class Questions:
    """Questions to a server. If one is refused, the answers to the others still stand."""

    def __init__(self, connection: sa.Connection) -> None:
        self.connection = connection
        self.unseen = list[str]()

    def rows(self, query: str, about: str) -> list[tuple[object, ...]]:
        """Return the rows of a query; none where it is refused, which is noted in `unseen`."""
        try:
            return [tuple(row) for row in self.connection.exec_driver_sql(query)]
        except sa.exc.DBAPIError as error:
            if error.connection_invalidated:
                raise
            self.unseen.append(f"{about}: {str(error.orig).strip().partition(chr(10))[0]}")
            return []

    def words(self, query: str, about: str) -> list[str]:
        """Return the first column of a query's rows."""
        return [str(row[0]) for row in self.rows(query, about)]

    def number(self, query: str, about: str) -> int:
        """Return the last column of a query's only row; 0 where there is no row."""
        found = self.rows(query, about)
        return int(str(found[0][-1])) if found and found[0][-1] is not None else 0

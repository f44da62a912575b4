"""Reads furthest rows and positions on PostgreSQL, on the driver's own cursor: there may be ten thousand tables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from idstorm.databases.postgresql import audit_queries as queries
from idstorm.databases.postgresql import codes
from idstorm.databases.surveying import LOCKED
from idstorm.record.survey import Column, Generator, Unread

_TOGETHER = 100  # sequences that one statement reads, with a lock on each
_GONE = ("42P01", "42703", "XX000")  # dropped since the catalogue was read; by its oid, that is an internal error
_LOCKED = "55P03"


class AuditReader:
    """Reads from one connection, on which each statement is a transaction."""

    def __init__(self, connection: sa.Connection, sequences: Mapping[str, int], tables: Mapping[str, int]) -> None:
        self._connection = connection
        self._error: type[Exception] = connection.dialect.loaded_dbapi.Error
        self._cursor: Any = connection.connection.cursor()
        self._sequences, self._tables = sequences, tables
        self._locked = frozenset[int]()

    def furthest(self, column: Column, *, down: bool) -> int | Unread | None:
        """Look at one end of the index that begins with the column. A table that is being altered is skipped."""
        if self._tables[column.table] in self._locked:
            return Unread(column.id, LOCKED)
        found = self._ask(f"SELECT {'min' if down else 'max'}({column.name}) FROM {column.table}", column.id)
        if isinstance(found, Unread):
            return found
        return None if not found or found[0][0] is None else int(found[0][0])

    def positions(self, generators: Sequence[Generator]) -> Mapping[str, int | Unread | None]:
        """Ask for a hundred sequences at a time, and one by one where one of them cannot be read."""
        found = dict[str, int | Unread | None]()
        names = {self._sequences[one.name]: one.name for one in generators}
        oids = list(names)
        for begin in range(0, len(oids), _TOGETHER):
            for oid, value in self._positions(oids[begin : begin + _TOGETHER], names):
                found[names[oid]] = value
        return found

    def _positions(self, oids: Sequence[int], names: Mapping[int, str]) -> Iterator[tuple[int, int | Unread | None]]:
        rows = self._ask(queries.POSITIONS.format(", ".join(map(str, oids))), names[oids[0]])
        if not isinstance(rows, Unread):
            yield from ((int(oid), None if value is None else int(value)) for oid, value in rows)
        elif len(oids) == 1 or oids[0] in self._locked:
            yield oids[0], rows
        else:
            for oid in oids:
                if oid in self._locked:
                    yield oid, Unread(names[oid], LOCKED)
                else:
                    yield from self._positions([oid], names)

    def _ask(self, query: str, what: str) -> list[tuple[Any, ...]] | Unread:
        """Return the rows of a query, or why there are none. What has been dropped meanwhile has no rows."""
        try:
            self._cursor.execute(query)
            return list(self._cursor.fetchall())
        except self._error as error:
            state = codes.state_of(error)
            if state is None or state.startswith(("08", "57P")):
                raise sa.exc.DBAPIError(query, None, error) from error
            if state in _GONE:
                return []
            if state != _LOCKED:
                return Unread(what, str(error).strip().partition("\n")[0])
        self._cursor.execute(queries.ALTERED)
        self._locked |= {oid for (oid,) in self._cursor.fetchall()}
        return Unread(what, LOCKED)

"""Reads furthest rows and positions on PostgreSQL, on the driver's own cursor: there may be ten thousand tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import sqlalchemy as sa

from idstorm.databases.postgresql import audit_queries as queries
from idstorm.databases.postgresql import codes
from idstorm.databases.surveying import LOCKED
from idstorm.record.survey import Column, Generator, Id, Unread

_TOGETHER = 100  # sequences that one statement reads, with a lock on each
_MANY = 500  # tables from which on a second connection takes half of them
_GONE = ("42P01", "42703", "XX000")  # dropped since the catalogue was read; by its oid, that is an internal error
_LOCKED = "55P03"


class AuditReader:
    """Reads from one connection, or two, on which each statement is a transaction."""

    def __init__(self, connection: sa.Connection, sequences: Mapping[str, int], tables: Mapping[str, int]) -> None:
        self._connection = connection
        self._error: type[Exception] = connection.dialect.loaded_dbapi.Error
        self._sequences, self._tables = sequences, tables
        newer = (connection.dialect.server_version_info or (0,)) >= (18,)
        self._together = queries.POSITIONS_18 if newer else queries.POSITIONS
        self._locked = frozenset[int]()

    def furthest(self, ids: Sequence[Id]) -> list[int | Unread | None]:
        """Look at one end of the index that begins with each column."""
        if len(ids) < _MANY:
            return self._all(self._connection, ids)
        half = len(ids) // 2
        with ExitStack() as stack:
            try:
                other = stack.enter_context(self._connection.engine.connect())
            except sa.exc.OperationalError:  # the server has no other one to give
                return self._all(self._connection, ids)
            later = stack.enter_context(ThreadPoolExecutor(1)).submit(self._all, other, ids[half:])
            return [*self._all(self._connection, ids[:half]), *later.result()]

    def _all(self, connection: sa.Connection, ids: Sequence[Id]) -> list[int | Unread | None]:
        cursor = connection.connection.cursor()
        return [self._furthest(cursor, one.column, one.generator) for one in ids if one.column is not None]

    def _furthest(self, cursor: Any, column: Column, generator: Generator) -> int | Unread | None:
        """Return the furthest value of a column. A table that is being altered is skipped."""
        if self._tables[column.table] in self._locked:
            return Unread(column.id, LOCKED)
        query = f"SELECT {'max' if generator.sign > 0 else 'min'}({column.name}) FROM {column.table}"
        found = self._ask(cursor, query, column.id)
        if isinstance(found, Unread):
            return found
        return None if not found or found[0][0] is None else int(found[0][0])

    def positions(self, generators: Sequence[Generator]) -> Mapping[str, int | Unread | None]:
        """Ask for a hundred sequences at a time, and one by one for those of which that does not tell."""
        cursor = self._connection.connection.cursor()
        asked = {self._sequences[one.name]: one for one in generators}
        found, oids = dict[str, int | Unread | None](), list(asked)
        for begin in range(0, len(oids), _TOGETHER):
            together = oids[begin : begin + _TOGETHER]
            rows = self._ask(cursor, self._together.format(", ".join(map(str, together))), "sequences")
            told = {} if isinstance(rows, Unread) else {int(oid): (last, following) for oid, last, following in rows}
            for oid in together:
                one, values = asked[oid], told.get(oid, (None, None))
                known = values != (None, None)
                found[one.name] = _position(one, *values) if known else self._alone(cursor, one)
        return found

    def _alone(self, cursor: Any, one: Generator) -> int | Unread | None:
        """Return the position of one sequence, which takes the privilege to select from it."""
        oid = self._sequences[one.name]
        if oid in self._locked:
            return Unread(one.name, LOCKED)
        rows = self._ask(cursor, queries.POSITION.format(oid=oid, name=one.name), one.name)
        if isinstance(rows, Unread):
            return rows
        return _position(one, *rows[0][1:]) if rows else None

    def _ask(self, cursor: Any, query: str, what: str) -> list[tuple[Any, ...]] | Unread:
        """Return the rows of a query, or why there are none. What has been dropped meanwhile has no rows."""
        try:
            cursor.execute(query)
            return list(cursor.fetchall())
        except self._error as error:
            state = codes.state_of(error)
            if state is None or state.startswith(("08", "57P")):
                raise sa.exc.DBAPIError(query, None, error) from error
            if state in _GONE:
                return []
            if state != _LOCKED:
                return Unread(what, str(error).strip().partition("\n")[0])
        cursor.execute(queries.ALTERED)
        self._locked |= {int(oid) for (oid,) in cursor.fetchall()}
        return Unread(what, LOCKED)


def _position(one: Generator, last: int | None, following: int | None) -> int | None:
    """Return the last value that was drawn, or the one before that which is next, unless that is the first of all."""
    if last is not None or following is None:
        return None if last is None else int(last)
    return None if int(following) == one.start else int(following) - one.step

"""Reads furthest rows and positions on MySQL and MariaDB."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from idstorm.databases.mysql import codes
from idstorm.databases.surveying import LOCKED
from idstorm.record.survey import Column, Generator, Id, Unread

_COUNTER = sa.text("SELECT auto_increment FROM information_schema.tables WHERE table_schema = :s AND table_name = :t")
_GONE = {1049, 1054, 1146, 4091}  # no such database, column, table, sequence: dropped since the catalogue was read
_LOCKED = {1205, 3572}
_DENIED = {1142, 1143}


class AuditReader:
    """Reads from one connection, on which each statement is a transaction."""

    def __init__(self, connection: sa.Connection, user: str) -> None:
        self._connection, self._user = connection, user
        self.places = dict[str, tuple[str, str]]()
        """Database and table of each AUTO_INCREMENT, by its name; all other generators are sequences."""

    def furthest(self, ids: Sequence[Id]) -> list[int | Unread | None]:
        """Look at one end of the index that begins with each column."""
        return [self._furthest(one.column, down=one.generator.sign < 0) for one in ids if one.column is not None]

    def _furthest(self, column: Column, *, down: bool) -> int | Unread | None:
        query = f"SELECT {'min' if down else 'max'}({column.name}) FROM {column.table}"
        found = self.ask(sa.text(query.replace(":", r"\:")), column.id, f"SELECT ({column.name}) ON {column.table}")
        return found if isinstance(found, Unread) else None if not found or found[0][0] is None else int(found[0][0])

    def positions(self, generators: Sequence[Generator]) -> Mapping[str, int | Unread | None]:
        """Ask for one counter after the other. What is next in the catalogue is the first value until it is used."""
        return {one.name: self._position(one) for one in generators}

    def _position(self, one: Generator) -> int | Unread | None:
        place = self.places.get(one.name)
        if place is None:
            query = sa.text(f"SELECT next_not_cached_value FROM {one.name}".replace(":", r"\:"))
        else:
            query = _COUNTER.bindparams(s=place[0], t=place[1])
        found = self.ask(query, one.name, f"SELECT ON {one.name}")
        if isinstance(found, Unread):
            return found
        following = None if not found or found[0][0] is None else int(found[0][0])
        return None if following is None or following == one.start else following - one.step

    def ask(self, query: sa.TextClause, what: str, privilege: str) -> list[tuple[Any, ...]] | Unread:
        """Return the rows of a query, or why there are none. What has been dropped meanwhile has no rows."""
        try:
            return [tuple(row) for row in self._connection.execute(query)]
        except sa.exc.DBAPIError as error:
            number = codes.number_of(error.orig)
            if error.connection_invalidated:
                raise
            if number in _GONE:
                return []
            if number in _LOCKED:
                return Unread(what, LOCKED)
            if number in _DENIED:
                return Unread(what, "permission denied", f"GRANT {privilege} TO {self._user};")
            return Unread(what, str(error.orig).partition("\n")[0])

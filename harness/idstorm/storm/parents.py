"""The rows that foreign keys of a user's own table need: one in each table that it refers to, however far."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa

from idstorm.storm.filling import Filling, filling_of


class Parents:
    """One row of each table that others refer to.

    They are made once, in the process that makes the tables, and found again by each process that inserts.
    """

    def __init__(self, direct: Iterable[sa.Column[Any]]) -> None:
        """`direct` are the columns that the judged table refers to."""
        self.refused: dict[sa.Column[Any], str] = {}  #: columns of parents that cannot be filled, and why
        self._fillings: dict[sa.Table, Filling] = {}  # each table after those that it refers to itself
        self._rows: dict[sa.Table, Any] = {}
        for column in direct:
            self._add(column, ())

    @property
    def tables(self) -> tuple[sa.Table, ...]:
        """The tables, each after those that it refers to."""
        return tuple(self._fillings)

    def make(self, connection: sa.Connection) -> None:
        """Insert a row into each table."""
        for table, filling in self._fillings.items():
            values = filling.constants | {column: self.key(target) for column, target in filling.parents.items()}
            connection.execute(sa.insert(table).values({column.name: value for column, value in values.items()}))
            self._find(connection, table)

    def find(self, connection: sa.Connection) -> None:
        """Read the rows that were made."""
        for table in self._fillings:
            self._find(connection, table)

    def key(self, column: sa.Column[Any]) -> Any:
        """Return what a foreign key to this column has to be."""
        assert isinstance(column.table, sa.Table)
        return self._rows[column.table]._mapping[column]

    def _find(self, connection: sa.Connection, table: sa.Table) -> None:
        self._rows[table] = connection.execute(sa.select(table).limit(1)).one()

    def _add(self, column: sa.Column[Any], path: tuple[sa.Table, ...]) -> None:
        table = column.table
        assert isinstance(table, sa.Table)
        if table in self._fillings:
            return
        if table in path:
            self.refused[column] = f"{' and '.join(one.name for one in path)} need each other's rows"
            return
        filling = filling_of(table, once=True)
        self.refused |= filling.refused
        for target in filling.parents.values():
            self._add(target, (*path, table))
        self._fillings[table] = filling

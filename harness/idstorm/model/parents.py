"""The rows that a user's own table needs for its foreign keys: one in each table that it refers to, even indirectly."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapper, Session, registry

from idstorm.model.filling import Filling, filling_of
from idstorm.model.instances import Maker


class Parents:
    """One row of each table that others refer to.

    The process that makes the tables makes them once, and each process that inserts reads them.
    """

    def __init__(self, direct: Iterable[sa.Column[Any]], mapped: registry) -> None:
        """`direct` are the columns that the judged table refers to; `mapped` has the classes of its tables."""
        self.refused: dict[sa.Column[Any], str] = {}  #: columns of parents that cannot be filled, and why
        self._mappers = {one.local_table: one for one in mapped.mappers if one.inherits is None}
        self._fillings: dict[sa.Table, Filling] = {}  # each table after those that it refers to
        self._wanted: dict[sa.Table, list[sa.Column[Any]]] = {}  # what others refer to
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
            mapper = self._mappers.get(table)
            if mapper is None or not _insert_mapped(connection, mapper, values):
                connection.execute(sa.insert(table).values({column.name: value for column, value in values.items()}))
            self._find(connection, table)

    def find(self, connection: sa.Connection) -> None:
        """Read the rows that were made."""
        for table in self._fillings:
            self._find(connection, table)

    def key(self, column: sa.Column[Any]) -> Any:
        """Return the value that a foreign key to this column must have."""
        assert isinstance(column.table, sa.Table)
        return self._rows[column.table]._mapping[column]

    def _find(self, connection: sa.Connection, table: sa.Table) -> None:
        self._rows[table] = connection.execute(sa.select(*self._wanted[table]).limit(1)).one()

    def _add(self, column: sa.Column[Any], path: tuple[sa.Table, ...]) -> None:
        table = column.table
        assert isinstance(table, sa.Table)
        wanted = self._wanted.setdefault(table, [])
        if column not in wanted:
            wanted.append(column)
        if table in self._fillings:
            return
        if table in path:
            self.refused[column] = f"{' and '.join(one.name for one in path)} need each other's rows"
            return
        mapper = self._mappers.get(table)
        filling = filling_of(table, {} if mapper is None else _set_by(mapper), once=True)
        self.refused |= filling.refused
        for target in filling.parents.values():
            self._add(target, (*path, table))
        self._fillings[table] = filling


def _set_by(mapper: Mapper[Any]) -> dict[sa.Column[Any], bool]:
    """Return the columns that a mapper itself fills."""
    own = (mapper.version_id_col, mapper.polymorphic_on if mapper.polymorphic_identity is not None else None)
    return {column: False for column in own if isinstance(column, sa.Column)}


def _insert_mapped(connection: sa.Connection, mapper: Mapper[Any], values: Mapping[sa.Column[Any], Any]) -> bool:
    """Insert a row as the application would, since its defaults may read other values.

    Returns False if the class cannot be used in that way.
    """
    try:
        attributes = {mapper.get_property_by_column(column).key: value for column, value in values.items()}
        row = Maker(mapper, attributes).make(attributes)
        with Session(connection) as session:  # takes part in the transaction of the connection
            session.add(row)
            session.commit()
    except sa.exc.DBAPIError:
        raise
    except Exception:
        return False
    return True

"""Rows, read back by their columns' own types, even where a type cannot take what is stored."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from idstorm.record.keys import Odd

_FETCHED_AT_ONCE = 10_000


def read_rows(connection: sa.Connection, columns: Sequence[sa.ColumnElement[Any]]) -> list[tuple[Any, ...]]:
    """Return these columns of all rows, in no order. A value that its column's type fails to read back is `Odd`.

    Raises what the driver raises: then there are no rows.
    """
    try:
        with connection.execution_options(yield_per=_FETCHED_AT_ONCE).execute(sa.select(*columns)) as result:
            return [tuple(row) for row in result]
    except sa.exc.DBAPIError:
        raise
    except Exception:  # a type's own; the rows before it are read once more, since a snapshot has no order
        return _value_by_value(connection, columns)


def _value_by_value(connection: sa.Connection, columns: Sequence[sa.ColumnElement[Any]]) -> list[tuple[Any, ...]]:
    """Do what SQLAlchemy does with each value, so that the failure of one leaves the others alone."""
    types = [column.type.dialect_impl(connection.dialect) for column in columns]
    asked = [type_.column_expression(column) for type_, column in zip(types, columns, strict=True)]
    plain = [
        sa.type_coerce(column if wrapped is None else wrapped, sa.types.NullType())
        for wrapped, column in zip(asked, columns, strict=True)
    ]
    with connection.execution_options(yield_per=_FETCHED_AT_ONCE).execute(sa.select(*plain)) as result:
        described = () if result.cursor is None else result.cursor.description or ()
        codes = [described[place][1] if described else None for place in range(len(columns))]
        readers = [type_.result_processor(connection.dialect, code) for type_, code in zip(types, codes, strict=True)]
        return [tuple(map(_read, readers, row)) for row in result]


def _read(reader: Any, stored: Any) -> Any:
    if reader is None:
        return stored
    try:
        return reader(stored)
    except Exception:
        return Odd(stored)

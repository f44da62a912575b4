"""Rows, read back by their columns' own types, even where a type cannot read a stored value."""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import Decimal
from typing import Any, TypeVar

import sqlalchemy as sa

from idstorm.record.texts import Odd

_FETCHED_AT_ONCE = 10_000
_TOKEN = re.compile("[0-9]{1,19}")
_T = TypeVar("_T")


def in_namespace(
    ids: Sequence[sa.Column[Any]], token: sa.ColumnElement[Any] | None
) -> tuple[sa.TableClause, list[sa.ColumnClause[Any]], sa.ColumnElement[Any] | None]:
    """Return table, ids and token without the model's schema, if it names one: a storm has one namespace."""
    table = sa.table(ids[0].table.name)
    for column in (*ids, *([token] if isinstance(token, sa.Column) else [])):
        table.append_column(sa.column(column.name, column.type))
    columns = [table.c[column.name] for column in ids]
    if token is None or isinstance(token, sa.Column):
        return table, columns, None if token is None else table.c[token.name]
    return table, columns, expression_in_namespace(token)


def expression_in_namespace(expression: sa.ColumnElement[_T]) -> sa.ColumnElement[_T]:
    """Return an expression of a model's columns as one of those that `in_namespace` returns."""

    def plain(element: Any, **_: Any) -> Any:
        return sa.column(element.name, element.type) if isinstance(element, sa.Column) else None

    return sa.sql.visitors.replacement_traverse(expression, {}, plain)


def read_pairs(
    connection: sa.Connection,
    ids: Sequence[sa.Column[Any]],
    token: sa.ColumnElement[Any] | None,
    present: sa.ColumnElement[bool] | None = None,
    *,
    stream: bool = True,
) -> list[tuple[Any, int | None]]:
    """Return (id, token) of each row, as the columns' own types read them back. A composite id is a tuple.

    An id, or a part of one, that its type fails to read back is `Odd`. `present` is a condition on the model's columns:
    other rows are left out. `stream` keeps memory small, and takes a transaction.
    """
    _, plain, carrier = in_namespace(ids, token)
    rows = read_rows(connection, [*plain, *([] if carrier is None else [carrier])], present, stream=stream)
    return [
        (row[0] if len(ids) == 1 else row[: len(ids)], None if token is None else read_token(row[-1])) for row in rows
    ]


def read_token(value: Any) -> int | None:
    """Return a token as it was given, whatever the column made of it; None for a value that is not a token."""
    if isinstance(value, str):
        text = value.rstrip(" ")  # the padding of a CHAR
        number = int(text) if _TOKEN.fullmatch(text) else -1
    else:
        number = int(value) if isinstance(value, int | Decimal) and value == value // 1 else -1
    return number if 0 <= number < 1 << 63 else None


def read_rows(
    connection: sa.Connection,
    columns: Sequence[sa.ColumnElement[Any]],
    present: sa.ColumnElement[bool] | None = None,
    *,
    stream: bool = True,
) -> list[tuple[Any, ...]]:
    """Return these columns of all rows, in no order. A value that its column's type fails to read back is `Odd`.

    Raises the driver's own errors, in which case there are no rows.
    """
    where = sa.true() if present is None else expression_in_namespace(present)
    reading = connection.execution_options(yield_per=_FETCHED_AT_ONCE) if stream else connection
    try:
        with reading.execute(sa.select(*columns).where(where)) as rows:
            return [tuple(row) for row in rows]
    except sa.exc.DBAPIError:
        raise
    except Exception:  # from a type; the rows before it are read again, since a snapshot has no order
        return _value_by_value(reading, columns, where)


def _value_by_value(
    connection: sa.Connection, columns: Sequence[sa.ColumnElement[Any]], where: sa.ColumnElement[bool]
) -> list[tuple[Any, ...]]:
    """Convert each value as SQLAlchemy would, so that a failure at one does not affect the others."""
    types = [column.type.dialect_impl(connection.dialect) for column in columns]
    asked = [type_.column_expression(column) for type_, column in zip(types, columns, strict=True)]
    plain = [
        sa.type_coerce(column if wrapped is None else wrapped, sa.types.NullType())
        for wrapped, column in zip(asked, columns, strict=True)
    ]
    with connection.execute(sa.select(*plain).where(where)) as result:
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

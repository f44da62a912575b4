"""PostgreSQL packs rows into arrays and sends them by binary COPY.

https://www.postgresql.org/docs/current/sql-copy.html#SQL-COPY-BINARY-FORMAT
"""

from __future__ import annotations

from typing import Any

import numpy as np
import sqlalchemy as sa

from idstorm.record.census import Census
from idstorm.record.columns import Ints, Keys
from idstorm.record.keys import Codec

_PIECE = 8_192  # rows that the server packs into one
# Sizes in binary COPY, in bytes: of signature, flags and extension length; of field count, length and row count; of an
# array's length and dimensions, before its elements. And the trailer.
_HEADER, _COUNTED, _ARRAY, _OVER = 19, 14, 24, b"\xff\xff"
_ELEMENT = np.dtype([("length", ">i4"), ("value", ">i8")])


def packed_census(
    connection: sa.Connection, id_: sa.ColumnClause[Any], token: sa.ColumnClause[Any], codec: Codec
) -> Census | None:
    """Let the server pack thousands of rows into arrays, since Python drivers are slow row by row.

    They come by binary COPY, in which all elements have the same length if none is NULL.
    """
    if connection.dialect.driver != "psycopg":
        return None
    one, other, table = (_quoted(connection, name) for name in (id_.name, token.name, id_.table.name))  # type: ignore[union-attr]
    query = (
        f"SELECT count(*), array_agg(one), array_agg(other) FROM (SELECT {one}::bigint AS one, "
        f"{other}::bigint AS other, row_number() OVER () / {_PIECE} AS piece FROM {table}) AS pieces GROUP BY piece"
    )
    driver = connection.connection.driver_connection
    assert driver is not None
    columns = [(np.zeros(0, np.int64), np.zeros(0, np.int64))]
    waiting = bytearray()
    with driver.cursor() as cursor, cursor.copy(f"COPY ({query}) TO STDOUT (FORMAT BINARY)") as copy:
        for data in copy:
            waiting += data
            if not columns[1:] and len(waiting) > _HEADER and waiting.startswith(b"PGCOPY"):
                del waiting[:_HEADER]
            while len(waiting) >= _COUNTED:
                count = int.from_bytes(waiting[_COUNTED - 8 : _COUNTED])
                whole = _COUNTED + 2 * (_ARRAY + count * _ELEMENT.itemsize)
                if len(waiting) < whole:
                    break
                columns.append(
                    (_elements(waiting, _COUNTED, count), _elements(waiting, (_COUNTED + whole) // 2, count))
                )
                del waiting[:whole]
    if waiting != _OVER:
        raise ValueError("the server's binary COPY is not of the expected form")
    ids, tokens = (np.concatenate(column) for column in zip(*columns, strict=True))
    return Census(Keys(codec, ids), tokens)


def _quoted(connection: sa.Connection, name: str) -> str:
    """Return a name quoted for COPY, which the driver sends unchanged: percent signs are not doubled."""
    quoted: str = connection.dialect.identifier_preparer.quote(name)
    return quoted.replace("%%", "%") if "%" in name else quoted


def _elements(raw: bytearray, at: int, count: int) -> Ints:
    """Return the elements of the array at this offset. Raises ValueError where it lacks this many, or has a NULL."""
    if int.from_bytes(raw[at : at + 4]) != _ARRAY - 4 + count * _ELEMENT.itemsize:
        raise ValueError("an array of the server's is not of the expected length")
    elements: Ints = np.frombuffer(bytes(raw[at + _ARRAY : at + _ARRAY + count * _ELEMENT.itemsize]), _ELEMENT)["value"]
    return elements.astype(np.int64)

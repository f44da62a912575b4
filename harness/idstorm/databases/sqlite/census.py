"""SQLite packs rows into text."""

from __future__ import annotations

from typing import Any

import numpy as np
import sqlalchemy as sa

from idstorm.record.census import Census
from idstorm.record.columns import Keys
from idstorm.record.keys import Codec

_PIECE = 8_192  # rows that SQLite packs into one


def packed_census(
    connection: sa.Connection, id_: sa.ColumnClause[Any], token: sa.ColumnClause[Any], codec: Codec
) -> Census | None:
    """Let SQLite pack thousands of rows into one, paging by the rowid, which unlike an id never repeats.

    In SQLite a column may hold anything. Values other than integers, and tables without rowid, take the slower way.
    """
    quote = connection.dialect.identifier_preparer.quote
    one, other = quote(str(id_.name)), quote(str(token.name))
    table = quote(str(id_.table.name))  # type: ignore[union-attr]
    rowid = _rowid(connection, str(id_.table.name))  # type: ignore[union-attr]
    if rowid is None:
        return None
    whole, last, after = _PIECE, -(1 << 63), ">="
    columns = [(np.zeros(0, np.int64), np.zeros(0, np.int64))]
    while whole == _PIECE:
        query = (
            "SELECT count(*), sum(typeof(id) = 'integer' AND typeof(token) = 'integer'), max(place), "
            f"group_concat(id, ' '), group_concat(token, ' ') FROM (SELECT {rowid} AS place, {one} AS id, "
            f"{other} AS token FROM {table} WHERE {rowid} {after} ? ORDER BY {rowid} LIMIT {_PIECE})"
        )
        try:
            whole, integers, last, *packed = connection.exec_driver_sql(query, (last,)).one()
        except sa.exc.OperationalError:
            return None
        if whole and integers != whole:
            return None
        if whole:
            ids, tokens = (np.fromstring(text, np.int64, sep=" ") for text in packed)
            if not len(ids) == len(tokens) == whole:
                return None
            columns.append((ids, tokens))
        after = ">"
    ids, tokens = (np.concatenate(column) for column in zip(*columns, strict=True))
    return Census(Keys(codec, ids), tokens)


def _rowid(connection: sa.Connection, table: str) -> str | None:
    """Return a name of the rowid that is not the name of a column; None: there is none.

    https://www.sqlite.org/lang_createtable.html#rowid
    """
    query = sa.text("SELECT lower(name) FROM pragma_table_xinfo(:table)")
    taken = set(connection.execute(query, {"table": table}).scalars())
    return next((name for name in ("_rowid_", "rowid", "oid") if name not in taken), None)

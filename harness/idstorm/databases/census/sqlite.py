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

    A column may hold anything in SQLite: what is no integer is left to the slower way, as are tables without rowid.
    """
    quote = connection.dialect.identifier_preparer.quote
    one, other = quote(str(id_.name)), quote(str(token.name))
    table = quote(str(id_.table.name))  # type: ignore[union-attr]
    whole, last, after = _PIECE, -(1 << 63), ">="
    columns = [(np.zeros(0, np.int64), np.zeros(0, np.int64))]
    while whole == _PIECE:
        query = (
            "SELECT count(*), sum(typeof(id) = 'integer' AND typeof(token) = 'integer'), max(place), "
            f"group_concat(id, ' '), group_concat(token, ' ') FROM (SELECT _rowid_ AS place, {one} AS id, "
            f"{other} AS token FROM {table} WHERE _rowid_ {after} ? ORDER BY _rowid_ LIMIT {_PIECE})"
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

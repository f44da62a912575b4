"""MySQL and MariaDB pack rows into text."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import sqlalchemy as sa

from idstorm.record.census import Census
from idstorm.record.columns import Ints, Keys
from idstorm.record.keys import Codec

_PIECE = 8_192  # rows that the server packs into one
_RANGE = 65_536  # the same, where it packs by ranges of the id
_LARGEST = (1 << 63) - 1  # numpy turns larger numbers into this one
_LIMIT = 8 << 20  # bytes of such a row; the default max_allowed_packet is at least twice that


def packed_census(
    connection: sa.Connection, id_: sa.ColumnClause[Any], token: sa.ColumnClause[Any], codec: Codec
) -> Census | None:
    """Let the server pack thousands of rows into one, since Python drivers are slow row by row.

    It packs by ranges of the id if that has an index and is spread evenly, or else by numbering the rows, which takes
    three times as long. At its limit GROUP_CONCAT truncates with only a warning; the end of the text, or the count of
    its numbers, gives that away.
    """
    quote = connection.dialect.identifier_preparer.quote
    one, other = quote(str(id_.name)), quote(str(token.name))
    table = quote(str(id_.table.name))  # type: ignore[union-attr]
    packed = "COUNT(*), GROUP_CONCAT({}, ' ', {}, ' ' SEPARATOR '')".format
    connection.exec_driver_sql(f"SET SESSION group_concat_max_len = {_LIMIT}")
    numbered = (
        f"SELECT {packed('one', 'other')} FROM (SELECT {one} AS one, {other} AS other, "
        f"ROW_NUMBER() OVER () DIV {_PIECE} AS piece FROM {table}) AS pieces GROUP BY piece"
    )
    rows = connection.execution_options(stream_results=True).exec_driver_sql
    pieces = None
    if any(index[3] == 1 and index[4] == id_.name for index in rows(f"SHOW INDEX FROM {table}").all()):
        count, low, high = rows(f"SELECT COUNT(*), MIN({one}), MAX({one}) FROM {table}").one()
        if count:
            width = -(-(high - low + 1) // -(-count // _RANGE))
            ranges = (f"{one} >= {start} AND {one} < {start + width}" for start in range(low, high + 1, width))
            pieces = _unpacked(rows(f"SELECT {packed(one, other)} FROM {table} WHERE {ids}").one() for ids in ranges)
    if pieces is None:
        pieces = _unpacked(rows(numbered))
    if pieces is None:
        return None
    pairs = np.concatenate(pieces)
    return Census(Keys(codec, np.ascontiguousarray(pairs[:, 0])), np.ascontiguousarray(pairs[:, 1]))


def _unpacked(rows: Iterable[Any]) -> list[Ints] | None:
    """Return the pairs of numbers in packed rows; None where a row was truncated, or a number exceeds 64 bits."""
    pieces: list[Ints] = [np.zeros((0, 2), np.int64)]
    for count, packed in rows:
        text = packed or ""
        text = text if isinstance(text, str) else text.decode()
        numbers = np.fromstring(text, np.int64, sep=" ") if text.endswith(" ") else np.zeros(0, np.int64)
        if len(numbers) != 2 * count or (count and numbers.max() == _LARGEST):
            return None
        pieces.append(numbers.reshape(-1, 2))
    return pieces

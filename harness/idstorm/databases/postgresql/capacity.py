"""How far the ids of a table of PostgreSQL's can go."""

from __future__ import annotations

from functools import partial

import sqlalchemy as sa

from idstorm.databases.referring import references_to
from idstorm.record.capacity import Capacity

_BITS = {"smallint": 15, "integer": 31, "bigint": 63}

_REFERRING = """
SELECT r.relname || '.' || a.attname, format_type(a.atttypid, NULL)
FROM pg_constraint k
JOIN pg_class t ON t.oid = k.confrelid JOIN pg_class r ON r.oid = k.conrelid
CROSS JOIN LATERAL unnest(k.conkey, k.confkey) AS pair(own, theirs)
JOIN pg_attribute i ON i.attrelid = t.oid AND i.attnum = pair.theirs
JOIN pg_attribute a ON a.attrelid = r.oid AND a.attnum = pair.own
WHERE k.contype = 'f' AND t.relnamespace = current_schema()::regnamespace AND t.relname = :table AND i.attname = :column
"""
"""The columns of foreign keys to a column of the namespace, with their types."""


def capacity_of(
    connection: sa.Connection, table: str, column: str, sequence: str | None, *, down: bool
) -> Capacity | None:
    """Return the capacity of a column; None if its type is not an integer. `sequence` is what the model names."""
    names = {"table": table, "column": column, "sequence": sequence}
    type_ = connection.execute(
        sa.text(
            "SELECT format_type(atttypid, NULL) FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid WHERE "
            "c.relnamespace = current_schema()::regnamespace AND c.relname = :table AND a.attname = :column"
        ),
        names,
    ).scalar_one()
    last = last_of(type_, down=down)
    if last is None:
        return None
    references = references_to(connection, _REFERRING, names, partial(last_of, down=down))
    found = connection.execute(
        sa.text(
            "SELECT sequencename, min_value, max_value, last_value, cache_size, cycle FROM pg_sequences WHERE "
            "schemaname = current_schema() AND (sequencename = :sequence OR format('%I.%I', schemaname, "
            "sequencename) = pg_get_serial_sequence(quote_ident(:table), :column))"
        ),
        names,
    ).one_or_none()
    if found is None:
        return Capacity(type_, last, "the application", last, references=references)
    name, least, most, position, cache, cycles = found
    first, end = (most, least) if down else (least, most)
    return Capacity(type_, last, f"sequence {name}", end, position, cache, first, cycles, references)


def last_of(type_: str, *, down: bool) -> int | None:
    """Return the last value of smallint, integer or bigint."""
    bits = _BITS.get(type_.lower())
    return None if bits is None else -(1 << bits) if down else (1 << bits) - 1

"""How far the ids of a table of MySQL's or MariaDB's can go."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import sqlalchemy as sa

from idstorm.databases.referring import references_to
from idstorm.record.capacity import Capacity

_BITS = {"tinyint": 7, "smallint": 15, "mediumint": 23, "int": 31, "integer": 31, "bigint": 63}

_REFERRING = """
SELECT concat(k.table_name, '.', k.column_name), c.column_type
FROM information_schema.key_column_usage k JOIN information_schema.columns c
ON c.table_schema = k.table_schema AND c.table_name = k.table_name AND c.column_name = k.column_name
WHERE k.referenced_table_schema = DATABASE() AND k.referenced_table_name = :table AND k.referenced_column_name = :column
"""
"""The columns of foreign keys to a column of the namespace, with their types."""


def capacity_of(
    connection: sa.Connection,
    table: str,
    column: str,
    otherwise: Callable[[str, int], Capacity],
    *,
    down: bool,
    counts_late: bool,
) -> Capacity | None:
    """Return the capacity of a column; None if its type is not an integer. It is `otherwise` if not AUTO_INCREMENT.

    `counts_late` tells that the catalogue's word on the table's counter is a statistic of some age, unless told not to.
    https://dev.mysql.com/doc/refman/9.7/en/information-schema-optimization.html
    """
    names = {"table": table, "column": column}
    type_, extra = connection.execute(
        sa.text(
            "SELECT column_type, extra FROM information_schema.columns WHERE table_schema = DATABASE() "
            "AND table_name = :table AND column_name = :column"
        ),
        names,
    ).one()
    last = last_of(type_, down=down)
    if last is None:
        return None
    references = references_to(connection, _REFERRING, names, partial(last_of, down=down))
    if "auto_increment" not in extra:
        return replace(otherwise(type_, last), references=references)
    if counts_late:
        connection.exec_driver_sql("SET SESSION information_schema_stats_expiry = 0")
    following = connection.execute(
        sa.text(
            "SELECT auto_increment FROM information_schema.tables WHERE table_schema = DATABASE() "
            "AND table_name = :table"
        ),
        names,
    ).scalar()
    position = None if following is None else int(following) - 1
    return Capacity(type_, last, "AUTO_INCREMENT", last, position, generator_first=1, references=references)


def last_of(type_: str, *, down: bool) -> int | None:
    """Return the last value of an integer type of any width, unsigned or not."""
    words = type_.lower()
    bits = _BITS.get(re.split(r"[\s(]", words)[0])
    if bits is None:
        return None
    unsigned = "unsigned" in words
    return (0 if unsigned else -(1 << bits)) if down else (1 << bits + unsigned) - 1

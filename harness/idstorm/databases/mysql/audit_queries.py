"""The catalogue queries of an audit, each with the databases that it is about left open.

https://dev.mysql.com/doc/refman/9.7/en/information-schema.html
"""

from __future__ import annotations

import sqlalchemy as sa

_SYSTEM = "('mysql', 'information_schema', 'performance_schema', 'sys')"

TABLES = """
SELECT t.table_schema, t.table_name, k.table_name IS NOT NULL
FROM information_schema.tables t LEFT JOIN information_schema.table_constraints k
ON k.table_schema = t.table_schema AND k.table_name = t.table_name AND k.constraint_type = 'PRIMARY KEY'
WHERE t.table_type = 'BASE TABLE' AND t.table_schema {place} ORDER BY 1, 2
"""
"""Tables, and whether each has a primary key."""

COLUMNS = """
SELECT table_schema, table_name, column_name, column_type, extra, column_default FROM information_schema.columns
WHERE (extra LIKE '%auto_increment%' OR column_default LIKE '%nextval(%') AND table_schema {place} ORDER BY 1, 2, 3
"""

LEADING = """
SELECT table_schema, table_name, column_name FROM information_schema.statistics
WHERE seq_in_index = 1 AND index_type = 'BTREE' AND table_schema {place}
"""
"""The columns with which an index begins."""

SEQUENCES = """
SELECT table_schema, table_name FROM information_schema.tables
WHERE table_type = 'SEQUENCE' AND table_schema {place} ORDER BY 1, 2
"""

REFERENCES = """
SELECT k.table_schema, k.table_name, k.constraint_name, k.column_name, c.column_type, c.is_nullable,
    k.referenced_table_schema, k.referenced_table_name, k.referenced_column_name, r.column_type
FROM information_schema.key_column_usage k
JOIN information_schema.columns c
    ON c.table_schema = k.table_schema AND c.table_name = k.table_name AND c.column_name = k.column_name
JOIN information_schema.columns r ON r.table_schema = k.referenced_table_schema
    AND r.table_name = k.referenced_table_name AND r.column_name = k.referenced_column_name
WHERE k.referenced_table_name IS NOT NULL AND c.column_type <> r.column_type AND k.table_schema {place}
ORDER BY 1, 2, 3
"""
"""Foreign keys whose columns are of another type than their keys': possible where foreign_key_checks was off."""

UNGUARDED = """
SELECT c.table_schema, c.table_name, c.column_name, c.column_type
FROM information_schema.columns c JOIN information_schema.tables t
    ON t.table_schema = c.table_schema AND t.table_name = c.table_name AND t.table_type = 'BASE TABLE'
WHERE c.column_name REGEXP '(number|no|nr|num|code)$'
AND c.data_type IN ('tinyint', 'smallint', 'mediumint', 'int', 'bigint', 'decimal') AND c.table_schema {place}
AND (c.table_schema, c.table_name, c.column_name) NOT IN (
    SELECT table_schema, table_name, column_name FROM information_schema.statistics
    WHERE non_unique = 0 AND column_name IS NOT NULL AND table_schema {place})
AND (c.table_schema, c.table_name, c.column_name) NOT IN (
    SELECT table_schema, table_name, column_name FROM information_schema.key_column_usage
    WHERE referenced_table_name IS NOT NULL AND table_schema {place})
ORDER BY 1, 2, 3
"""
"""Numeric columns that are called like numbers of something, which no unique index and no foreign key has."""

PROGRAMS = """
SELECT event_object_schema, event_object_table, trigger_name, action_statement FROM information_schema.triggers
WHERE event_manipulation = 'INSERT' AND event_object_schema {place} ORDER BY 1, 2, 3
"""


def of(query: str, database: str | None) -> str:
    """Return a query about the session's database, or where it has none, about all but the server's own."""
    return query.format(place="= DATABASE()" if database is not None else f"NOT IN {_SYSTEM}")


def sequence(name: str) -> sa.TextClause:
    """Return the query of what a sequence of MariaDB's is."""
    columns = "start_value, minimum_value, maximum_value, increment, cache_size, cycle_option"
    return sa.text(f"SELECT {columns} FROM {name}".replace(":", r"\:"))

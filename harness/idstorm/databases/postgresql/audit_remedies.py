"""Statements that mend what an audit finds on PostgreSQL, and the locks they take. None of them is ever run.

https://www.postgresql.org/docs/current/explicit-locking.html
https://www.postgresql.org/docs/current/sql-altersequence.html
"""

from __future__ import annotations

from collections.abc import Sequence

from idstorm.record.survey import Remedy

_ALL = "ACCESS EXCLUSIVE on {}: reads and writes wait while every row is rewritten"


def advanced(sequence: str, columns: Sequence[tuple[str, str]], step: int) -> Remedy:
    """Bring a sequence to the furthest row of each column that it serves.

    A bare setval could go back if another session drew values between reading the sequence and setting it. ALTER
    SEQUENCE, even if it changes nothing, takes a lock that nextval waits for.
    """
    most, one = ("greatest", "max") if step > 0 else ("least", "min")
    rows = ", ".join(f"(SELECT {one}({column}) FROM {table})" for table, column in columns)
    return Remedy(
        f"BEGIN; ALTER SEQUENCE {sequence} INCREMENT BY {step}; SELECT setval('{sequence.replace(chr(39), chr(39) * 2)}"
        f"', {most}({rows}, (SELECT last_value FROM {sequence}))); COMMIT;",
        f"SHARE ROW EXCLUSIVE on {sequence}: inserts that draw from it wait until the COMMIT",
    )


def sequence_widened(sequence: str, type_: str, step: int) -> Remedy:
    """Let a sequence go to the end of bigint."""
    end = "MAXVALUE" if step > 0 else "MINVALUE"
    change = f"NO {end}" if type_ == "bigint" else f"AS bigint NO {end}"
    return Remedy(
        f"ALTER SEQUENCE {sequence} {change};", f"SHARE ROW EXCLUSIVE on {sequence}: inserts wait, for a moment"
    )


def not_cycling(sequence: str) -> Remedy:
    """Let a sequence fail at its end instead of beginning again."""
    return Remedy(
        f"ALTER SEQUENCE {sequence} NO CYCLE;", f"SHARE ROW EXCLUSIVE on {sequence}: inserts wait, for a moment"
    )


def owned(sequence: str, column: str) -> Remedy:
    """Let a sequence belong to a column."""
    return Remedy(
        f"ALTER SEQUENCE {sequence} OWNED BY {column};",
        f"SHARE ROW EXCLUSIVE on {sequence}: inserts wait, for a moment",
    )


def column_widened(table: str, column: str, type_: str = "bigint") -> Remedy:
    """Make a column of a wider type."""
    return Remedy(f"ALTER TABLE {table} ALTER COLUMN {column} TYPE {type_};", _ALL.format(table))


def keyed(table: str) -> Remedy:
    """Give a table a primary key."""
    statement = f"ALTER TABLE {table} ADD COLUMN id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY;"
    return Remedy(statement, _ALL.format(table))


def alone(table: str, column: str) -> Remedy:
    """Make the values of a column unique."""
    return Remedy(
        f"CREATE UNIQUE INDEX CONCURRENTLY ON {table} ({column});",
        f"SHARE UPDATE EXCLUSIVE on {table}: reads and writes go on; it fails where a value is there twice",
    )

"""Statements that mend what an audit finds on MySQL and MariaDB, and the locks they take. None of them is ever run.

https://dev.mysql.com/doc/refman/9.7/en/innodb-online-ddl-operations.html
"""

from __future__ import annotations

from idstorm.record.survey import Remedy

_COPIED = "the table is copied, and writes to {} wait meanwhile; gh-ost or pt-online-schema-change do it without"


def advanced(table: str, furthest: int) -> Remedy:
    """Set a table's counter past its furthest row. InnoDB ignores a value at or below that row, at any time.

    https://dev.mysql.com/doc/refman/9.7/en/alter-table.html
    """
    return Remedy(
        f"ALTER TABLE {table} AUTO_INCREMENT = {furthest + 1};",
        f"an exclusive metadata lock on {table}, for a moment: statements wait behind it if a transaction is open",
    )


def sequence_advanced(sequence: str, furthest: int) -> Remedy:
    """SETVAL of MariaDB does nothing where the sequence is there already.

    https://mariadb.com/kb/en/setval/
    """
    return Remedy(f"SELECT SETVAL({sequence}, {furthest});", "none: it never goes back, and inserts go on")


def sequence_altered(sequence: str, change: str) -> Remedy:
    """Change what a sequence is."""
    return Remedy(f"ALTER SEQUENCE {sequence} {change};", f"an exclusive metadata lock on {sequence}, for a moment")


def column_widened(table: str, column: str, definition: str) -> Remedy:
    """Make a column of another type, which the definition begins with."""
    return Remedy(f"ALTER TABLE {table} MODIFY {column} {definition};", _COPIED.format(table))


def keyed(table: str) -> Remedy:
    """Give a table a primary key."""
    return Remedy(f"ALTER TABLE {table} ADD COLUMN id BIGINT AUTO_INCREMENT PRIMARY KEY FIRST;", _COPIED.format(table))


def alone(table: str, column: str) -> Remedy:
    """Make the values of a column unique."""
    return Remedy(
        f"ALTER TABLE {table} ADD UNIQUE ({column});",
        "an exclusive metadata lock at its beginning and end: writes go on; it fails where a value is there twice",
    )

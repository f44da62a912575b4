"""Statements that mend what an audit finds on MySQL and MariaDB, and the locks they take. None of them is ever run.

https://dev.mysql.com/doc/refman/9.7/en/innodb-online-ddl-operations.html
"""

from __future__ import annotations

from idstorm.record.survey import Remedy

_COPIED = "the table is copied, and writes to {} wait meanwhile; columns that refer to it are changed with it"


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
    """Make a column of another type, which the definition begins with. Columns that refer to it need the same type."""
    return Remedy(f"ALTER TABLE {table} MODIFY {column} {definition};", _COPIED.format(table))


def reference_widened(table: str, column: str, definition: str, foreign_key: str) -> Remedy:
    """Give a column of a foreign key its key's type, which is refused as long as there is the foreign key."""
    return Remedy(
        f"ALTER TABLE {table} DROP FOREIGN KEY {foreign_key}, MODIFY {column} {definition};",
        f"the table is copied, and writes to {table} wait meanwhile; add the foreign key again after that",
    )


def keyed(table: str) -> Remedy:
    """Give a table a primary key."""
    return Remedy(f"ALTER TABLE {table} ADD COLUMN id BIGINT AUTO_INCREMENT PRIMARY KEY FIRST;", _COPIED.format(table))


def alone(table: str, column: str) -> Remedy:
    """Make the values of a column unique."""
    return Remedy(
        f"ALTER TABLE {table} ADD UNIQUE ({column});",
        "an exclusive metadata lock at its beginning and end: writes go on; it fails where a value is there twice",
    )

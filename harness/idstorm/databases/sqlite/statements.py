"""What the statements of SQLite mean for a transaction."""

from __future__ import annotations

from idstorm.databases.committing import statements

STATEMENTS = statements(
    "CREATE ALTER DROP PRAGMA BEGIN ANALYZE REINDEX",
    r"RELEASE|WITH\b.*\b(INSERT|UPDATE|DELETE|REPLACE)\b",
)
"""DDL is transactional. Outside a transaction, RELEASE of the outermost savepoint commits. Python's driver begins no
transaction for a WITH that inserts: whether one is open afterwards shows if it committed.

https://www.sqlite.org/lang_savepoint.html
https://docs.python.org/3/library/sqlite3.html#sqlite3-controlling-transactions
"""

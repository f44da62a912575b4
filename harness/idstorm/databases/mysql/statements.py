"""What the statements of MySQL and MariaDB mean for a transaction."""

from __future__ import annotations

from idstorm.databases.committing import statements

STATEMENTS = statements(
    "SET USE DO KILL CREATE DROP XA",
    r"(CREATE|DROP)\s+(?!TEMPORARY\s+TABLE)|SET\s+STATEMENT\b|SET\b.*\b(autocommit|password)\b|XA\s+(?!START|BEGIN|END|ROLLBACK|RECOVER)",
)
"""DDL, LOCK TABLES, and a BEGIN or START TRANSACTION within a transaction commit it; a procedure may.

https://dev.mysql.com/doc/refman/9.0/en/implicit-commit.html
https://mariadb.com/kb/en/sql-statements-that-cause-an-implicit-commit/
"""

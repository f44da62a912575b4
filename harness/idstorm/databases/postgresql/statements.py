"""What the statements of PostgreSQL mean for a transaction."""

from __future__ import annotations

from idstorm.databases.committing import statements

STATEMENTS = statements(
    "CREATE ALTER DROP TRUNCATE COMMENT GRANT REVOKE SET RESET LOCK COPY DECLARE FETCH MOVE CLOSE LISTEN UNLISTEN "
    "NOTIFY ANALYZE REFRESH PREPARE EXECUTE DEALLOCATE DISCARD BEGIN START ABORT",
    r"PREPARE\s+TRANSACTION",
)
"""DDL is transactional, and BEGIN within a transaction is a warning. A procedure, and DO, may commit.

https://www.postgresql.org/docs/current/sql-begin.html
https://www.postgresql.org/docs/current/plpgsql-transactions.html
"""

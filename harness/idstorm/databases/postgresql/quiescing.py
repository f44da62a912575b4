"""Waiting until nothing of a storm is at work any more on a PostgreSQL server, and ending what still is."""

from __future__ import annotations

import time
from collections.abc import Sequence

import sqlalchemy as sa

from idstorm.databases.namespaces.names import Quiet
from idstorm.databases.postgresql import codes
from idstorm.databases.postgresql.marks import SESSIONS

_WRITERS = """
SELECT count(*) FROM pg_locks l JOIN pg_stat_activity a USING (pid)
JOIN pg_class c ON c.oid = l.relation JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE %s::text IN (n.nspname::text, current_database()::text)
AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
AND coalesce(a.backend_type, 'client backend') = 'client backend' AND pid <> pg_backend_pid()
AND l.mode NOT IN ('AccessShareLock', 'RowShareLock')
"""
"""The sessions that may be changing something in a schema, under any application name.

The type of another role's session is hidden from an ordinary role.
https://www.postgresql.org/docs/current/monitoring-stats.html
"""

_PREPARED = """
SELECT DISTINCT quote_literal(p.gid) FROM pg_prepared_xacts p
JOIN pg_locks own ON own.transactionid = p.transaction AND own.mode = 'ExclusiveLock' AND own.pid IS NULL
JOIN pg_locks held ON held.virtualtransaction = own.virtualtransaction AND held.pid IS NULL
JOIN pg_class c ON c.oid = held.relation JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE p.database = current_database() AND held.locktype = 'relation'
AND %s::text IN (n.nspname::text, current_database()::text)
AND held.database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""
"""Prepared transactions that hold locks in a schema.

A prepared transaction has no process. Its virtual id is that of the session that prepared it or, after a restart of the
server, -1 and its own number. The one certain mark is its lock on its own transaction id.
https://www.postgresql.org/docs/current/view-pg-locks.html
"""


def quiesce(connection: sa.Connection, name: str) -> Quiet:
    """Wait for the sessions of a storm, then end them, then roll back what they had prepared.

    A storm's sessions carry the name of its schema, which no URL changes, or are in a database of that name; its
    transactions have locks there. A session that writes there under another name, which the work may have chosen, is
    waited for but not ended.
    """
    for attempt in range(100):
        ours = connection.exec_driver_sql(f"SELECT count(*) {SESSIONS}", (name,)).scalar_one()
        if not ours and not connection.exec_driver_sql(_WRITERS, (name,)).scalar_one():
            break
        if attempt >= 50:
            connection.exec_driver_sql(f"SELECT pg_terminate_backend(pid) {SESSIONS}", (name,)).all()
        time.sleep(0.1)
    else:
        return Quiet(False)
    try:
        prepared = _prepared(connection, name)
    except sa.exc.ProgrammingError as error:
        if codes.state_of(error.orig) != codes.PRIVILEGE:
            raise
        return Quiet(True, unseen="whether it left transactions prepared: that takes GRANT SELECT ON pg_prepared_xacts")
    for written in prepared:
        connection.exec_driver_sql(f"ROLLBACK PREPARED {written}", execution_options={"no_parameters": True})
    return Quiet(True, len(prepared))


def _prepared(connection: sa.Connection, name: str) -> Sequence[str]:
    """Return the names of the storm's prepared transactions, each as a quoted SQL literal."""
    if not int(connection.exec_driver_sql("SHOW max_prepared_transactions").scalar_one()):
        return []
    return connection.exec_driver_sql(_PREPARED, (name,)).scalars().all()

"""The marks and locks by which namespaces are known: comments, and advisory locks of a database.

https://www.postgresql.org/docs/current/explicit-locking.html#ADVISORY-LOCKS
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import sqlalchemy as sa

from idstorm.databases.namespaces.names import Namespace, found, is_stamped

HOLDER = "idstorm holding a lock"  #: the application name of the session that holds the lock of a storm's own database

SESSIONS = (
    "FROM pg_stat_activity WHERE %s::text IN (application_name, datname::text) AND datname = current_database() "
    "AND usesysid IS NOT NULL AND pg_has_role(usesysid, 'MEMBER') AND pid <> pg_backend_pid() "
    f"AND application_name <> '{HOLDER}'"
)
"""The sessions of a storm: they carry the name of its schema, which no URL changes, or are in its own database.

Those of roles that the caller is not a member of are others', which may look into any database (monitoring). Processes
of the server itself have no role.
"""

_LOCK = "hashtextextended(%s, 0)"


def take(connection: sa.Connection, name: str) -> bool:
    """Take a namespace's lock for this session. Returns False where another session has it."""
    return bool(connection.exec_driver_sql(f"SELECT pg_try_advisory_lock({_LOCK})", (name,)).scalar_one())


def is_locked(connection: sa.Connection, name: str) -> bool:
    """Return whether a session in the connection's database has a namespace's lock."""
    return not connection.exec_driver_sql(f"SELECT pg_try_advisory_lock_shared({_LOCK})", (name,)).scalar_one()


def is_at_work(connection: sa.Connection, name: str) -> bool:
    """Return whether sessions of a storm are at work: a run that lost its lock is about to retake it."""
    return bool(connection.exec_driver_sql(f"SELECT EXISTS (SELECT {SESSIONS})", (name,)).scalar_one())


def marked(
    connection: sa.Connection, query: str, marks: Mapping[str, str], is_in_use: Callable[[str], bool]
) -> list[Namespace]:
    """Return the namespaces that a query finds with one of these marks, or with a name in idstorm's pattern.

    The query's rows are name, comment, owner and caller. A mark means "left" or "kept".
    """
    known = [
        found(name, mark=marks.get(comment), owner=owner, caller=caller)
        for name, comment, owner, caller in connection.exec_driver_sql(query).all()
        if comment in marks or is_stamped(name)
    ]
    return [one if one.strange else replace(one, in_use=is_in_use(one.name)) for one in known]

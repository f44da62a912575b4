"""MySQL and MariaDB: a database that carries idstorm's mark, under one of the server's locks.

A database has no owner, and not every server lets it have a comment. So the mark is a view in it. The server vouches
for the view's definer: naming another user as the definer takes a privilege that only administrators have.
https://dev.mysql.com/doc/refman/9.7/en/stored-objects-security.html
https://mariadb.com/kb/en/create-view/
"""

from __future__ import annotations

import re
import time
from contextlib import suppress
from dataclasses import replace

import sqlalchemy as sa

from idstorm.databases.mysql import codes
from idstorm.databases.namespaces.names import PREFIX, Namespace, Quiet, found, is_stamped

_MARKS = {"idstorm_mark": "left", "idstorm_kept": "kept"}
_LEFT, _KEPT = _MARKS
_SESSIONS = "FROM information_schema.processlist WHERE db = %s AND id <> CONNECTION_ID()"
_DROPS = {"VIEW": "VIEW", "SEQUENCE": "SEQUENCE"}  # by the type of a table; all other types are dropped as tables
_XA_REFUSED = {1227, 1401}  # XA RECOVER takes a privilege
_XA_UNSEEN = "whether it left transactions prepared: that takes GRANT XA_RECOVER_ADMIN ON *.*"


def leading_into(url: sa.URL, name: str) -> sa.URL:
    """Return a URL whose connections start in the database; any other that the URL also names is left out."""
    return url.set(database=name).difference_update_query(["db", "database"])


def take(connection: sa.Connection, name: str) -> bool:
    """Take a database's lock for this session. Returns False where another session has it."""
    return bool(connection.exec_driver_sql("SELECT GET_LOCK(%s, 0)", (name,)).scalar_one() == 1)


def make(connection: sa.Connection, name: str) -> None:
    """Make a database whose lock is held."""
    connection.exec_driver_sql(f"CREATE DATABASE {_quoted(connection, name)} CHARACTER SET utf8mb4")


def mark(connection: sa.Connection, name: str, *, keep: bool) -> None:
    """Mark a database: no statement makes and marks one at once."""
    view = f"{_quoted(connection, name)}.{_KEPT if keep else _LEFT}"
    connection.exec_driver_sql(f"CREATE SQL SECURITY INVOKER VIEW {view} AS SELECT 'of one storm' AS idstorm")


def listed(connection: sa.Connection) -> list[Namespace]:
    """Return the databases with idstorm's mark, or with a name in its pattern."""
    query = (
        "SELECT s.schema_name, v.table_name, v.definer, CURRENT_USER() FROM information_schema.schemata s "
        "LEFT JOIN information_schema.views v ON v.table_schema = s.schema_name AND v.table_name IN (%s, %s) "
        "WHERE LEFT(s.schema_name, 8) = %s ORDER BY 1"
    )
    known = {
        name: found(name, mark=_MARKS.get(mark or ""), owner=definer or "", caller=caller)
        for name, mark, definer, caller in connection.exec_driver_sql(query, (_LEFT, _KEPT, PREFIX))
        if mark is not None or is_stamped(name)
    }
    return [one if one.strange else replace(one, in_use=_is_in_use(connection, one.name)) for one in known.values()]


def _is_in_use(connection: sa.Connection, name: str) -> bool:
    """Return whether the lock is held or sessions are at work: a run that lost its lock is about to retake it."""
    asked = f"SELECT IS_FREE_LOCK(%s), EXISTS (SELECT 1 {_SESSIONS})"
    free, at_work = connection.exec_driver_sql(asked, (name, name)).one()
    return bool(at_work or not free)


def drop(connection: sa.Connection, name: str) -> None:
    """Drop a database, its mark last, with a limit on the wait for locks.

    MariaDB drops one table after another. Were the mark among the first, it would be gone when a locked table makes the
    drop fail.
    """
    limits = "lock_wait_timeout = 10, innodb_lock_wait_timeout = 10"
    connection.exec_driver_sql(f"SET SESSION {limits}, foreign_key_checks = 0")
    query = "SELECT table_name, table_type FROM information_schema.tables WHERE table_schema = %s"
    for table, type_ in connection.exec_driver_sql(query, (name,)).all():
        if table not in _MARKS:
            place = f"{_quoted(connection, name)}.{_quoted(connection, table)}"
            connection.exec_driver_sql(f"DROP {_DROPS.get(type_, 'TABLE')} IF EXISTS {place}", **_PLAIN)
    connection.exec_driver_sql(f"DROP DATABASE IF EXISTS {_quoted(connection, name)}")  # its storm may just have ended


_PLAIN = {"execution_options": {"no_parameters": True}}  # a name may have a per cent sign


def quiesce(connection: sa.Connection, name: str) -> Quiet:
    """Wait for the sessions in a storm's database, then end them, then roll back what they had prepared."""
    for attempt in range(100):
        waiting = connection.exec_driver_sql(f"SELECT id {_SESSIONS}", (name,)).scalars().all()
        if not waiting:
            break
        for session in waiting if attempt >= 50 else []:
            with suppress(sa.exc.SQLAlchemyError):  # the session has ended by itself
                connection.exec_driver_sql(f"KILL {int(session)}")
        time.sleep(0.1)
    else:
        return Quiet(False)
    ended = set[str]()
    for _ in range(50):
        left = _prepared(connection, name)
        if left is None:
            return Quiet(True, unseen=_XA_UNSEEN)
        if not left:
            return Quiet(True, len(ended))
        for transaction in left:
            with suppress(sa.exc.DBAPIError):  # the server is not done with the session that prepared it
                connection.exec_driver_sql(f"XA ROLLBACK '{transaction}'")
                ended.add(transaction)
        time.sleep(0.1)
    return Quiet(False, len(ended))


def _prepared(connection: sa.Connection, name: str) -> list[str] | None:
    """Return the storm's prepared transactions, recognised by their names; None: not allowed.

    A name is all that the catalogue has about such a transaction.
    https://dev.mysql.com/doc/refman/9.7/en/xa-statements.html
    """
    try:
        rows = connection.exec_driver_sql("XA RECOVER").all()
    except sa.exc.DBAPIError as error:
        if codes.number_of(error.orig) in _XA_REFUSED:
            return None
        raise
    names = [row[3].decode("latin-1") if isinstance(row[3], bytes) else str(row[3]) for row in rows]
    return [one for one in names if re.fullmatch(rf"{re.escape(name)}_[0-9a-f]+", one)]


def _quoted(connection: sa.Connection, name: str) -> str:
    return connection.dialect.identifier_preparer.quote_identifier(name)

"""PostgreSQL: a schema that carries idstorm's mark as its comment, under an advisory lock.

The connections used here look for names only in the catalogue. Otherwise another user's function on the search path
could be called instead of the catalogue's, with the rights of the user who clears up.
https://www.postgresql.org/docs/current/ddl-schemas.html#DDL-SCHEMAS-PATTERNS
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace

import sqlalchemy as sa

from idstorm.databases.namespaces.names import PREFIX, Namespace, Quiet, found, is_stamped
from idstorm.databases.postgresql import codes
from idstorm.errors import EnvironmentFault

_MARKS = {
    "idstorm: the schema of one storm, to be dropped after it": "left",
    "idstorm: the schema of one storm, kept": "kept",
}
_LEFT, _KEPT = _MARKS
_WORD = re.compile(r"(?:\\.|[^\\\s])+", re.DOTALL)  # blanks separate the options of a connection, a backslash escapes
_SETTING = re.compile(r"(?:-c|--)([^=]*)=(.*)", re.DOTALL)
_OURS = re.compile(rf"-csearch_path=({PREFIX}\w+)")
_LOCK = "hashtextextended(%s, 0)"

_SESSIONS = (
    "FROM pg_stat_activity WHERE %s::text IN (application_name, datname::text) AND datname = current_database() "
    "AND coalesce(backend_type, 'client backend') = 'client backend' AND pid <> pg_backend_pid()"
)
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


def leading_into(url: sa.URL, name: str) -> sa.URL:
    """Return a URL whose connections find only the schema. A search path in the given URL is replaced."""
    told = {"options": " ".join([*_options(url), f"-csearch_path={name}"]), "application_name": name}
    return url.update_query_dict(told)


def looking_at_the_catalogue(url: sa.URL, *settings: str) -> sa.URL:
    """Return a URL whose connections find only the catalogue, with a limit on the wait for locks.

    `settings` are more of them, or others, as `name=value`.
    """
    added = ("search_path=pg_catalog", "lock_timeout=10s", *settings)
    options = " ".join([*_options(url), *(f"-c{one}" for one in added)])
    return url.update_query_dict({"options": options})


def schema_of(url: sa.URL) -> str | None:
    """Return the schema that a storm's URL leads into; None for a URL that is not a storm's."""
    words = _WORD.findall(str(url.query.get("options", "")))
    ours = _OURS.fullmatch(words[-1]) if words else None  # the last option counts, and idstorm puts its own there
    return ours[1] if ours else None


def role_of(url: sa.URL) -> str | None:
    """Return the role that the options of a URL set."""
    return next((value for name, value in reversed(_settings(url)) if name == "role"), None)


def _options(url: sa.URL) -> list[str]:
    """Return the options of a URL, except for a search path."""
    settings = zip(_words(url), _settings(url), strict=True)
    return [word for word, (name, _) in settings if name != "search_path"]


def _settings(url: sa.URL) -> list[tuple[str, str]]:
    """Return the setting and the value of each option of a URL; ("", "") for an option that is not a setting."""
    plain = [_SETTING.fullmatch(re.sub(r"\\(.)", r"\1", word)) for word in _words(url)]
    return [("", "") if one is None else (one[1].lower().replace("-", "_"), one[2]) for one in plain]


def _words(url: sa.URL) -> Iterator[str]:
    """Yield the options of a URL, or if it has none, those of the environment, as libpq does."""
    given = url.query.get("options") or os.environ.get("PGOPTIONS", "")
    words = iter(_WORD.findall(given if isinstance(given, str) else " ".join(given)))
    for word in words:
        yield word + next(words, "") if word == "-c" else word


def make(connection: sa.Connection, name: str, *, keep: bool) -> None:
    """Make a schema, mark it and hold its lock while the session lasts. To others this happens at one instant."""
    quoted = connection.dialect.identifier_preparer.quote_identifier(name)
    connection.exec_driver_sql("BEGIN")
    try:
        if not take(connection, name):
            raise EnvironmentFault(f"another session has the lock of {name}")
        connection.exec_driver_sql(f"CREATE SCHEMA {quoted}")
        connection.exec_driver_sql(f"COMMENT ON SCHEMA {quoted} IS '{_KEPT if keep else _LEFT}'")
        connection.exec_driver_sql("COMMIT")
    except BaseException:
        with suppress(sa.exc.SQLAlchemyError):
            connection.exec_driver_sql("ROLLBACK")
        raise


def take(connection: sa.Connection, name: str) -> bool:
    """Take a schema's lock for this session. Returns False where another session has it."""
    return bool(connection.exec_driver_sql(f"SELECT pg_try_advisory_lock({_LOCK})", (name,)).scalar_one())


def listed(connection: sa.Connection) -> list[Namespace]:
    """Return the schemas with idstorm's mark, or with a name in its pattern."""
    query = (
        "SELECT nspname, obj_description(oid, 'pg_namespace'), pg_get_userbyid(nspowner), current_user "
        "FROM pg_namespace ORDER BY 1"
    )
    known = [
        found(name, mark=_MARKS.get(comment), owner=owner, caller=caller)
        for name, comment, owner, caller in connection.exec_driver_sql(query)
        if comment in _MARKS or is_stamped(name)
    ]
    return [one if one.strange else replace(one, in_use=_is_in_use(connection, one.name)) for one in known]


def _is_in_use(connection: sa.Connection, name: str) -> bool:
    """Return whether the lock is held or sessions are at work: a run that lost its lock is about to retake it."""
    asked = f"SELECT pg_try_advisory_lock_shared({_LOCK}), EXISTS (SELECT {_SESSIONS})"
    had, at_work = connection.exec_driver_sql(asked, (name, name)).one()
    return at_work or not had


def drop(connection: sa.Connection, name: str) -> None:
    """Drop a schema and everything in it, with a limit on the wait for locks."""
    connection.exec_driver_sql(f"DROP SCHEMA {connection.dialect.identifier_preparer.quote_identifier(name)} CASCADE")


def quiesce(connection: sa.Connection, name: str) -> Quiet:
    """Wait for the sessions of a storm, then end them, then roll back what they had prepared.

    A storm's sessions carry the name of its schema, which no URL changes, or are in a database of that name; its
    transactions have locks there. A session that writes there under another name, which the work may have chosen, is
    waited for but not ended.
    """
    for attempt in range(100):
        ours = connection.exec_driver_sql(f"SELECT count(*) {_SESSIONS}", (name,)).scalar_one()
        if not ours and not connection.exec_driver_sql(_WRITERS, (name,)).scalar_one():
            break
        if attempt >= 50:
            connection.exec_driver_sql(f"SELECT pg_terminate_backend(pid) {_SESSIONS}", (name,)).all()
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

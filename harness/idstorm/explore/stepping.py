"""Where a client stops: before each statement, COMMIT and ROLLBACK, on every pool of the process.

As in `idstorm.storm.hearing`, the methods of a pool's dialect that see all traffic are wrapped at its first connection.
They do something only in the context of a client that is stepped, which its gate marks.

A statement in AUTOCOMMIT is a transaction that begins and commits by itself. The server may stall between the two, so a
transaction is opened around one that writes, and its COMMIT is a step of its own.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any, Protocol
from weakref import WeakSet

from sqlalchemy import event
from sqlalchemy.pool import Pool

from idstorm.databases.base import Database
from idstorm.databases.committing import may_write
from idstorm.internals import dialect_of, pool_of

_NO_STEP = re.compile(
    r"\s*(?:BEGIN(?!\s+(?:IMMEDIATE|EXCLUSIVE))|START\s+TRANSACTION(?!.*SNAPSHOT)|SAVEPOINT|RELEASE)\b", re.I
)
"""What takes neither a lock nor a snapshot."""
_BEGINS = re.compile(r"\s*(?:BEGIN|START)\b", re.IGNORECASE)


class Gate(Protocol):
    """What stops a client, and lets it go on."""

    database: Database
    reads_only: bool  #: it is the reader's: that it ends its transactions changes nothing for others

    def stand(self, step: str, session: int | None, sent: tuple[str, Any] | None) -> None:
        """Wait for the turn.

        `session` is the server's number of the session that will be used, if it has one, `sent` the statement and its
        parameters, if it is one.
        """

    def passed(self, statement: str, parameters: Any) -> None:
        """Note a statement that is no step."""

    def held_up(self) -> bool:
        """Wait for another try, since another session's lock is in the way. Returns False to give up instead."""

    def answered(self, answer: str) -> None:
        """Note what came of the step."""

    def confused(self) -> None:
        """Note that it is in a transaction of another client's, on one connection."""


gate: ContextVar[Gate | None] = ContextVar("idstorm_gate", default=None)
"""The gate of the client in whose thread this runs, if it is stepped."""

_wrapped: WeakSet[Any] = WeakSet()
_wrapping = threading.Lock()
_sessions: dict[int, int | None] = {}  # by the identity of a driver's connection
_users: dict[int, Gate] = {}  # by the same: who has used it last
_patience: dict[int, Any] = {}  # by the same: how long it waits by itself

Find = Callable[[Any], Database]
"""Returns the database that a pool leads to."""


def listen(find: Find) -> Callable[[], None]:
    """Stop the clients that are stepped, on every pool of this process. Returns a function that ends that."""

    def on_connect(connection: Any, record: Any) -> None:
        for known in (_sessions, _users, _patience):
            known.pop(id(connection), None)  # the number may be that of a connection that is gone
        _wrap_once(dialect_of(pool_of(record)))

    def on_checkout(connection: Any, record: Any, _: Any) -> None:
        database = find(pool_of(record))
        if id(connection) not in _sessions:
            _wrap_once(dialect_of(pool_of(record)))
            _sessions[id(connection)] = database.session_of(connection)
        here = gate.get()
        if here is not None:
            _patience[id(connection)] = here.database.hurry(connection)

    def on_checkin(connection: Any, record: Any) -> None:
        if connection is not None and _patience.get(id(connection)) is not None:
            find(pool_of(record)).relax(connection, _patience.pop(id(connection)))

    listeners: dict[str, Callable[..., None]] = {"connect": on_connect, "checkout": on_checkout, "checkin": on_checkin}
    for name, listener in listeners.items():
        event.listen(Pool, name, listener)

    def leave() -> None:
        for name, listener in listeners.items():
            event.remove(Pool, name, listener)
        for known in (_sessions, _users, _patience):  # connections end from now on without being heard
            known.clear()

    return leave


def _wrap_once(dialect: Any) -> None:
    with _wrapping:
        if dialect is not None and dialect not in _wrapped:
            _wrap(dialect)
            _wrapped.add(dialect)


def _wrap(dialect: Any) -> None:
    dialect.do_execute = _executes(dialect.do_execute)
    dialect.do_executemany = _executes(dialect.do_executemany)
    plain = _executes(lambda cursor, statement, _, context: no_params(cursor, statement, context))
    no_params = dialect.do_execute_no_params
    dialect.do_execute_no_params = lambda cursor, statement, context=None: plain(cursor, statement, None, context)
    dialect.do_commit = _ends(dialect.do_commit, "COMMIT")
    dialect.do_rollback = _ends(dialect.do_rollback, "ROLLBACK")


def _executes(method: Callable[..., None]) -> Callable[..., None]:
    def do_execute(cursor: Any, statement: str, parameters: Any, context: Any = None) -> None:
        here = gate.get()
        if here is not None and _NO_STEP.match(statement):
            here.passed(statement, parameters)
        if here is None or _NO_STEP.match(statement):
            return method(cursor, statement, parameters, context)
        step, connection = " ".join(statement.split()), cursor.connection
        _look_who(here, connection)
        here.stand(step, _sessions.get(id(connection)), (statement, parameters))
        splits = may_write(statement) and not _BEGINS.match(statement) and _commits_each(here, connection)
        if splits:
            _say(connection, "BEGIN")
        _patiently(here, lambda: method(cursor, statement, parameters, context))
        if splits:
            _end_own(here, connection)
        here.answered(_rows(cursor))
        return None

    return do_execute


def _look_who(here: Gate, connection: Any) -> None:
    """Tell a client that it uses a connection in a transaction that another one has begun."""
    before = _users.get(id(connection))
    if before is not None and before is not here and here.database.in_transaction(connection):
        here.confused()
    _users[id(connection)] = here


def _commits_each(here: Gate, connection: Any) -> bool:
    """Whether each statement on a driver's connection is a transaction: that is, it is in AUTOCOMMIT, and in none."""
    asked = getattr(connection, "get_autocommit", None)
    on = asked() if asked is not None else getattr(connection, "autocommit", None)
    if not isinstance(on, bool):  # SQLite, whose module says it by what begins a transaction
        on = getattr(connection, "isolation_level", "") is None
    return on and not here.database.in_transaction(connection)


def _end_own(here: Gate, connection: Any) -> None:
    """Commit the transaction that was opened around a statement in AUTOCOMMIT, as a step."""
    here.answered("")
    here.stand("COMMIT", _sessions.get(id(connection)), None)
    _patiently(here, lambda: _say(connection, "COMMIT"))


def _say(connection: Any, statement: str) -> None:
    cursor = connection.cursor()
    try:
        cursor.execute(statement)
    finally:
        cursor.close()


def _ends(method: Callable[[Any], None], step: str) -> Callable[[Any], None]:
    def do_end(connection: Any) -> None:
        here = gate.get()
        if here is None or here.reads_only or here.database.in_transaction(connection) is False:
            return method(connection)  # also where there is nothing to end, as when it goes back to its pool
        driver = getattr(connection, "dbapi_connection", connection)
        here.stand(step, _sessions.get(id(driver)), None)
        _patiently(here, lambda: method(connection))
        here.answered("")
        return None

    return do_end


def _patiently(here: Gate, do: Callable[[], None]) -> None:
    """Try until no other session's lock is in the way, where the driver would have waited for it by itself."""
    while True:
        try:
            return do()
        except Exception as error:
            if not here.database.retries(error) or not here.held_up():
                here.answered(_first_line(error))
                raise


def _rows(cursor: Any) -> str:
    count = getattr(cursor, "rowcount", -1)
    return "" if not isinstance(count, int) or count < 0 else f"{count} row{'' if count == 1 else 's'}"


def _first_line(error: Exception) -> str:
    return next(iter(str(error).strip().splitlines()), type(error).__name__)

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
from dataclasses import dataclass
from typing import Any, Protocol
from weakref import WeakSet

from sqlalchemy import event
from sqlalchemy.pool import Pool

from idstorm.databases.base import Database
from idstorm.databases.committing import several
from idstorm.internals import dialect_of, pool_of

_NO_STEP = re.compile(
    r"\s*(?:BEGIN(?!\s+(?:IMMEDIATE|EXCLUSIVE))|START\s+TRANSACTION(?!.*SNAPSHOT)|SAVEPOINT|RELEASE)\b", re.I
)
"""What takes neither a lock nor a snapshot."""
_SPLIT = re.compile(r"\s*(?:INSERT|UPDATE|DELETE|REPLACE|MERGE|WITH)\b", re.IGNORECASE)
"""What may be stalled between its effect and its own commit."""
_COARSE = re.compile(r"\s*(?:CALL|DO|EXECUTE)\b", re.IGNORECASE)
_LOCKS, _UNLOCKS = re.compile(r"\s*LOCK\s+TABLE", re.IGNORECASE), re.compile(r"\s*UNLOCK\b", re.IGNORECASE)


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

    def coarse(self, why: str) -> None:
        """Note a step that does several things, between which others could have come."""


gate: ContextVar[Gate | None] = ContextVar("idstorm_gate", default=None)
"""The gate of the client in whose thread this runs, if it is stepped."""

_wrapped: WeakSet[Any] = WeakSet()
_wrapping = threading.Lock()


@dataclass
class _Known:
    """What is known of a driver's connection."""

    session: int | None  #: the server's number of its session
    patience: Any = None  #: how long it waits by itself, while it is not to wait
    user: Gate | None = None  #: the client that has used it last, since it was taken from its pool
    inside: bool = False  #: a statement of its current transaction has succeeded, and may hold a lock
    tables: bool = False  #: it holds tables by LOCK TABLES, which a transaction would end


_known: dict[int, _Known] = {}  # by the identity of the connection

Find = Callable[[Any], Database]
"""Returns the database that a pool leads to."""


def listen(find: Find) -> Callable[[], None]:
    """Stop the clients that are stepped, on every pool of this process. Returns a function that ends that."""

    def on_connect(connection: Any, record: Any) -> None:
        _known.pop(id(connection), None)  # the number may be that of a connection that is gone
        _wrap_once(dialect_of(pool_of(record)))

    def on_checkout(connection: Any, record: Any, _: Any) -> None:
        database = find(pool_of(record))
        if id(connection) not in _known:
            _wrap_once(dialect_of(pool_of(record)))
            _known[id(connection)] = _Known(database.session_of(connection))
        if gate.get() is not None:
            _known[id(connection)].patience = database.hurry(connection)

    def on_checkin(connection: Any, record: Any) -> None:
        known = None if connection is None else _known.get(id(connection))
        if known is not None:
            if known.patience is not None:
                find(pool_of(record)).relax(connection, known.patience)
            _known[id(connection)] = _Known(known.session)

    listeners: dict[str, Callable[..., None]] = {"connect": on_connect, "checkout": on_checkout, "checkin": on_checkin}
    for name, listener in listeners.items():
        event.listen(Pool, name, listener)

    def leave() -> None:
        for name, listener in listeners.items():
            event.remove(Pool, name, listener)
        _known.clear()  # connections end from now on without being heard

    return leave


def _wrap_once(dialect: Any) -> None:
    with _wrapping:
        if dialect is not None and dialect not in _wrapped:
            _wrap(dialect)
            _wrapped.add(dialect)


def _wrap(dialect: Any) -> None:
    dialect.do_execute = _executes(dialect.do_execute)
    dialect.do_executemany = _executes(dialect.do_executemany, many=True)
    plain = _executes(lambda cursor, statement, _, context: no_params(cursor, statement, context))
    no_params = dialect.do_execute_no_params
    dialect.do_execute_no_params = lambda cursor, statement, context=None: plain(cursor, statement, None, context)
    dialect.do_commit = _ends(dialect.do_commit, "COMMIT")
    dialect.do_rollback = _ends(dialect.do_rollback, "ROLLBACK")


def _executes(method: Callable[..., None], *, many: bool = False) -> Callable[..., None]:
    def do_execute(cursor: Any, statement: str, parameters: Any, context: Any = None) -> None:
        here = gate.get()
        if here is None:
            return method(cursor, statement, parameters, context)
        connection = _driver_of(cursor, context)
        known = _known.setdefault(id(connection), _Known(None))
        _look_who(here, connection, known)
        if _NO_STEP.match(statement):
            here.passed(statement, parameters)
            return method(cursor, statement, parameters, context)
        if (many and len(parameters) > 1) or several(statement) or _COARSE.match(statement):
            here.coarse(f"{' '.join(statement.split())[:60]!r} does several things, and is one step")
        step = " ".join(statement.split())
        here.stand(step, known.session, (statement, parameters))
        splits = _SPLIT.match(statement) is not None and not known.tables and _commits_each(here, connection)
        if splits:
            _say(connection, "BEGIN")
        try:
            _patiently(here, known, lambda: method(cursor, statement, parameters, context))
        except BaseException:
            if splits:
                _say(connection, "ROLLBACK")
            raise
        if splits:
            _end_own(here, connection, known)
        known.inside = here.database.in_transaction(connection) is not False
        known.tables = bool(_LOCKS.match(statement)) or (known.tables and not _UNLOCKS.match(statement))
        here.answered(_rows(cursor))
        return None

    return do_execute


def _driver_of(cursor: Any, context: Any) -> Any:
    """Return the driver's connection, which not every driver's cursor names."""
    if context is not None:
        return context.root_connection.connection.dbapi_connection
    return getattr(cursor, "connection", None)


def _look_who(here: Gate, connection: Any, known: _Known) -> None:
    """Tell a client that it uses a connection in a transaction that another one has begun."""
    if known.user not in (None, here) and here.database.in_transaction(connection):
        here.confused()
    known.user = here


def _commits_each(here: Gate, connection: Any) -> bool:
    """Whether each statement on a driver's connection is a transaction: that is, it is in AUTOCOMMIT, and in none."""
    asked = getattr(connection, "get_autocommit", None)
    on = asked() if asked is not None else getattr(connection, "autocommit", None)
    if not isinstance(on, bool):  # SQLite, whose module says it by what begins a transaction
        on = getattr(connection, "isolation_level", "") is None
    return on and not here.database.in_transaction(connection)


def _end_own(here: Gate, connection: Any, known: _Known) -> None:
    """Commit the transaction that was opened around a statement in AUTOCOMMIT, as a step."""
    here.answered("")
    here.stand("COMMIT", known.session, None)
    _patiently(here, known, lambda: _say(connection, "COMMIT"), commits=True)


def _say(connection: Any, statement: str) -> None:
    cursor = connection.cursor()
    try:
        cursor.execute(statement)
    finally:
        cursor.close()


def _ends(method: Callable[[Any], None], step: str) -> Callable[[Any], None]:
    def do_end(connection: Any) -> None:
        here = gate.get()
        driver = getattr(connection, "dbapi_connection", connection)
        known = _known.get(id(driver), _Known(None))
        if here is None or here.reads_only or here.database.in_transaction(driver) is False:
            known.inside = False
            return method(connection)  # also where there is nothing to end, as when it goes back to its pool
        here.stand(step, known.session, None)
        _patiently(here, known, lambda: method(connection), commits=True)
        known.inside = False
        here.answered("")
        return None

    return do_end


def _patiently(here: Gate, known: _Known, do: Callable[[], None], *, commits: bool = False) -> None:
    """Try until no other session's lock is in the way, where the driver would have waited for it by itself.

    SQLite does so only for a transaction's first lock, and for its COMMIT: while it holds one, it says at once that it
    is busy. https://www.sqlite.org/c3ref/busy_handler.html
    """
    while True:
        try:
            return do()
        except Exception as error:
            waits = known.patience not in (None, 0) and (commits or not known.inside)
            if not waits or not here.database.retries(error) or not here.held_up():
                here.answered(here.database.classify(error).name)
                raise


def _rows(cursor: Any) -> str:
    count = getattr(cursor, "rowcount", -1)
    return "" if not isinstance(count, int) or count < 0 else f"{count} row{'' if count == 1 else 's'}"

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

_NO_STEP = re.compile(
    r"\s*(?:BEGIN(?!\s+(?:IMMEDIATE|EXCLUSIVE))|START\s+TRANSACTION(?!.*SNAPSHOT)|SAVEPOINT|RELEASE)\b", re.I
)
"""What takes neither a lock nor a snapshot."""


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


gate: ContextVar[Gate | None] = ContextVar("idstorm_gate", default=None)
"""The gate of the client in whose thread this runs, if it is stepped."""

_wrapped: WeakSet[Any] = WeakSet()
_wrapping = threading.Lock()
_sessions: dict[int, int | None] = {}  # by the identity of a driver's connection; its connections outlive a schedule
_autocommitting: set[int] = set()


def listen(database: Database) -> None:
    """Stop the clients that are stepped, on every pool of this process that connects from now on."""

    def on_connect(connection: Any, record: Any) -> None:
        _sessions[id(connection)] = database.session_of(connection)
        _autocommitting.discard(id(connection))
        dialect = getattr(getattr(record, "_ConnectionRecord__pool", None), "_dialect", None)
        with _wrapping:
            if dialect is not None and dialect not in _wrapped:
                _wrap(dialect)
                _wrapped.add(dialect)

    event.listen(Pool, "connect", on_connect)


def _wrap(dialect: Any) -> None:
    dialect.do_execute = _executes(dialect.do_execute)
    dialect.do_executemany = _executes(dialect.do_executemany)
    plain = _executes(lambda cursor, statement, _, context: no_params(cursor, statement, context))
    no_params = dialect.do_execute_no_params
    dialect.do_execute_no_params = lambda cursor, statement, context=None: plain(cursor, statement, None, context)
    dialect.do_commit = _ends(dialect.do_commit, "COMMIT")
    dialect.do_rollback = _ends(dialect.do_rollback, "ROLLBACK")
    dialect.set_isolation_level = _isolates(dialect.set_isolation_level)


def _executes(method: Callable[..., None]) -> Callable[..., None]:
    def do_execute(cursor: Any, statement: str, parameters: Any, context: Any = None) -> None:
        here = gate.get()
        if here is not None and _NO_STEP.match(statement):
            here.passed(statement, parameters)
        if here is None or _NO_STEP.match(statement):
            return method(cursor, statement, parameters, context)
        step, connection = " ".join(statement.split()), cursor.connection
        here.stand(step, _sessions.get(id(connection)), (statement, parameters))
        splits = id(connection) in _autocommitting and may_write(statement)
        if splits:
            _say(connection, "BEGIN")
        _patiently(here, lambda: method(cursor, statement, parameters, context))
        if splits:
            _end_own(here, connection)
        here.answered(_rows(cursor))
        return None

    return do_execute


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


def _isolates(method: Callable[[Any, str], None]) -> Callable[[Any, str], None]:
    def set_isolation_level(connection: Any, level: str) -> None:
        method(connection, level)
        (_autocommitting.add if level == "AUTOCOMMIT" else _autocommitting.discard)(id(connection))

    return set_isolation_level


def _rows(cursor: Any) -> str:
    count = getattr(cursor, "rowcount", -1)
    return "" if not isinstance(count, int) or count < 0 else f"{count} row{'' if count == 1 else 's'}"


def _first_line(error: Exception) -> str:
    return next(iter(str(error).strip().splitlines()), type(error).__name__)

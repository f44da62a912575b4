"""What is heard of a client's operation, on every pool and every SQLAlchemy engine of its process.

A checkout begins an operation, and its COMMITs decide its outcome after an error. Engine events would cost twenty
microseconds per insert, since one of them switches all of them on. So the events of the class of all pools are listened
to, and at the first connection of each pool, the methods of its dialect that see all traffic are wrapped. That costs a
few calls and look-ups, and only in the context of a client: its thread, or its task and those that this starts.

Not heard are a driver used without SQLAlchemy, and threads that the work starts. The rehearsal finds work that does so
each time. What a raw cursor did on one of SQLAlchemy's connections is asked of the driver after an error.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any
from weakref import WeakSet

from sqlalchemy import event
from sqlalchemy.pool import Pool

from idstorm.internals import dialect_of, pool_of
from idstorm.storm.ear import Ear

_KNOWN = 4_096  # statements that are remembered as committing nothing


_ear: ContextVar[Ear | None] = ContextVar("idstorm_ear", default=None)  # the client's, in its thread or its tasks
_wrapped: WeakSet[Any] = WeakSet()
_listeners: list[None] = []  # one for each thread that listens to the pools of the process
_opened: list[None] = []  # one for each connection: appending to a list takes no lock
_wrapping = threading.Lock()
_autocommitting: set[int] = set()  # ids of driver connections that commit each statement; not all allow weak references


def hear(ear: Ear | None) -> None:
    """Let this ear hear what happens in this thread, or in this task and those that it starts."""
    _ear.set(ear)


def listen() -> None:
    """Listen to every pool of this process that connects from now on."""
    with _wrapping:
        if not _listeners:
            for name, heard in _EVENTS.items():
                event.listen(Pool, name, heard)
        _listeners.append(None)


def _leave() -> None:
    """Stop listening, unless another thread still listens: the columns of a matrix rehearse at the same time."""
    with _wrapping:
        _listeners.pop()
        if not _listeners:
            for name, heard in _EVENTS.items():
                event.remove(Pool, name, heard)


def opened() -> int:
    """Return how many connections the pools of this process have opened in total."""
    return len(_opened)


@contextmanager
def listening(ear: Ear | None = None) -> Iterator[None]:
    """Listen to pools for a while, with the ear, if there is one, in this thread."""
    listen()
    hear(ear)
    try:
        yield
    finally:
        hear(None)
        _leave()


def _on_connect(connection: Any, record: Any) -> None:
    """Wrap a pool's dialect. No event names it; if it is not found, its connections count as raw."""
    _opened.append(None)
    _autocommitting.discard(id(connection))  # the id may be that of a connection that is gone
    dialect = dialect_of(pool_of(record))
    with _wrapping:
        if dialect is not None and dialect not in _wrapped:
            _wrap(dialect)
            _wrapped.add(dialect)


def _on_checkout(_: Any, __: Any, proxy: object) -> None:
    ear = _ear.get()
    if ear is not None:
        ear.checked_out(proxy)


_EVENTS: dict[str, Callable[..., None]] = {"connect": _on_connect, "checkout": _on_checkout}


def _wrap(dialect: Any) -> None:
    """Hear what goes through a dialect."""
    harmless: set[str] = set()
    wrappers: dict[str, Callable[[Any], Any]] = {
        "do_begin": _begins,
        "do_begin_twophase": _begins_twophase,
        "do_commit": _answers,
        "do_commit_twophase": _answers,
        "do_prepare_twophase": _answers,
        "do_execute": lambda method: _executes(method, harmless),
        "do_executemany": lambda method: _executes(method, harmless, many=True),
        "do_execute_no_params": lambda method: _executes_plain(method, harmless),
        "set_isolation_level": _isolates,
    }
    for name, wrapper in wrappers.items():
        method = getattr(dialect, name, None)
        if method is not None:  # the dialect of a pool without an engine has few of these methods
            setattr(dialect, name, wrapper(method))


def _begins(method: Callable[[Any], None]) -> Callable[[Any], None]:
    def do_begin(connection: Any) -> None:
        ear = _ear.get()
        if ear is not None:
            ear.begins(connection, id(connection.dbapi_connection) in _autocommitting)
        method(connection)

    return do_begin


def _begins_twophase(method: Callable[[Any, Any], None]) -> Callable[[Any, Any], None]:
    def do_begin_twophase(connection: Any, xid: Any) -> None:
        _begins(lambda _: method(connection, xid))(connection.connection)

    return do_begin_twophase


def _answers(method: Callable[..., None]) -> Callable[..., None]:
    def do_commit(*given: Any, **named: Any) -> None:
        ear = _ear.get()
        if ear is None:
            return method(*given, **named)
        ear.commits()
        _ear.set(None)  # PREPARE TRANSACTION is also a statement: its answer must count only once
        try:
            method(*given, **named)
        except BaseException as error:
            ear.answered(error)
            raise
        finally:
            _ear.set(ear)
        ear.answered(None)
        return None

    return do_commit


def _executes(method: Callable[..., None], harmless: set[str], *, many: bool = False) -> Callable[..., None]:
    def do_execute(cursor: Any, statement: str, parameters: Any, context: Any = None) -> None:
        ear = _ear.get()
        if ear is None:
            return method(cursor, statement, parameters, context)
        if ear.fresh:
            ear.used(context)
        committing = (ear.autocommitting or statement not in harmless) and _may_commit(ear, statement, harmless)
        try:
            method(cursor, statement, parameters, context)
        except BaseException as error:
            ear.failed(error, statement, cursor, committing=committing, many=many)
            raise
        if committing:
            ear.executed(statement, cursor)
        else:
            ear.came_through(statement)
        return None

    return do_execute


def _executes_plain(method: Callable[..., None], harmless: set[str]) -> Callable[..., None]:
    heard = _executes(lambda cursor, statement, _, context: method(cursor, statement, context), harmless)

    def do_execute_no_params(cursor: Any, statement: str, context: Any = None) -> None:
        return heard(cursor, statement, None, context)

    return do_execute_no_params


def _may_commit(ear: Ear, statement: str, harmless: set[str]) -> bool:
    if ear.may_commit(statement):
        return True
    if not ear.autocommitting and len(harmless) < _KNOWN:
        harmless.add(statement)
    return False


def _isolates(method: Callable[[Any, str], None]) -> Callable[[Any, str], None]:
    def set_isolation_level(connection: Any, level: str) -> None:
        method(connection, level)
        if level == "AUTOCOMMIT":
            _autocommitting.add(id(connection))
        else:
            _autocommitting.discard(id(connection))

    return set_isolation_level

"""Listening to a session that somebody else opens: what its flushes were told, and what became of them.

Only a COMMIT that reaches the database acknowledges. SQLAlchemy's `after_commit` also fires where a savepoint is
released, and where a session joined a transaction that its caller began and will roll back: the connection is asked
whether it still is in a transaction. What such an outer transaction comes to is heard from its connection.

Where each statement is a transaction, rows can be seen, deleted, and their ids handed out again before it is heard that
they were inserted: such inserts stay unknown, whatever is said of them later, and count where the table holds them.

https://docs.sqlalchemy.org/en/20/orm/session_transaction.html#joining-a-session-into-an-external-transaction-such-as-for-test-suites
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from time import monotonic_ns
from typing import Any
from weakref import WeakKeyDictionary

import sqlalchemy as sa
from sqlalchemy.orm import Session, SessionTransaction

from idstorm.join.asked import Asked, Place, commits_at_once, may_autocommit, proves_rollback
from idstorm.join.journal import Journal
from idstorm.record.outcome import Outcome

Name = tuple[type, tuple[str, ...]]
"""Of what is asked for: a mapped class and the attributes of its id."""

_KEY = "idstorm"
_OK, _FAILED, _UNKNOWN = int(Outcome.OK), int(Outcome.FAILED), int(Outcome.UNKNOWN)


@dataclass(slots=True)
class _State:
    """What is under way on one session."""

    began: int = 0  #: when its transaction did, or the one around it; 0: there is none
    connection: sa.Connection | None = None  #: the last one that the transaction was given
    several: bool = False  #: the transaction has several connections
    new: tuple[Any, ...] = ()  #: what the flush under way inserts
    autocommit: bool = False  #: what it inserted was committed statement by statement
    commit: int = 0  #: when COMMIT was about to be sent; 0: it was not
    pending: list[tuple[int, SessionTransaction | None]] = field(default_factory=list)
    #: flushes of which nothing is known yet, each with the savepoint that it is in


@dataclass(slots=True)
class _Outer:
    """A transaction that goes on around those of sessions."""

    began: int = 0  #: when the first of them did
    flushes: list[int] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Table:
    """A physical table, as it was seen for an origin."""

    number: int
    engine: sa.Engine
    process: int  #: whose journal the number is from
    origin: int | None
    place: Place
    autocommit: bool  #: each statement may be a transaction
    read: Callable[[Any], Any]  #: returns the id that an instance was told


class Listener:
    """Listens to what a target makes: a Session, a sessionmaker, a scoped_session.

    It records while it has an `origin`; what became of flushes that it has recorded, it records in any case.
    """

    def __init__(self, journal: Journal, target: Any) -> None:
        self._journal = journal
        self._asked: dict[Name, Asked] = {}
        self._outer: WeakKeyDictionary[sa.Connection, _Outer] = WeakKeyDictionary()
        self._tables: dict[Name, _Table] = {}  # those that were seen last
        self._fault = False
        self.origin: int | None = None
        for name in (
            "after_begin",
            "before_flush",
            "after_flush",
            "before_commit",
            "after_commit",
            "after_soft_rollback",
            "after_transaction_end",
        ):
            sa.event.listen(target, name, self._harmless(getattr(self, f"_{name}")))

    def _harmless(self, handler: Callable[..., None]) -> Callable[..., None]:
        """Return a handler whose own error is no error of the session: it is recorded, and the recording ends."""

        def handle(*args: Any) -> None:
            if self._fault:
                return
            try:
                handler(*args)
            except Exception as error:
                self._fault = True
                with suppress(Exception):
                    self._journal.fault(f"{type(error).__name__}: {error}")

        return handle

    def ask(self, asked: Asked) -> None:
        """Listen for the inserts of a mapped class, too."""
        self._asked.setdefault(asked.name, asked)

    def _after_begin(self, session: Session, _: SessionTransaction, connection: sa.Connection) -> None:
        state = _state(session)
        if not state.began:
            outer = self._outer.get(connection) if self._outer else None
            state.began = outer.began if outer is not None and outer.flushes else monotonic_ns()
            state.connection, state.several = connection, False
        elif connection is not state.connection:
            state.several = True

    def _before_flush(self, session: Session, _context: Any, _instances: Any) -> None:
        if self.origin is not None:
            _state(session).new = tuple(session.new)

    def _after_flush(self, session: Session, _: Any) -> None:
        state, now = _state(session), monotonic_ns()
        new, state.new = state.new, ()
        origin = self.origin  # which another thread may take away at any time
        if origin is None:
            return
        for asked in self._asked.values():
            made = [one for one in new if isinstance(one, asked.model)]
            if made:
                self._told(session, state, asked, made, origin, now)

    def _told(self, session: Session, state: _State, asked: Asked, made: list[Any], origin: int, now: int) -> None:
        connection = state.connection
        if connection is None or state.several:
            connection = session.connection(bind_arguments={"mapper": sa.inspect(asked.model)})
        table = self._tables.get(asked.name)
        if table is None or not self._is_current(table, connection, origin):
            table = self._table(connection, asked, origin)
        if table.autocommit or "isolation_level" in connection.get_execution_options():
            state.autocommit |= commits_at_once(connection)
        flush, read = self._journal.number(), table.read
        ids = [read(one) for one in made]
        integers = asked.plain and all(type(id_) is int for id_ in ids)
        shown = str(ids) if integers else json.dumps(ids, default=_jsonable)
        self._journal.write(f'["told",{flush},{table.number},{origin},{state.began},{now},{shown}]\n')
        state.pending.append((flush, session.get_nested_transaction()))

    def _is_current(self, table: _Table, connection: sa.Connection, origin: int) -> bool:
        """Return whether a table that was seen last is the one that this connection sees, for this origin."""
        return (
            table.engine is connection.engine
            and table.origin == origin
            and table.place.private is None
            and table.process == self._journal.process
        )

    def _before_commit(self, session: Session) -> None:
        if not session.in_nested_transaction():
            _state(session).commit = monotonic_ns()

    def _after_commit(self, session: Session) -> None:
        state = _state(session)
        if not state.pending or session.in_nested_transaction():
            return
        if state.autocommit:
            self._end(state, [flush for flush, _ in state.pending], _UNKNOWN)
        elif state.connection is not None and not state.several and not state.connection.in_transaction():
            state.commit = state.commit or state.began  # unheard where `with session.begin()` has left a savepoint open
            self._end(state, [flush for flush, _ in state.pending], _OK)
        else:
            self._settle(state)
        state.pending.clear()

    def _after_soft_rollback(self, session: Session, ended: SessionTransaction) -> None:
        state = session.info.get(_KEY)
        if state is None:
            return
        error = sys.exception()
        if state.new:
            if self.origin is not None and error is not None:
                self._refused(state, error)
            state.new, state.commit = (), 0  # whatever was sent, it was no COMMIT
        edge = ended
        while edge.parent is not None and not edge.nested:
            edge = edge.parent
        inside = [one for one in state.pending if edge.parent is None or _is_within(one[1], edge)]
        if inside:
            self._end(state, [flush for flush, _ in inside], self._outcome(state, error))
            state.pending = [one for one in state.pending if one not in inside]

    def _after_transaction_end(self, session: Session, ended: SessionTransaction) -> None:
        if ended.parent is not None:
            return
        state = session.info.pop(_KEY, None)
        if state is not None and state.pending:  # closed without a word
            self._settle(state)

    def _outcome(self, state: _State, error: BaseException | None) -> int:
        """Return what a rollback says of the inserts before it, for which COMMIT had been sent, perhaps."""
        if state.autocommit:
            return _UNKNOWN
        if not state.commit:
            return _FAILED
        known = error is not None and state.connection is not None and proves_rollback(state.connection, error)
        return _FAILED if known else _UNKNOWN

    def _settle(self, state: _State) -> None:
        """Leave flushes to the transaction that goes on around them, if there is one; else they were rolled back."""
        flushes = [flush for flush, _ in state.pending]
        connection = state.connection
        if connection is None or state.several or state.autocommit:
            self._end(state, flushes, _UNKNOWN)
        elif connection.in_transaction():
            if connection not in self._outer:
                self._outer[connection] = _Outer()
                sa.event.listen(connection, "rollback", self._harmless(self._outer_rollback))
                sa.event.listen(connection, "commit", self._harmless(self._outer_commit))
            outer = self._outer[connection]
            outer.began = outer.began if outer.flushes else state.began
            outer.flushes += flushes
        else:
            self._end(state, flushes, _UNKNOWN if state.commit else _FAILED)

    def _outer_rollback(self, connection: sa.Connection) -> None:
        self._end(_State(), self._outer[connection].flushes, _FAILED)
        self._outer[connection] = _Outer()

    def _outer_commit(self, connection: sa.Connection) -> None:
        """Called before COMMIT is sent: what becomes of it is not heard."""
        self._end(_State(commit=monotonic_ns()), self._outer[connection].flushes, _UNKNOWN)
        self._outer[connection] = _Outer()

    def _end(self, state: _State, flushes: list[int], outcome: int) -> None:
        if flushes:
            self._journal.write(f'["end",{flushes},{state.commit},{monotonic_ns()},{outcome}]\n')

    def _refused(self, state: _State, error: BaseException) -> None:
        """Record a flush that failed, and whether the id's own constraint was the reason."""
        connection = state.connection
        if connection is None or state.several:
            return
        for asked in self._asked.values():
            self._refused_of(asked, state, connection, error)

    def _refused_of(self, asked: Asked, state: _State, connection: sa.Connection, error: BaseException) -> None:
        table = self._tables.get(asked.name)  # the one seen last: it is too late to look, since all is undone
        if table is not None and table.engine is connection.engine and table.process == self._journal.process:
            code = asked.refusal(connection, error)
            rows = sum(isinstance(one, asked.model) for one in state.new)
            line = ["refused", table.number, self.origin, state.began, monotonic_ns(), rows, code]
            if rows:
                self._journal.write(json.dumps(line) + "\n")

    def _table(self, connection: sa.Connection, asked: Asked, origin: int) -> _Table:
        """Return the physical table, looked at once for each origin, and for each connection that others cannot see."""
        own = (self._journal.process, origin)
        known = connection.info.get(_KEY)
        if known is None or known[0] != own:
            known = connection.info[_KEY] = own, {}
        tables: dict[Name, _Table] = known[1]
        if asked.name not in tables:
            place, before = asked.place(connection), self._tables.get(asked.name)
            seen = (place, own[0], connection.engine)
            if before is not None and (before.place, before.process, before.engine) == seen:
                tables[asked.name] = replace(before, origin=origin)
            else:
                number = self._journal.number()
                self._journal.write(json.dumps(["table", number, asked.describe(connection, place)]) + "\n")
                read, autocommit = asked.reader(connection), may_autocommit(connection)
                tables[asked.name] = _Table(number, connection.engine, *own, place, autocommit, read)
        self._tables[asked.name] = tables[asked.name]
        return tables[asked.name]


def _state(session: Session) -> _State:
    state = session.info.get(_KEY)
    if state is None:
        state = session.info[_KEY] = _State()
    return state


def _is_within(inner: SessionTransaction | None, edge: SessionTransaction) -> bool:
    while inner is not None:
        if inner is edge:
            return True
        inner = inner.parent
    return False


def _jsonable(value: object) -> str:
    return value.hex() if isinstance(value, bytes) else str(value)

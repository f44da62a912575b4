"""Listening to a session that other code opens: what its flushes were told, and what became of them.

Only a COMMIT that reaches the database acknowledges. SQLAlchemy's `after_commit` also fires when a savepoint is
released, and when a session has joined a transaction that its caller began and will roll back. So the connection is
asked whether it is still in a transaction, and is listened to for the end of such an outer transaction.

If each statement is a transaction, other sessions can see and delete rows, and be told their ids, before the insert is
heard. The outcome of such inserts stays unknown, whatever follows, and they count if the table holds them.

Statements that a session executes itself, without a flush, are heard only if they fail; their ids are not heard.

https://docs.sqlalchemy.org/en/20/orm/session_transaction.html#joining-a-session-into-an-external-transaction-such-as-for-test-suites
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from time import monotonic_ns
from typing import Any
from weakref import WeakKeyDictionary

import sqlalchemy as sa
from sqlalchemy.orm import ORMExecuteState, Session, SessionTransaction, UOWTransaction

from idstorm.join.failing import (
    UNHEARD,
    Code,
    Failure,
    answer_of_commit,
    code_of,
    connection_for,
    failed_in,
    failures_of,
)
from idstorm.join.journal import Journal
from idstorm.join.state import KEY, Pending, State, connections_of, is_within, state_of
from idstorm.join.tables import Tables
from idstorm.join.watched import Name, Watched, commits_at_once, proves_rollback
from idstorm.record.outcome import Outcome

_OK, _FAILED, _UNKNOWN = int(Outcome.OK), int(Outcome.FAILED), int(Outcome.UNKNOWN)


@dataclass(slots=True)
class _Outer:
    """A transaction around those of sessions."""

    began: int = 0  #: when the first of the sessions' transactions began
    flushes: list[int] = field(default_factory=list)


class Listener:
    """Listens to the sessions of a target: a Session, a sessionmaker or a scoped_session.

    It records new flushes only while it has an `origin`, but the outcome of recorded flushes in any case.
    """

    def __init__(self, journal: Journal, target: Any) -> None:
        self._journal = journal
        self._watched: dict[Name, Watched] = {}
        self._outer: WeakKeyDictionary[sa.Connection, _Outer] = WeakKeyDictionary()
        self._tables = Tables(journal)
        self._fault = False
        self.origin: int | None = None
        for name in (
            "after_begin",
            "before_flush",
            "after_flush",
            "before_commit",
            "after_commit",
            "after_rollback",
            "after_soft_rollback",
            "after_transaction_end",
        ):
            sa.event.listen(target, name, self._harmless(getattr(self, f"_{name}")))
        sa.event.listen(target, "do_orm_execute", self._do_orm_execute)

    def _harmless(self, handler: Callable[..., None]) -> Callable[..., None]:
        """Return a handler whose errors do not reach the session: the first one is recorded and ends the recording."""

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

    def ask(self, watched: Watched) -> None:
        """Also listen for the inserts of a mapped class."""
        self._watched.setdefault(watched.name, watched)

    def _after_begin(self, session: Session, _: SessionTransaction, connection: sa.Connection) -> None:
        state = state_of(session)
        if not state.began:
            outer = self._outer.get(connection) if self._outer else None
            state.began = outer.began if outer is not None and outer.flushes else monotonic_ns()
        if connection not in state.connections:
            state.connections.append(connection)

    def _before_flush(self, session: Session, flush: UOWTransaction, _instances: Any) -> None:
        if self.origin is not None:
            state = state_of(session)
            state.flushing = flush
            if not state.connections:  # the transaction may have begun before listening did
                state.connections = connections_of(session)
            if state.connections and not state.began:
                state.began = monotonic_ns()

    def _after_flush(self, session: Session, flush: UOWTransaction) -> None:
        state, now = state_of(session), monotonic_ns()
        origin = self.origin  # read once: another thread may reset it at any time
        if origin is None or state.flushing is not flush:  # another listener, on a base class, was first
            return
        state.flushing = None
        new = tuple(session.new)  # including what other listeners added before the flush
        for watched in tuple(self._watched.values()):
            made = [one for one in new if isinstance(one, watched.model)]
            if made:
                self._told(session, state, watched, made, origin, now)

    def _told(self, session: Session, state: State, watched: Watched, made: list[Any], origin: int, now: int) -> None:
        connection = state.connection
        if connection is None:
            connection = session.connection(bind_arguments={"mapper": sa.inspect(watched.model)})
        table = self._tables.seen(connection, watched, origin)
        if table.autocommit or "isolation_level" in connection.get_execution_options():
            state.autocommit |= commits_at_once(connection)
        number, read = self._journal.number(), table.read
        ids = [read(one) for one in made]
        integers = watched.plain and all(type(id_) is int for id_ in ids)
        shown = str(ids) if integers else json.dumps(ids, default=_jsonable)
        self._journal.write(f'["told",{number},{table.number},{origin},{state.began or now},{now},{shown}]\n')
        state.pending.append(Pending(number, session.get_nested_transaction(), watched, connection))

    def _do_orm_execute(self, execution: ORMExecuteState) -> Any:
        """Hear if an INSERT statement fails; nothing else is heard of it."""
        if self.origin is None or self._fault or not execution.is_insert:
            return None
        try:
            return execution.invoke_statement()
        except Exception as error:
            self._harmless(self._statement_failed)(execution.session, error, self.origin)
            raise

    def _statement_failed(self, session: Session, error: BaseException, origin: int | None) -> None:
        state = state_of(session)
        if state.heard is error or origin is None:
            return
        state.heard = error
        state.connections = state.connections or connections_of(session)
        for watched in tuple(self._watched.values()):
            connection = connection_for(session, watched, state.connections)
            rows = 0 if connection is None else failed_in(error, watched)
            if connection is not None and rows:
                now = monotonic_ns()
                code = code_of(watched, connection, error)
                self._failed(state, Failure(watched, connection, origin, state.began or now, now, rows, code))

    def _flush_failed(self, session: Session, flush: UOWTransaction, error: BaseException, origin: int) -> None:
        state = state_of(session)
        state.heard = error
        for failure in failures_of(
            session, flush, self._watched.values(), state.connections, error, origin, state.began
        ):
            self._failed(state, failure)

    def _failed(self, state: State, failure: Failure) -> None:
        table = self._tables.seen_after_an_error(failure.connection, failure.watched, failure.origin)
        if table is None:
            state.failures.append(failure)
        else:
            self._journal.write(failure.line(table.number))

    def _place_failures(self, state: State, *, finally_: bool) -> None:
        """Find out in which tables inserts failed, where that could not be asked at once."""
        failures, state.failures = state.failures, []
        for failure in failures:
            if finally_:
                table = self._tables.unseen(failure.connection, failure.watched)
                self._journal.write(failure.line(table.number))
            else:
                self._failed(state, failure)

    def _before_commit(self, session: Session) -> None:
        if not session.in_nested_transaction():
            state_of(session).commit = monotonic_ns()

    def _after_commit(self, session: Session) -> None:
        state = state_of(session)
        if not state.pending or session.in_nested_transaction():
            return
        connection = state.connection
        if state.autocommit:
            self._end(state, state.pending, _UNKNOWN)
        elif connection is not None and not connection.in_transaction():
            # The moment was not heard if `with session.begin()` left a savepoint open.
            state.commit = state.commit or state.began
            self._end(state, state.pending, _OK)
        else:
            self._settle(state)
        state.pending = []

    def _after_rollback(self, session: Session) -> None:
        state: State | None = session.info.get(KEY)
        if state is not None and state.failures:  # the database answers again now
            self._place_failures(state, finally_=False)

    def _after_soft_rollback(self, session: Session, ended: SessionTransaction) -> None:
        state: State | None = session.info.get(KEY)
        if state is None:
            return
        error, origin = sys.exception(), self.origin
        if state.flushing is not None:
            flush, state.flushing = state.flushing, None
            state.commit = 0  # the flush failed, so no COMMIT was sent
            if origin is not None and error is not None:
                self._flush_failed(session, flush, error, origin)
        elif error is not None and ended.parent is not None and not ended.nested:  # a bulk insert
            self._statement_failed(session, error, origin)
        edge = ended
        while edge.parent is not None and not edge.nested:
            edge = edge.parent
        inside = [one for one in state.pending if edge.parent is None or is_within(one.savepoint, edge)]
        if inside:
            self._rolled_back(state, inside)
            state.pending = [one for one in state.pending if one not in inside]

    def _after_transaction_end(self, session: Session, ended: SessionTransaction) -> None:
        if ended.parent is not None:
            return
        state: State | None = session.info.pop(KEY, None)
        if state is not None:
            self._place_failures(state, finally_=True)
            if state.pending:  # closed without a commit or rollback
                self._settle(state)

    def _rolled_back(self, state: State, those: Sequence[Pending]) -> None:
        """Record what a rollback means for the inserts before it, for which COMMIT may have been sent."""
        if not state.commit:
            self._end(state, those, _UNKNOWN if state.autocommit else _FAILED)
            return
        error = answer_of_commit(sys.exception())
        known = error is not None and state.connection is not None and proves_rollback(state.connection, error)
        self._end(state, those, _FAILED if known and not state.autocommit else _UNKNOWN, partial(_code, error))

    def _settle(self, state: State) -> None:
        """Leave flushes to the outer transaction, if one is still open; otherwise they were rolled back."""
        connection = state.connection
        if connection is None or state.autocommit:
            self._end(state, state.pending, _UNKNOWN)
        elif connection.in_transaction():
            if connection not in self._outer:
                self._outer[connection] = _Outer()
                sa.event.listen(connection, "rollback", self._harmless(self._outer_rollback))
                sa.event.listen(connection, "commit", self._harmless(self._outer_commit))
            outer = self._outer[connection]
            outer.began = outer.began if outer.flushes else state.began
            outer.flushes += [one.flush for one in state.pending]
        else:
            self._rolled_back(state, state.pending)

    def _outer_rollback(self, connection: sa.Connection) -> None:
        self._write_end(self._outer[connection].flushes, 0, _FAILED)
        self._outer[connection] = _Outer()

    def _outer_commit(self, connection: sa.Connection) -> None:
        """Called before COMMIT is sent, whose outcome is not heard."""
        self._write_end(self._outer[connection].flushes, monotonic_ns(), _UNKNOWN)
        self._outer[connection] = _Outer()

    def _end(
        self, state: State, those: Sequence[Pending], outcome: int, code: Callable[[Pending], Code] | None = None
    ) -> None:
        """Record the outcome of flushes, with the code of the error that answered COMMIT."""
        by_code: dict[Code | None, list[int]] = {}
        for one in those:
            by_code.setdefault(code(one) if code else None, []).append(one.flush)
        for its, flushes in by_code.items():
            self._write_end(flushes, state.commit, outcome, its)

    def _write_end(self, flushes: list[int], commit: int, outcome: int, code: Code | None = None) -> None:
        if flushes:
            self._journal.write(f'["end",{flushes},{commit},{monotonic_ns()},{outcome},{json.dumps(code)}]\n')


def _code(error: BaseException | None, one: Pending) -> Code:
    return UNHEARD if error is None else code_of(one.watched, one.connection, error)


def _jsonable(value: object) -> str:
    return value.hex() if isinstance(value, bytes) else str(value)

"""What one client has heard of its operation, and what that says about its outcome after an error."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from threading import get_ident
from typing import Any
from weakref import ref

import sqlalchemy as sa

from idstorm.databases.base import Database
from idstorm.databases.committing import may_write, writes
from idstorm.databases.error_code import ErrorCode
from idstorm.model.awaiting import home


class Ear:
    """What one client has heard of its current operation."""

    __slots__ = (
        "_classify",
        "_database",
        "_on_connection",
        "_others",
        "_proxies",
        "_raw",
        "_single",
        "_taken",
        "_thread",
        "autocommitting",
        "connections",
        "doubts",
        "failures",
        "fresh",
        "refusals",
        "statements",
        "under_way",
    )

    def __init__(
        self,
        database: Database,
        classify: Callable[[BaseException], ErrorCode],
        on_connection: Callable[[], None],
    ) -> None:
        self._database, self._classify, self._on_connection = database, classify, on_connection
        self.expect(single=False)

    def expect(self, *, single: bool) -> None:
        """Prepare for the next operation; `single` says that it inserts one row."""
        self._single = single
        self.under_way = True  #: False once the operation has ended: what a task of its does then is of no operation
        self.connections = 0  #: those taken from any pool, or kept from before
        self.doubts = 0  #: COMMITs, sent from anywhere, whose answer does not prove a rollback
        self.failures = 0  #: the driver's errors since a transaction was begun, or written in, and …
        self.refusals = 0  #: … the number of errors in which the id's own constraint refused a row
        self._taken: Callable[[], object] = lambda: None  # the last proxy of a connection, if it still exists
        self.fresh = 0  #: the identity of the last connection, until SQLAlchemy uses it, and …
        self._raw = 0  # … the number of connections that it never used
        self.autocommitting = False  #: a connection of the operation commits each statement
        self.statements: list[str] = []  #: those that succeeded
        self._proxies: list[Any] = []  # the connections on which transactions were begun
        self._others: list[Any] = []  # tasks and threads besides the client's own that were at work
        self._thread = get_ident()

    @property
    def certain(self) -> bool:
        """Whether nothing can have been committed by now.

        If SQLAlchemy itself did not use a connection, any work on it bypassed SQLAlchemy. A task or a thread that the
        work has started may still be going to commit.
        """
        return not (self.doubts or self._raw or self.fresh or self._slipped or self._at_work_elsewhere)

    @property
    def elsewhere_now(self) -> bool:
        """Whether this code runs in a task or a thread that is not the client's own."""
        return _stranger(self._thread) is not None

    @property
    def _at_work_elsewhere(self) -> bool:
        return any(not (isinstance(one, asyncio.Task) and one.done()) for one in self._others)

    @property
    def left_open(self) -> bool:
        """Whether the work has left a transaction open, which its next operation may commit."""
        return any(
            connection is not None and self._database.in_transaction(connection) is not False
            for connection in self._connections_begun
        )

    @property
    def only_refused(self) -> bool:
        """Whether the operation was to insert one row, and no statement that may write succeeded before the refusal."""
        return self._single and self.certain and self.refusals == 1 and not any(map(may_write, self.statements))

    @property
    def _slipped(self) -> bool:
        """Whether the driver has no transaction although SQLAlchemy assumes one: something else has ended it.

        An error in the database may also end one, and some databases open none before the first write.
        """
        if self.failures or self.autocommitting or (self.statements and not writes(self.statements[-1])):
            return False
        return any(
            connection is not None and self._database.in_transaction(connection) is False
            for connection in self._connections_begun[-1:]
        )

    @property
    def _connections_begun(self) -> list[Any]:
        return [proxy.dbapi_connection for proxy in self._proxies]  # None if it went back to its pool

    def checked_out(self, proxy: object) -> None:
        """Note that a connection was taken from a pool."""
        self._look_who()
        if self.fresh and self._taken() is not proxy:  # otherwise a handler of the event asked for another try
            self._raw += 1
        self.fresh, self._taken = id(proxy), ref(proxy)
        self._connected()

    def used(self, context: Any) -> None:
        """Note that SQLAlchemy itself uses a connection, for a statement before its transaction."""
        if context is not None and self.fresh == id(context.root_connection.connection):
            self.fresh = 0

    def begins(self, proxy: Any, autocommitting: bool) -> None:
        """Note that SQLAlchemy begins a transaction."""
        self._look_who()
        if not self.connections:
            self._connected()  # on a connection that the work had kept
        self.failures = 0
        if self.fresh == id(proxy):
            self.fresh = 0
        self._proxies.append(proxy)
        self.autocommitting |= autocommitting

    def _look_who(self) -> None:
        stranger = _stranger(self._thread)
        if stranger is not None:
            self._others.append(stranger)

    def _connected(self) -> None:
        self.connections += 1
        if self.connections == 1 and self.under_way:
            self._on_connection()

    def commits(self) -> None:
        """Note that a COMMIT is about to be sent: until its answer proves a rollback, it may have taken effect."""
        self.doubts += 1

    def answered(self, error: BaseException | None) -> None:
        """Note the answer to a COMMIT; None: it succeeded."""
        if error is not None and self._heard(sa.exc.DBAPIError("COMMIT", None, error)).rolled_back:
            self.doubts -= 1

    def may_commit(self, statement: str) -> bool:
        """Return whether a statement that is about to be sent may commit something."""
        if self.autocommitting:
            return may_write(statement)
        return self._database.statements.may_commit(statement)

    def came_through(self, statement: str) -> None:
        """Note that a statement succeeded. If it writes, a transaction is open again."""
        self.statements.append(statement)
        if self.failures and writes(statement):
            self.failures = 0

    def executed(self, statement: str, cursor: Any) -> None:
        """Note that a statement that may commit succeeded."""
        self.came_through(statement)
        if self.autocommitting or self._database.committed(getattr(cursor, "connection", None)):
            self.doubts += 1

    def failed(self, error: BaseException, statement: str, cursor: Any, *, committing: bool, many: bool) -> None:
        """Note that a statement failed. One that was refused under AUTOCOMMIT has certainly done nothing."""
        code = self._heard(sa.exc.DBAPIError(statement, None, error))
        if many:  # rows before the refused one may be stored, if each is a transaction
            self.statements.append(statement)
        if not committing or (self.autocommitting and self._single and code.refused and not many):
            return
        if self.autocommitting or self._database.committed(getattr(cursor, "connection", None)):
            self.doubts += 1

    def _heard(self, error: BaseException) -> ErrorCode:
        code = self._classify(error)
        self.failures += 1
        self.refusals += code.refused
        return code


def _stranger(thread: int) -> object | None:
    """Return the task or the thread in which this code runs, unless that is the client's own."""
    own = home.get()
    if own is None or get_ident() != thread:
        return None if get_ident() == thread else get_ident()
    task = asyncio.current_task()
    return None if task is own else task

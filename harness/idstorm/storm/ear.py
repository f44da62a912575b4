"""What one client has heard of its operation, and what that says about its outcome after an error."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from weakref import ref

import sqlalchemy as sa

from idstorm.databases.base import Database
from idstorm.databases.committing import may_write, writes
from idstorm.databases.error_code import ErrorCode


class Ear:
    """What one client has heard of its current operation."""

    __slots__ = (
        "_classify",
        "_database",
        "_on_connection",
        "_proxies",
        "_raw",
        "_single",
        "_taken",
        "autocommitting",
        "connections",
        "doubts",
        "failures",
        "fresh",
        "refusals",
        "statements",
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

    @property
    def certain(self) -> bool:
        """Whether nothing can have been committed by now.

        If SQLAlchemy itself did not use a connection, any work on it bypassed SQLAlchemy.
        """
        return not (self.doubts or self._raw or self.fresh or self._slipped)

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
        if not self.connections:
            self._connected()  # on a connection that the work had kept
        self.failures = 0
        if self.fresh == id(proxy):
            self.fresh = 0
        self._proxies.append(proxy)
        self.autocommitting |= autocommitting

    def _connected(self) -> None:
        self.connections += 1
        if self.connections == 1:
            self._on_connection()

    def commits(self) -> None:
        """Note that a COMMIT is about to be sent: until its answer proves a rollback, it may have taken effect."""
        self.doubts += 1

    def answered(self, error: BaseException | None) -> None:
        """Note the answer to a COMMIT; None: it succeeded."""
        if error is not None and self._heard(error).rolled_back:
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

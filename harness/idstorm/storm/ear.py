"""What one client has heard of its operation, and what an error therefore leaves of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from weakref import ref

import sqlalchemy as sa

from idstorm.databases.base import Database, ErrorCode
from idstorm.databases.committing import may_write, writes


class Ear:
    """What one client has heard of the operation under way."""

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
        """Another operation begins; `single` tells that it inserts one row."""
        self._single = single
        self.connections = 0  #: that were taken from any pool, or kept from before
        self.doubts = 0  #: COMMITs that were sent, whatever sent them, and whose answer proves no rollback
        self.failures = 0  #: errors of the driver since a transaction was begun, or written in, and …
        self.refusals = 0  #: … those of them in which the id's own constraint refused a row
        self._taken: Callable[[], object] = lambda: None  # the last proxy of a connection, if it is still there
        self.fresh = 0  #: the last connection, by its identity, as long as SQLAlchemy has not used it, and …
        self._raw = 0  # … how many it never did
        self.autocommitting = False  #: a connection of the operation commits each statement by itself
        self.statements: list[str] = []  #: that came through
        self._proxies: list[Any] = []  # the connections on which transactions were begun

    @property
    def certain(self) -> bool:
        """Whether nothing that was done can have been committed by now.

        On a connection that SQLAlchemy itself did not use, whatever was done went past it.
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
        """Whether one row was to be inserted, and nothing that may write one came through before it was refused."""
        return self._single and self.certain and self.refusals == 1 and not any(map(may_write, self.statements))

    @property
    def _slipped(self) -> bool:
        """Whether the driver has no transaction where SQLAlchemy believes in one: something else has ended it.

        The database itself may end one with an error, and some open none before something is written.
        """
        if self.failures or self.autocommitting or (self.statements and not writes(self.statements[-1])):
            return False
        return any(
            connection is not None and self._database.in_transaction(connection) is False
            for connection in self._connections_begun[-1:]
        )

    @property
    def _connections_begun(self) -> list[Any]:
        return [proxy.dbapi_connection for proxy in self._proxies]  # None where it went back to its pool

    def checked_out(self, proxy: object) -> None:
        """A connection was taken from a pool."""
        if self.fresh and self._taken() is not proxy:  # else a handler of the event has asked for another try
            self._raw += 1
        self.fresh, self._taken = id(proxy), ref(proxy)
        self._connected()

    def used(self, context: Any) -> None:
        """SQLAlchemy itself uses a connection, for a statement that comes before its transaction."""
        if context is not None and self.fresh == id(context.root_connection.connection):
            self.fresh = 0

    def begins(self, proxy: Any, autocommitting: bool) -> None:
        """A transaction is begun, as far as SQLAlchemy is concerned."""
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
        """A COMMIT is about to be sent."""

    def answered(self, error: BaseException | None) -> None:
        """A COMMIT was sent, and this was the answer."""
        if error is None:
            self.doubts += 1
            return
        code = self._heard(error)
        if not code.rolled_back:
            self.doubts += 1

    def may_commit(self, statement: str) -> bool:
        """Return whether a statement that is about to be sent may commit something."""
        if self.autocommitting:
            return may_write(statement)
        return self._database.statements.may_commit(statement)

    def came_through(self, statement: str) -> None:
        """A statement came through: one that writes has a transaction open again."""
        self.statements.append(statement)
        if self.failures and writes(statement):
            self.failures = 0

    def executed(self, statement: str, cursor: Any) -> None:
        """A statement that may commit came through."""
        self.came_through(statement)
        if self.autocommitting or self._database.committed(getattr(cursor, "connection", None)):
            self.doubts += 1

    def failed(self, error: BaseException, statement: str, cursor: Any, *, committing: bool, many: bool) -> None:
        """A statement ended in an error. One that was refused under AUTOCOMMIT has certainly done nothing."""
        code = self._heard(sa.exc.DBAPIError(statement, None, error))
        if many:  # rows before the one that was refused may be there, where each is a transaction
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

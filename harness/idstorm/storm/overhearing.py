"""Whether every commit of the work itself is heard: the rehearsal looks for its rows around each COMMIT.

Only if it is can an error in the storm be said to have come before any COMMIT. If a row appears although no COMMIT was
heard, it was committed past SQLAlchemy, by the work's own use of a driver or in another thread.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import sqlalchemy as sa

from idstorm.databases.base import Database
from idstorm.databases.error_code import ErrorCode
from idstorm.databases.whereabouts import whereabouts
from idstorm.storm.deadline import in_time
from idstorm.storm.ear import Ear
from idstorm.storm.hearing import hear


class Overhearing(Ear):
    """The ear of a rehearsal."""

    __slots__ = ("_count", "_known", "_own", "elsewhere", "heard", "unseen")

    def __init__(
        self,
        database: Database,
        classify: Callable[[BaseException], ErrorCode],
        count: Callable[[], int],
        own: sa.Engine,
    ) -> None:
        self._own = own  #: the storm's engine
        self.elsewhere: dict[str, None] = {}  #: where other connections of the work lead
        self._known: int | None
        self._count, self._known = count, None
        self.heard, self.unseen = True, False  #: over all operations so far
        super().__init__(database, classify, lambda: None)

    @contextmanager
    def operation(self) -> Iterator[None]:
        """Listen to the work of one operation."""
        self.expect(single=False)
        self._known = self._look() if self.heard else None
        hear(self)
        try:
            yield
        finally:
            hear(None)
        self._before()
        self.unseen |= not self.connections

    def checked_out(self, proxy: Any) -> None:
        """Note where a connection from another pool leads, which may be anywhere."""
        if getattr(proxy, "_pool", None) is not self._own.pool:
            with suppress(Exception):  # the error of any driver
                self.elsewhere[whereabouts(proxy.dbapi_connection) or "a database"] = None
        super().checked_out(proxy)

    def _look(self) -> int | None:
        """Return how many rows others see; None where that is not available, since the work has locked them out."""
        return in_time(self._count)

    def _before(self) -> None:
        if self.heard:
            self.heard = self._known is not None and self._look() == self._known

    def commits(self) -> None:
        """Check that no row has appeared since the last COMMIT."""
        super().commits()
        self.heard &= not self.elsewhere_now  # what may outlive the operation, and commit after its end
        self._before()

    def may_commit(self, statement: str) -> bool:
        """Do the same for a statement that may commit."""
        doubtful = super().may_commit(statement)
        if doubtful:
            self.heard &= not self.elsewhere_now
            self._before()
        return doubtful

    def answered(self, error: BaseException | None) -> None:
        """Attribute the rows that have appeared now to this COMMIT."""
        super().answered(error)
        self._known = self._look() if self.heard else None

    def executed(self, statement: str, cursor: Any) -> None:
        """Do the same for a statement that may have committed."""
        super().executed(statement, cursor)
        self._known = self._look() if self.heard else None

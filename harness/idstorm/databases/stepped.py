"""What a database implements so that its sessions can be stepped through their statements."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar

import sqlalchemy as sa

from idstorm.databases.censuses import Censuses

KEPT = "idstorm_kept_"
"""What the names of tables begin with that hold the rows of others, while schedules change those."""


@dataclass(frozen=True)
class Standalone:
    """What a program without SQLAlchemy needs to work in a place of its own."""

    package: str  #: what it has to import, in words
    usage: str  #: how it is called, in words, after "and"
    connecting: str
    """Python that defines `make_place()`, `connect()`, which returns a connection of the driver, and `drop_place()`."""


class Stepped(Censuses):
    """How a database says who waits, and how a namespace gets back to where it was."""

    explorable: ClassVar[bool] = False  #: all of this is implemented
    stepped: ClassVar[Mapping[str, str]] = {}
    """Settings of sessions that are stepped."""

    @contextmanager
    def working_in(self, url: sa.URL) -> Iterator[sa.Connection]:
        """Open a connection into a namespace on which each statement is a transaction."""
        with self.engine_into(url).connect() as connection:
            yield connection

    def engine_into(self, url: sa.URL) -> sa.Engine:
        """Return an engine for such connections, none of which outlives its use."""
        engine = sa.create_engine(self.threaded(url), poolclass=sa.NullPool, isolation_level="AUTOCOMMIT")
        self.ease(engine)
        return engine

    def session_of(self, connection: Any) -> int | None:
        """Return the server's number of the session that a driver's new connection has; None: it has no server."""
        return None

    def hurry(self, connection: Any) -> Any:
        """Let a connection not wait by itself. Returns what `relax` needs; None: there is nothing to change."""
        return None

    def relax(self, connection: Any, before: Any) -> None:
        """Let a connection wait again as it did."""

    def waiting(self, connection: sa.Connection, sessions: Collection[int]) -> set[int]:
        """Return those of these sessions that wait for a lock now."""
        return set()

    def retries(self, error: Exception) -> bool:
        """Return whether a driver that was allowed to wait would have tried again instead of raising this error."""
        return False

    def standalone(self, isolation: str | None) -> Standalone:
        """Return what a program needs that takes the steps of a schedule by the driver alone."""
        raise NotImplementedError

    def end_session(self, connection: sa.Connection, session: int) -> None:
        """End a session whose statement does not come back."""

    def keep_state(self, connection: sa.Connection, tables: Sequence[sa.Table]) -> Any:
        """Keep the rows and the generators of the connection's namespace. Returns what `restore_state` needs.

        `tables` are those of the model, in an order in which rows can be inserted.
        """
        raise NotImplementedError

    def analyse(self, connection: sa.Connection) -> None:
        """Let the planner know how many rows there are, as it would after a while."""

    def has_triggers(self, connection: sa.Connection) -> bool:
        """Return whether statements fire triggers in the connection's namespace."""
        return False

    def generators(self, state: Any) -> list[str]:
        """Return statements that bring generators to where they were, where rows with their ids do not."""
        return []

    def restore_state(self, connection: sa.Connection, state: Any) -> None:
        """Bring the rows and generators of the namespace back to where they were."""
        raise NotImplementedError


def asked(connection: Any, statement: str) -> int:
    """Return the number that a statement gives on a driver's new connection, which is left without a transaction."""
    cursor = connection.cursor()
    try:
        cursor.execute(statement)
        return int(cursor.fetchone()[0])
    finally:
        cursor.close()
        connection.rollback()

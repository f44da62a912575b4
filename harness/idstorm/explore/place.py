"""The database that functions of an application reach, learned from the pools that they use."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import SingletonThreadPool, StaticPool

from idstorm.databases.base import Database
from idstorm.databases.registry import DATABASES
from idstorm.errors import UsageError
from idstorm.explore import stepping
from idstorm.explore.conductor import Conductor
from idstorm.explore.runtime import Runtime, Stuck
from idstorm.internals import connecting_like, dialect_of

_WITHIN = 10.0  # seconds for a question to the database, or for the end of all connections


class Place:
    """The database that the functions reach: where the pool of the first connection leads."""

    def __init__(self, runtime: Runtime) -> None:
        self.runtime, self._stack = runtime, ExitStack()
        self._database: Database | None = None
        self._pools = list[Any]()  # those for asyncio
        self._watching: sa.Connection | None = None
        self._pools = list[Any]()
        self.other: str | None = None  #: a second database, which one conductor cannot step

    def __enter__(self) -> Place:
        self._stack.callback(stepping.listen(self._find))
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(Stuck):
            self.runtime.call(self._stack.close, within=_WITHIN)

    def end(self, sessions: Iterable[int]) -> None:
        """End sessions whose schedule does not come to its end: they would keep their locks."""
        with suppress(Stuck, sa.exc.SQLAlchemyError):
            for session in sessions:
                self.runtime.call(partial(self._end, session), within=_WITHIN)

    def _end(self, session: int) -> None:
        if self._database is not None and self._watching is not None:
            self._database.end_session(self._watching, session)

    def conductor(self, bodies: Sequence[Callable[[], None]]) -> Conductor:
        """Return the conductor of one schedule. Raises UsageError where no database was reached yet."""
        if self._database is None:
            raise UsageError("setup reached no database by SQLAlchemy: it has to bring the tables back")
        return Conductor(self._database, bodies, self._waiting, runtime=self.runtime)

    def _find(self, pool: Any) -> Database:
        dialect = dialect_of(pool)
        database = DATABASES.known_by(dialect.name) if dialect is not None else None
        if dialect is not None and dialect.is_async and pool not in self._pools:
            self._pools.append(pool)
            self._stack.callback(pool.dispose)  # no other loop can use its connections
        if self._database is not None:
            if database is not None and not set(database.backends) & set(self._database.backends):
                self.other = database.name
                return database
            return self._database
        if database is None or not database.explorable or (dialect.is_async and not self.runtime.awaits):
            name = "this pool's database" if dialect is None else f"{dialect.name}+{dialect.driver}"
            raise UsageError(f"interleave cannot step what {name} does")
        if isinstance(pool, SingletonThreadPool | StaticPool):
            raise UsageError("a database in memory is one connection, or one for each thread: interleave needs a file")
        self._database = database
        if not database.serverless:
            self._watching = self._stack.enter_context(_watching(pool))
            self._database = DATABASES[database.actual(self._watching)]
        return self._database

    def _waiting(self, sessions: Iterable[int]) -> set[int]:
        if self._database is None or self._watching is None:
            return set()
        return self.runtime.call(partial(self._database.waiting, self._watching, list(sessions)), within=_WITHIN)


@contextmanager
def _watching(pool: Any) -> Iterator[sa.Connection]:
    """Open one more connection to where a pool leads, to ask who waits."""
    dialect = dialect_of(pool)
    make: Callable[..., Any] = create_async_engine if dialect.is_async else sa.create_engine
    made = make(
        f"{dialect.name}+{dialect.driver}://",
        creator=connecting_like(pool),
        poolclass=sa.NullPool,
        isolation_level="AUTOCOMMIT",
    )
    engine: sa.Engine = getattr(made, "sync_engine", made)
    with engine.connect() as connection:
        yield connection

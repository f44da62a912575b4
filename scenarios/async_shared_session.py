"""One AsyncSession for all tasks: what one request rolls back, another has been told is there.

A Session is one conversation with the database, for one task at a time. An application that makes one AsyncSession at
import, or keeps one in a module, lets all of its requests into the same transaction. SQLAlchemy notices some of it:
"Session is already flushing", "This session is provisioning a new connection; concurrent operations are not permitted",
IllegalStateChangeError. Some drivers notice nothing: over aiomysql, tasks that shared a session were told the ids of
each other's rows.

The errors go away with a lock around each call, as many a forum suggests, and as it is done here. The fault stays, and
is silent from then on. Between one task's flush and its commit another task commits, or rolls back, the transaction
that both are in. A row whose insert was rolled back by its own request is there, since another request has committed
it; a row whose request has ended well is not there, since another request has rolled it back.

What helps is a session for each task: `async with async_sessionmaker(engine)() as session`, or a dependency that yields
one for each request. `async_scoped_session` with `scopefunc=asyncio.current_task` does as well, if it is removed.

https://docs.sqlalchemy.org/en/20/orm/session_basics.html#is-the-session-thread-safe-is-asyncsession-safe-to-share-in-concurrent-tasks
https://docs.sqlalchemy.org/en/20/orm/extensions/asyncio.html#using-asyncsession-with-concurrent-tasks
https://docs.sqlalchemy.org/en/20/errors.html#error-isce
https://github.com/sqlalchemy/sqlalchemy/issues/10092
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import aiosqlite  # noqa: F401
from sqlalchemy import URL, Engine
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine
from sqlalchemy.orm import Mapped, Session, mapped_column
from sqlalchemy.util import await_only

from idstorm.scenario import Row, Scenario, accepted, breaks, durable, faithful, holds, may_break, unique

DRIVERS = {"sqlite": "aiosqlite", "postgresql": "psycopg_async", "mysql": "aiomysql", "mariadb": "aiomysql"}


class Ticket(Row):
    id: Mapped[int] = mapped_column(primary_key=True)


class OneAtATime(Session):
    """A session whose calls wait for each other, and which nothing closes."""

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self.lock = asyncio.Lock()

    def _in_turn(self, call: Callable[[], Any]) -> Any:
        await_only(self.lock.acquire())
        try:
            return call()
        finally:
            self.lock.release()

    def commit(self) -> None:
        self._in_turn(super().commit)

    def rollback(self) -> None:
        self._in_turn(super().rollback)

    def close(self) -> None:
        pass


_shared: dict[Engine, AsyncSession] = {}


def engine(url: URL, **options: Any) -> AsyncEngine:
    backend = url.get_backend_name()
    return create_async_engine(url.set(drivername=f"{backend}+{DRIVERS[backend]}"), **options)


def the_session(engine: AsyncEngine) -> AsyncSession:
    """Return the only session of the application."""
    if engine.sync_engine not in _shared:
        _shared[engine.sync_engine] = AsyncSession(engine, sync_session_class=OneAtATime, autoflush=False)
    return _shared[engine.sync_engine]


async def insert(session: AsyncSession, tokens: Sequence[int]) -> list[int]:
    """Do what a request does: insert, then something else that is awaited."""
    (token,) = tokens
    ticket = Ticket(token=token)
    one = session.sync_session
    assert isinstance(one, OneAtATime)
    async with one.lock:
        session.add(ticket)
        await session.flush()
        id_ = ticket.id
    await asyncio.sleep(0.002)
    return [id_]


shared = Scenario(
    Ticket,
    insert=insert,
    engine=engine,
    session=the_session,
    rollback=0.2,
    claims=[
        holds(unique, accepted, faithful),
        breaks(durable, why="a commit or a rollback of one task is that of all tasks"),
        may_break(
            unique, why="the id of a row that another task rolled back is handed out again", when={"rowid_reuse"}
        ),
    ],
)

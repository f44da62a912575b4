"""A task is cancelled while it waits for the database: the next one must not read its answer.

A client that disconnects, an `asyncio.timeout`, a server that shuts down: each cancels a task, at whatever it awaits.
Where that is a statement, the server goes on with it, and its answer is still to come. A driver that gives such a
connection back would let the next task read that answer, which is the id of a stranger's row. Drivers have done so, and
redis-py, by which users of a chat saw the titles of others' conversations. SQLAlchemy closes a connection on which
something was cancelled, so a cancellation costs a connection, and no more.

Where it is a COMMIT, nobody can say whether it took effect. An application that treats a cancelled request as one that
did nothing, and does it again, inserts twice.

Here, every third insert is cancelled, after one to seven steps of the event loop: before its first statement, in the
middle of one, or in its COMMIT. `faithful` would be broken by an answer that another task was meant to have.

https://docs.python.org/3/library/asyncio-task.html#task-cancellation
https://docs.sqlalchemy.org/en/20/core/pooling.html
https://openai.com/index/march-20-chatgpt-outage/
"""

import asyncio
from collections.abc import Sequence
from typing import Any

import aiosqlite  # noqa: F401
from sqlalchemy import URL
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine
from sqlalchemy.orm import Mapped, mapped_column

from idstorm.scenario import Row, Scenario, accepted, durable, faithful, holds, unique

DRIVERS = {"sqlite": "aiosqlite", "postgresql": "psycopg_async", "mysql": "aiomysql", "mariadb": "aiomysql"}


class Ticket(Row):
    id: Mapped[int] = mapped_column(primary_key=True)


def engine(url: URL, **options: Any) -> AsyncEngine:
    backend = url.get_backend_name()
    return create_async_engine(url.set(drivername=f"{backend}+{DRIVERS[backend]}"), **options)


async def insert(session: AsyncSession, tokens: Sequence[int]) -> list[int]:
    """Insert and commit in a task, and cancel every third of them."""
    request = asyncio.create_task(_handle(session, tokens))
    if tokens[0] % 3 == 0:
        for _ in range(tokens[0] // 3 % 7 + 1):
            await asyncio.sleep(0)
        request.cancel()
    return await request


async def _handle(session: AsyncSession, tokens: Sequence[int]) -> list[int]:
    tickets = [Ticket(token=token) for token in tokens]
    session.add_all(tickets)
    await session.flush()
    ids = [ticket.id for ticket in tickets]
    await session.commit()
    return ids


cancelled = Scenario(
    Ticket,
    insert=insert,
    engine=engine,
    failing=0.5,
    claims=[holds(unique, accepted, durable, faithful)],
)

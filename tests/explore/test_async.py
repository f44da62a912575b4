"""Async work that cannot be stepped as a whole ends in bounded time, with the reason, and never in a verdict."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine

import idstorm
from databases.own import own_database
from explore.exploring import explored_on
from idstorm.errors import UsageError
from idstorm.explore.interleaving import InvariantBroken
from running import Idstorm
from servers import On

WORK = """
import asyncio, threading
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column
from idstorm.scenario import Row, Scenario, holds, unique

class Invoice(Row):
    id: Mapped[int] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(index=True)

async def insert(session: AsyncSession, tokens):
    number = ((await session.scalar(select(func.max(Invoice.number)))) or 0) + 1
    session.add(Invoice(number=number, token=tokens[0]))
    await session.flush()
    return [number]

lock = threading.Lock()

async def under_a_lock(session: AsyncSession, tokens):
    with lock:
        return await insert(session, tokens)

async def beside_another(session: AsyncSession, tokens):
    async def look():
        async with AsyncSession(session.bind) as own:
            await own.scalar(select(func.max(Invoice.number)))
    numbers, _ = await asyncio.gather(insert(session, tokens), look())
    return numbers

left = []

async def leaves_a_task(session: AsyncSession, tokens):
    async def stays():
        while True:
            try:
                await asyncio.sleep(3600)
            except asyncio.CancelledError:
                pass
    left.append(asyncio.create_task(stays()))
    return await insert(session, tokens)

locked = Scenario(Invoice, id=Invoice.number, insert=under_a_lock, claims=[holds(unique)])
gathered = Scenario(Invoice, id=Invoice.number, insert=beside_another, claims=[holds(unique)])
stubborn = Scenario(Invoice, id=Invoice.number, insert=leaves_a_task, claims=[holds(unique)])
"""


@pytest.mark.parametrize(
    ("name", "says"),
    [
        pytest.param("locked", "a schedule did not come to its end", marks=pytest.mark.release),
        ("gathered", "sends statements from several tasks at once: these were not stepped"),
    ],
)
def test_work_that_blocks_its_loop_or_has_several_tasks_is_never_complete(
    idstorm: Idstorm, name: str, says: str
) -> None:
    ran, storm = explored_on(
        idstorm, "sqlite+aiosqlite://", f"{idstorm.write('mine.py', WORK)}:{name}", "--max-time", "3s"
    )
    assert storm["verdicts"]["complete"]["status"] == "unknown"
    assert says in storm["verdicts"]["complete"]["reason"], ran.out


def test_a_task_that_does_not_end_keeps_nobody_waiting(idstorm: Idstorm) -> None:
    _, storm = explored_on(
        idstorm, "sqlite+aiosqlite://", f"{idstorm.write('mine.py', WORK)}:stubborn", "--max-time", "5s"
    )
    assert storm["verdicts"]["unique"]["status"] == "broken"


class Counter:
    """A number in a row, which is read and written."""

    def __init__(self, path: Path) -> None:
        self.engine = create_async_engine(f"sqlite+aiosqlite:///{path}/counter.db")
        self.plain = sa.create_engine(f"sqlite:///{path}/counter.db")
        self.sessions = async_sessionmaker(self.engine)

    async def setup(self) -> None:
        async with self.engine.begin() as connection:
            await connection.execute(sa.text("CREATE TABLE IF NOT EXISTS counter (n int)"))
            await connection.execute(sa.text("DELETE FROM counter"))
            await connection.execute(sa.text("INSERT INTO counter VALUES (0)"))

    def bump(self) -> None:
        with self.plain.begin() as connection:
            connection.execute(sa.text("UPDATE counter SET n = n + 1"))

    async def bump_in_a_thread(self, session: AsyncSession) -> None:
        await session.execute(sa.text("SELECT n FROM counter"))
        await session.commit()
        await asyncio.to_thread(self.bump)

    async def counted(self, session: AsyncSession) -> bool:
        return bool(await session.scalar(sa.text("SELECT n FROM counter")) == 2)


def test_what_a_task_does_in_a_thread_is_stepped_as_well(tmp_path: Path) -> None:
    counter = Counter(tmp_path)
    work = counter.bump_in_a_thread
    found = idstorm.interleave(work, work, setup=counter.setup, invariant=counter.counted, session=counter.sessions)
    assert found.outcomes == (("ok", "ok"),)
    assert found.schedules > 6
    counter.plain.dispose()


def test_functions_that_await_are_not_stepped_beside_others(tmp_path: Path) -> None:
    counter = Counter(tmp_path)
    with pytest.raises(UsageError, match="functions that await and others cannot be stepped together"):
        idstorm.interleave(
            counter.bump, counter.bump_in_a_thread, setup=counter.setup, invariant=list, session=counter.sessions
        )


def test_a_cancelled_function_is_an_outcome(tmp_path: Path) -> None:
    counter = Counter(tmp_path)

    async def gives_up(session: AsyncSession) -> None:
        await session.execute(sa.text("SELECT n FROM counter"))
        raise asyncio.CancelledError

    found = idstorm.interleave(gives_up, gives_up, setup=counter.setup, invariant=list, session=counter.sessions)
    assert found.outcomes == (("CancelledError: ", "CancelledError: "),)


def test_async_functions_over_psycopg_are_stepped(postgresql: On) -> None:
    with own_database(postgresql) as on:
        assert on.url is not None
        engine = create_async_engine(on.url.set(drivername="postgresql+psycopg"))

        async def setup() -> None:
            async with engine.begin() as connection:
                await connection.execute(sa.text("DROP TABLE IF EXISTS counter"))
                await connection.execute(sa.text("CREATE TABLE counter AS SELECT 0 AS n"))

        async def bump(session: AsyncSession) -> None:
            number = await session.scalar(sa.text("SELECT n FROM counter"))
            await session.execute(sa.text("UPDATE counter SET n = :n"), {"n": number + 1})

        async def counted(session: AsyncSession) -> bool:
            return bool(await session.scalar(sa.text("SELECT n FROM counter")) == 2)

        with pytest.raises(InvariantBroken, match="with 1 preemption"):
            idstorm.interleave(bump, bump, setup=setup, invariant=counted, session=async_sessionmaker(engine))

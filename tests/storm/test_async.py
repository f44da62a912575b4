"""Drivers for asyncio, and work that awaits: clients are tasks of one event loop in each worker."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

import pytest

from running import Idstorm
from servers import SERVERS, On, database

DRIVERS = {
    "aiosqlite": "sqlite",
    "psycopg_async": "postgresql",
    "asyncpg": "postgresql",
    "aiomysql": "mysql",
    "asyncmy": "mariadb",
}
HEAD = """
import asyncio, os, sys, threading
from contextlib import asynccontextmanager
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import Mapped, mapped_column
from idstorm.scenario import *

class Thing(Row):
    id: Mapped[int] = mapped_column(primary_key=True)
    number: Mapped[int | None] = mapped_column(index=True)

async def insert(session, tokens):
    things = [Thing(token=token) for token in tokens]
    session.add_all(things)
    await session.flush()
    return [thing.id for thing in things]

async def next_number(session, tokens):
    (token,) = tokens
    number = (await session.scalar(select(func.max(Thing.number))) or 0) + 1
    session.add(Thing(number=number, token=token))
    await session.flush()
    return [number]
"""


def target(driver: str) -> list[str]:
    """What leads to this driver's database on a command line."""
    if find_spec("psycopg" if driver == "psycopg_async" else driver) is None:
        pytest.skip(f"{driver} is not installed")
    on = database(DRIVERS[driver])
    if on.url is None:
        return ["--on", f"{on.dialect}+{driver}:///here.db"]
    url = on.url.set(drivername=f"{on.dialect}+{driver}")
    return ["--on", url.render_as_string(hide_password=False)]


def stormed(idstorm: Idstorm, body: str, *words: str) -> dict[str, Any]:
    """Storm `mine` of a file with this body, and return what is reported of it."""
    (idstorm.folder / "mine.py").write_text(f"{HEAD}\n{body}\n")
    (storm,) = idstorm.storm("mine.py:mine", *words).report["storms"]
    assert isinstance(storm, dict)
    return storm


def held(storm: dict[str, Any]) -> set[str]:
    return {name for name, verdict in storm["verdicts"].items() if verdict["status"] == "held"}


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("work", ["Scenario(Thing)", "Scenario(Thing, insert=insert)"])
def test_tasks_insert_by_sync_work_and_by_async_work(idstorm: Idstorm, driver: str, work: str) -> None:
    storm = stormed(idstorm, f"mine = {work}", *target(driver))
    assert storm["result"] == "passed", storm
    assert {"pressure", "unique", "durable", "faithful", "accepted"} <= held(storm)
    assert storm["target"]["driver"] == driver


@pytest.mark.parametrize("driver", DRIVERS)
def test_a_race_of_tasks_is_seen(idstorm: Idstorm, driver: str) -> None:
    storm = stormed(idstorm, "mine = Scenario(Thing, id=Thing.number, insert=next_number)", *target(driver))
    assert storm["verdicts"]["unique"]["status"] == "broken"
    assert {"durable", "faithful"} <= held(storm)


BY = """
class Bare:
    def __init__(self, engine):
        self.engine = engine

    async def insert(self, tokens):
        async with self.engine.begin() as connection:
            insert = Thing.__table__.insert().returning(Thing.id)
            return [(await connection.execute(insert, {"token": token})).scalar() for token in tokens]

@asynccontextmanager
async def client(place, environment):
    url, arguments = place.by("asyncpg")
    assert (place.schema is not None) == bool(arguments), place
    engine = create_async_engine(url, connect_args=arguments, pool_size=1)
    yield Bare(engine)
    await engine.dispose()

mine = Scenario(Thing, client=client)
"""


@pytest.mark.parametrize("kind", ["schema", "database"])
def test_a_client_gets_into_the_namespace_by_the_driver_that_it_names(idstorm: Idstorm, kind: str) -> None:
    storm = stormed(idstorm, BY, *target("psycopg_async"), "--namespace", kind)
    assert storm["result"] == "passed", storm
    assert {"durable", "faithful"} <= held(storm)


def test_a_driver_that_no_argument_leads_into_a_schema_is_told_the_other_way(idstorm: Idstorm) -> None:
    idstorm.write("mine.py", f"{HEAD}\n{BY.replace('asyncpg', 'pg8000')}")
    ran = idstorm("run", "mine.py", "-n", "400", *target("psycopg_async"))
    assert (ran.code, "pg8000 cannot be led into a schema: storm with --namespace database" in ran.err) == (2, True)


POLL = """
async def poll(connection, last, final):
    await asyncio.sleep(0)
    found = connection.execute(select(Thing.id, Thing.token).where(Thing.id > (last or 0)).order_by(Thing.id))
    rows = (await found if asyncio.iscoroutine(found) else found).all()
    return rows, rows[-1][0] if rows else last

mine = Scenario(Thing, reader=poll)
"""


@pytest.mark.parametrize("driver", ["aiosqlite", "asyncpg"])
def test_a_poll_may_be_async(idstorm: Idstorm, driver: str) -> None:
    storm = stormed(idstorm, POLL, *target(driver))
    visible = storm["verdicts"]["visible"]
    assert visible["figures"]["advanced"] > 0, visible


def test_over_a_driver_for_threads_an_async_poll_is_given_the_plain_connection(idstorm: Idstorm) -> None:
    storm = stormed(idstorm, POLL)
    visible = storm["verdicts"]["visible"]
    assert visible["figures"]["advanced"] > 0, visible


def test_the_clients_of_a_worker_are_tasks_of_one_thread(idstorm: Idstorm) -> None:
    body = """
async def noted(session, tokens):
    if "IDSTORM_WORKER" in os.environ:
        print(threading.get_ident(), id(asyncio.current_task()), file=open("seen", "a"))
    return await insert(session, tokens)

mine = Scenario(Thing, insert=noted)
"""
    assert stormed(idstorm, body, *target("aiosqlite"), "-c", "4")["result"] == "passed"
    seen = [line.split() for line in (idstorm.folder / "seen").read_text().splitlines()]
    assert len({thread for thread, _ in seen}) == 1
    assert len({task for _, task in seen}) == 4


def test_an_engine_and_a_session_of_asyncio_are_the_scenarios_own(idstorm: Idstorm) -> None:
    body = """
def engine(url, **options):
    return create_async_engine(url.set(drivername="sqlite+aiosqlite"), **options)

async def told(session, tokens):
    assert type(session) is Own
    return await insert(session, tokens)

class Own(AsyncSession):
    pass

mine = Scenario(Thing, insert=told, engine=engine, session=lambda engine: async_sessionmaker(engine, class_=Own)())
"""
    assert stormed(idstorm, body, "--on", "sqlite")["result"] == "passed"


def test_async_work_on_a_driver_for_threads_runs_in_a_loop_of_its_own(idstorm: Idstorm) -> None:
    body = """
async def plain(session, tokens):
    await asyncio.sleep(0)
    things = [Thing(token=token) for token in tokens]
    session.add_all(things)
    session.flush()
    return [thing.id for thing in things]

mine = Scenario(Thing, insert=plain)
"""
    storm = stormed(idstorm, body, "--on", "sqlite")
    assert storm["result"] == "passed"
    assert any("event loop of its own" in note for note in storm["notes"])


def test_an_async_client_with_its_environment_and_its_interlude(idstorm: Idstorm) -> None:
    body = """
@asynccontextmanager
async def environment(place):
    event = asyncio.Event()
    asyncio.get_running_loop().call_later(0.01, event.set)
    await event.wait()
    yield {"notes": ["the environment was awaited"]}

class Client:
    def __init__(self, sessions):
        self._sessions = sessions

    async def insert(self, tokens):
        async with self._sessions() as session:
            ids = await insert(session, tokens)
            await session.commit()
            return ids

@asynccontextmanager
async def client(place, given):
    engine = create_async_engine(place.url.set(drivername="sqlite+aiosqlite"), connect_args={"timeout": 30})
    yield Client(async_sessionmaker(engine))
    await engine.dispose()

async def interlude(place):
    await asyncio.sleep(0)
    open("interlude", "a").write("x")

mine = Scenario(Thing, client=client, environment=environment, interlude=interlude)
"""
    storm = stormed(idstorm, body, "--on", "sqlite")
    assert storm["result"] == "passed", storm
    assert "the environment was awaited" in storm["notes"]
    assert (idstorm.folder / "interlude").read_text() == "x"


@pytest.mark.parametrize("driver", DRIVERS)
def test_a_task_that_is_cancelled_in_its_commit_leaves_the_outcome_unknown_and_no_id_wrong(
    idstorm: Idstorm, driver: str
) -> None:
    body = """
async def cancelled(session, tokens):
    ids = await insert(session, tokens)
    if tokens[0] % 4 == 0:
        committing = asyncio.create_task(session.commit())
        for _ in range(tokens[0] % 3 + 1):
            await asyncio.sleep(0)
        committing.cancel()
        await committing
    return ids

mine = Scenario(Thing, insert=cancelled, failing=0.5)
"""
    storm = stormed(idstorm, body, *target(driver))
    assert storm["operations"]["unknown"] > 0
    assert {"unique", "durable", "faithful"} <= held(storm), storm["verdicts"]


def test_work_that_cancels_its_own_task_ends_an_operation_and_not_the_client(idstorm: Idstorm) -> None:
    body = """
async def gives_up(session, tokens):
    ids = await insert(session, tokens)
    if tokens[0] % 4 == 0:
        asyncio.current_task().cancel()
        await asyncio.sleep(0)
    async with asyncio.timeout(30):
        await asyncio.sleep(0)
    return ids

mine = Scenario(Thing, insert=gives_up, failing=0.5)
"""
    storm = stormed(idstorm, body, *target("aiosqlite"))
    operations = storm["operations"]
    assert (operations["attempted"], operations["unknown"]) == (400, 0)
    assert 0 < operations["failed"] == 400 - operations["acknowledged"] < 200
    assert {"unique", "durable", "faithful"} <= held(storm)


def test_tasks_that_share_a_session_are_told_so(idstorm: Idstorm) -> None:
    body = """
ONE = {}
def the_same(engine):
    return ONE.setdefault(engine.sync_engine, AsyncSession(engine))
mine = Scenario(Thing, insert=insert, session=the_same)
"""
    failing = stormed(idstorm, body, "--on", "sqlite+aiosqlite:///here.db", "-n", "200")["operations"]["failing"]
    assert "several clients used one Session at the same time" in failing["commonest"], failing


@pytest.mark.parametrize("driver", ["psycopg_async", "aiomysql"])
def test_a_pool_smaller_than_its_tasks_makes_them_wait(idstorm: Idstorm, driver: str) -> None:
    storm = stormed(idstorm, "mine = Scenario(Thing, insert=insert)", *target(driver), "--pool-size", "2")
    assert storm["result"] == "passed", storm["verdicts"]["pressure"]


def test_a_sync_scenario_that_blocks_its_thread_is_not_for_tasks(idstorm: Idstorm) -> None:
    storm = stormed(idstorm, 'mine = Scenario(Thing, needs={"threads"})', *target("aiosqlite"))
    assert storm["result"] == "n/a"
    assert "has no threads" in storm["ending"]


def test_an_isolation_level_that_only_the_driver_lacks_is_not_the_scenarios_fault(idstorm: Idstorm) -> None:
    storm = stormed(idstorm, 'mine = Scenario(Thing, isolation="READ UNCOMMITTED")', *target("asyncpg"))
    assert storm["result"] == "n/a"
    assert storm["ending"].endswith("asyncpg has no READ UNCOMMITTED")


def test_a_driver_that_cannot_carry_a_search_path_gets_a_database_which_is_removed(
    idstorm: Idstorm, postgresql: On
) -> None:
    storm = stormed(idstorm, "mine = Scenario(Thing)", *target("asyncpg"), "--seed", "4321")
    assert storm["target"]["facts"]["namespace"] == "database"
    run = idstorm.run_folder.name.replace("-", "_")
    with postgresql.engine().connect() as connection:
        names = connection.exec_driver_sql("SELECT datname FROM pg_database").scalars().all()
    assert not [name for name in names if run in name]


def test_a_namespace_of_the_other_kind_can_be_asked_for(idstorm: Idstorm, postgresql: On) -> None:
    ran = idstorm.storm("autoincrement", "--on", "postgresql", "--namespace", "database", **postgresql.environ)
    (storm,) = ran.report["storms"]
    assert (storm["result"], storm["target"]["facts"]["namespace"]) == ("passed", "database")
    assert "--namespace database" in ran.report["command"]
    refused = idstorm("run", "autoincrement", "--namespace", "schema")
    assert (refused.code, "sqlite makes a file for each storm" in refused.err) == (2, True), refused.err


def test_every_dialect_has_a_driver_for_asyncio_here() -> None:
    assert set(DRIVERS.values()) == {"sqlite", *SERVERS}


OUTLIVING = {
    "a task": """
async def insert_alone(engine, tokens):
    if n > 6:
        await asyncio.sleep(0.002)
    async with AsyncSession(engine) as session:
        ids = await insert(session, tokens)
        await session.commit()
        return ids

async def check():
    if n > 6 and n % 3 == 0:
        raise ValueError("no")

async def work(session, tokens):
    global n
    n += 1
    ids, _ = await asyncio.gather(insert_alone(session.bind, tokens), check())
    return ids
""",
    "a thread": """
import time
from sqlalchemy import create_engine
from sqlalchemy.orm import Session
own = []

def insert_alone(url, tokens):
    own.append(create_engine(url)) if not own else None
    if n > 6:
        time.sleep(0.02)
    with Session(own[0]) as session:
        things = [Thing(token=token) for token in tokens]
        session.add_all(things)
        session.flush()
        ids = [thing.id for thing in things]
        session.commit()
        return ids

async def work(session, tokens):
    global n
    n += 1
    url = session.bind.url.set(drivername="sqlite")
    patience = 0.005 if n > 6 and n % 3 == 0 else 30
    return await asyncio.wait_for(asyncio.to_thread(insert_alone, url, tokens), patience)
""",
}


@pytest.mark.parametrize("what", OUTLIVING)
def test_what_outlives_its_operation_and_commits_leaves_it_unknown(idstorm: Idstorm, what: str) -> None:
    body = f"n = 0\n{OUTLIVING[what]}\nmine = Scenario(Thing, insert=work, failing=0.5, connections=2)"
    storm = stormed(idstorm, body, *target("aiosqlite"), "-c", "4")
    assert (storm["operations"]["attempted"], storm["operations"]["failed"]) == (400, 0)
    assert storm["operations"]["unknown"] > 0
    assert {"unique", "durable", "faithful"} <= held(storm), storm["verdicts"]["durable"]


def test_a_task_that_is_cancelled_while_it_fails_ends_its_operation_alone(idstorm: Idstorm) -> None:
    body = """
n = 0

async def fails(session, tokens):
    global n
    n += 1
    ids = await insert(session, tokens)
    if n > 5 and n % 5 == 0:
        asyncio.get_running_loop().call_later(0, asyncio.current_task().cancel)
        raise ValueError("x")
    return ids

mine = Scenario(Thing, insert=fails)
"""
    storm = stormed(idstorm, body, *target("aiosqlite"))
    assert (storm["operations"]["attempted"], storm["operations"]["unknown"]) == (400, 0)
    assert storm["operations"]["failed"] > 0


def test_a_second_storm_hears_its_async_work_as_the_first_did(idstorm: Idstorm) -> None:
    body = """
async def commits(session, tokens):
    things = [Thing(token=token) for token in tokens]
    session.add_all(things)
    session.flush()
    ids = [thing.id for thing in things]
    session.commit()
    return ids

one = Scenario(Thing, insert=commits)
two = Scenario(Thing, insert=commits)
"""
    (idstorm.folder / "mine.py").write_text(f"{HEAD}\n{body}\n")
    first, second = idstorm.storm("mine.py:one", "mine.py:two").report["storms"]
    assert first["notes"] == second["notes"]
    assert "the work commits by itself: an error once it has sent COMMIT leaves its operation unknown" in first["notes"]


@pytest.mark.release
@pytest.mark.parametrize("driver", ["psycopg_async", "asyncpg"])
def test_what_the_answer_to_a_commit_proves_is_known_of_every_driver(idstorm: Idstorm, driver: str) -> None:
    body = """
from sqlalchemy import UniqueConstraint

class Numbered(Row):
    id: Mapped[int] = mapped_column(primary_key=True)
    number: Mapped[int]
    __table_args__ = (UniqueConstraint("number", deferrable=True, initially="DEFERRED"),)

async def at_the_end(session, tokens):
    (token,) = tokens
    number = (await session.scalar(select(func.max(Numbered.number))) or 0) + 1
    session.add(Numbered(number=number, token=token))
    await session.flush()
    return [number]

mine = Scenario(Numbered, id=Numbered.number, insert=at_the_end, failing=0.9, claims=[may_break("accepted", why="")])
"""
    storm = stormed(idstorm, body, *target(driver))
    assert storm["operations"]["failed"] > 0
    assert storm["operations"]["unknown"] == 0


@pytest.mark.release
def test_an_async_rehearsal_that_waits_in_a_thread_ends_and_so_does_the_command(idstorm: Idstorm) -> None:
    body = """
lock = threading.Lock()
lock.acquire()

async def waits(session, tokens):
    await asyncio.to_thread(lock.acquire)

mine = Scenario(Thing, insert=waits, failing=0.5)
"""
    (idstorm.folder / "mine.py").write_text(f"{HEAD}\n{body}\n")
    little = ("--patience", "1s", "--pool-timeout", "1", "--set", "busy_timeout=100")
    ran = idstorm.alone("run", "mine.py:mine", "-n", "400", *target("aiosqlite"), *little)
    assert (ran.code, "what it waits for is not the database" in ran.err) == (2, True), ran.err

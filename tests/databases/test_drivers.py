"""What a server refuses is read alike from every driver, however the driver tells it, and whatever it is wrapped in.

Each error here was raised by the real driver for what the real server said.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from databases.own import execute, own_database
from drivers import DRIVERS, missing, target
from idstorm.databases.error_code import ErrorCode
from idstorm.databases.registry import DATABASES
from idstorm.model.work import constraints_of, id_columns
from idstorm.scenario import Scenario
from running import Idstorm
from servers import On, database

TABLES = (
    "CREATE TABLE thing (id INTEGER NOT NULL PRIMARY KEY, number INTEGER UNIQUE, place INTEGER NOT NULL)",
    "CREATE TABLE slot (n INTEGER NOT NULL PRIMARY KEY, thing INTEGER REFERENCES thing (id))",
    "INSERT INTO thing VALUES (1, 1, 1)",
    "INSERT INTO slot VALUES (1, 1)",
)
OWN, OTHER = "INSERT INTO thing VALUES (1, 2, 1)", "INSERT INTO slot VALUES (1, 1)"
NO_REFUSALS = {
    "another constraint": "INSERT INTO thing VALUES (2, 1, 1)",
    "another table's primary key": OTHER,
    "not null": "INSERT INTO thing VALUES (2, 2, NULL)",
    "no such table": "INSERT INTO nothing VALUES (1)",
    "syntax": "INSERTED INTO thing VALUES (1)",
}
OUT_OF_RANGE = "INSERT INTO thing VALUES (99999999999, 2, 1)"
FOR_UPDATE = "SELECT id FROM thing WHERE id = 1 FOR UPDATE"
END = {"postgresql": "SELECT pg_terminate_backend(pg_backend_pid())", "mysql": "KILL CONNECTION_ID()"}
END["mariadb"] = END["mysql"]


class Base(DeclarativeBase):
    pass


class Thing(Base):
    __tablename__ = "thing"
    id: Mapped[int] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(unique=True)
    place: Mapped[int]


class Slot(Base):
    __tablename__ = "slot"
    n: Mapped[int] = mapped_column(primary_key=True)


IDS = ("thing.id",)
KEYS = constraints_of(id_columns(Scenario(Thing), sa.inspect(Thing)))


@pytest.fixture(scope="module")
def place() -> Iterator[Callable[[str], On]]:
    """Where the tables of these tests are, by dialect: made when they are first asked for."""
    made: dict[str, On] = {}
    with ExitStack() as stack:

        def place_on(dialect: str) -> On:
            if dialect not in made:
                made[dialect] = stack.enter_context(own_database(database(dialect)))
                execute(made[dialect], *TABLES)
            return made[dialect]

        yield place_on


@pytest.fixture(params=[one for one in DRIVERS if one != ("postgresql", "psycopg_async")], ids="-".join)
def driver(request: pytest.FixtureRequest, tmp_path: Any) -> Driver:
    dialect, name = request.param
    if why := missing(name):
        pytest.skip(why)
    if dialect == "sqlite":
        on = On(dialect, sa.make_url(f"sqlite:///{tmp_path}/drivers.db"))
        execute(on, *TABLES)
    else:
        on = request.getfixturevalue("place")(dialect)
    assert on.url is not None
    return Driver(on, on.url.set(drivername=f"{dialect}+{name}"))


class Driver:
    """A driver, and where its errors come from."""

    def __init__(self, on: On, url: sa.URL) -> None:
        self.on, self.url = on, url

    def error(self, *statements: str) -> Exception:
        """What SQLAlchemy raises for these statements, the last of which has to fail, or what is done after it."""

        sent = list[str]()

        def work(connection: sa.Connection) -> None:
            for statement in statements:
                sent.append(statement)
                connection.exec_driver_sql(statement)
            connection.exec_driver_sql("SELECT 1")

        with pytest.raises(sa.exc.DBAPIError) as raised:
            self._do(work)
        assert sent == list(statements), raised.value  # and not: it could not even connect
        return raised.value

    def _do(self, work: Callable[[sa.Connection], None]) -> None:
        if self.url.get_dialect().is_async:
            asyncio.run(self._do_in_a_loop(work))
        else:
            with sa.create_engine(self.url, poolclass=sa.NullPool).connect() as connection:
                work(connection)

    async def _do_in_a_loop(self, work: Callable[[sa.Connection], None]) -> None:
        engine = create_async_engine(self.url, poolclass=sa.NullPool)
        async with engine.connect() as connection:
            await connection.run_sync(work)

    def code(self, error: BaseException) -> ErrorCode:
        return DATABASES[self.on.dialect].classify(error, IDS, KEYS)


def bare(error: BaseException) -> BaseException:
    """The error as the driver itself raised it."""
    original = getattr(error, "orig", None) or error
    adapted = type(original).__module__.startswith("sqlalchemy.")
    return original.__cause__ if adapted and original.__cause__ is not None else original


@pytest.mark.parametrize(("dialect", "name"), DRIVERS, ids=map("-".join, DRIVERS))
def test_a_storm_passes_by_every_driver(idstorm: Idstorm, dialect: str, name: str) -> None:
    if why := missing(name):
        pytest.skip(why)
    ran = idstorm.storm("autoincrement", "--on", target(database(dialect), name), "-n", "200")
    (storm,) = ran.report["storms"]
    assert (ran.code, storm["target"]["driver"], storm["verdicts"]["faithful"]["status"]) == (0, name, "held"), ran.out


def test_a_refusal_by_the_ids_own_constraint_is_one(driver: Driver) -> None:
    error = driver.error(OWN)
    for one in (error, bare(error)):
        code = driver.code(one)
        # Who inserts without SQLAlchemy leaves no statement, and MariaDB names no table.
        told = one is error or driver.on.dialect != "mariadb"
        assert (code.refused, code.recognised) == (told, told), code
        assert not code.wrapped
        assert not code.works_own


@pytest.mark.parametrize("what", NO_REFUSALS)
def test_whatever_else_is_refused_is_known_to_be_something_else(driver: Driver, what: str) -> None:
    code = driver.code(driver.error(NO_REFUSALS[what]))
    assert not code.refused, code
    assert code.recognised, code
    assert not code.raced, code


def test_a_value_that_does_not_fit_is_no_refusal(driver: Driver) -> None:
    if driver.on.dialect == "sqlite":
        pytest.skip("an INTEGER of SQLite's takes it")
    code = driver.code(driver.error(OUT_OF_RANGE))
    assert not code.refused, code
    assert code.recognised, code


def test_a_lock_that_another_holds_is_a_race(driver: Driver) -> None:
    sqlite = driver.on.dialect == "sqlite"
    with driver.on.engine().connect() as holder:
        holder.exec_driver_sql("BEGIN IMMEDIATE" if sqlite else "BEGIN")
        holder.exec_driver_sql("UPDATE thing SET place = 2" if sqlite else FOR_UPDATE)
        wanted = ("PRAGMA busy_timeout = 0", "UPDATE thing SET place = 3") if sqlite else (FOR_UPDATE + " NOWAIT",)
        code = driver.code(driver.error(*wanted))
        holder.exec_driver_sql("ROLLBACK")
    assert code.raced, code
    assert code.recognised, code
    assert not code.refused, code


def test_a_connection_that_is_lost_is_no_refusal_and_proves_nothing(driver: Driver) -> None:
    if driver.on.dialect == "sqlite":
        pytest.skip("there is no connection to lose")
    code = driver.code(driver.error(END[driver.on.dialect]))
    assert code.recognised, code
    assert not code.refused, code
    assert not code.rolled_back, code


class AppError(Exception):
    """What an application makes of a driver's error."""


def test_what_an_application_makes_of_a_refusal_still_is_one(driver: Driver) -> None:
    error = driver.error(OWN)
    for chained in (raised_from(error), raised_while(error), ExceptionGroup("tasks", [KeyError(), error])):
        code = driver.code(chained)
        assert code.refused, code
        assert code.wrapped
        assert not code.rolled_back  # more may have been done before it was raised


def test_the_error_that_an_application_hides_is_not_looked_for(driver: Driver) -> None:
    code = driver.code(raised_while(driver.error(OWN), hide=True))
    assert code.works_own, code
    assert code.recognised
    assert not code.refused


def raised_from(error: Exception) -> Exception:
    try:
        raise AppError from error
    except AppError as raised:
        return raised


def raised_while(error: Exception, *, hide: bool = False) -> Exception:
    try:
        try:
            raise error
        except Exception:
            if hide:
                raise AppError from None
            raise AppError  # noqa: B904 (the point is what Python chains by itself)
    except AppError as raised:
        return raised

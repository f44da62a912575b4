"""What is heard of an operation, however the work goes about it: the ear must never call certain what was committed."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session, sessionmaker

from idstorm.databases.base import Database
from idstorm.databases.registry import DATABASES
from idstorm.storm.ear import Ear
from idstorm.storm.hearing import hear, listening
from servers import On, database

SERVERS = ("postgresql", "mysql", "mariadb")
ALL = ("sqlite", *SERVERS)

metadata = sa.MetaData()
thing = sa.Table("thing", metadata, sa.Column("id", sa.Integer, primary_key=True), sa.Column("token", sa.BigInteger))

KEYS = ["thing.PRIMARY(id)", "thing.thing_pkey(id)"]


@dataclass
class Place:
    """A namespace with the table, and an ear that listens."""

    database: Database
    url: sa.URL
    began: list[bool] = field(default_factory=list)
    engines: list[sa.Engine] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.ear = Ear(
            self.database,
            lambda error, **_: self.database.classify(
                error, ["thing.id"], ["thing.PRIMARY(id)", "thing.thing_pkey(id)"]
            ),
            lambda: self.began.append(True),
        )
        self.expect()

    def expect(self, *, single: bool = True) -> None:
        self.began.clear()
        self.ear.expect(single=single)

    def certain(self) -> bool:
        return self.ear.certain

    def engine(self, **options: Any) -> sa.Engine:
        self.engines.append(sa.create_engine(self.url, **options))
        return self.engines[-1]

    @property
    def rows(self) -> int:
        """How many rows others see."""
        hear(None)
        try:
            with sa.create_engine(self.url, poolclass=sa.NullPool).connect() as connection:
                return int(connection.scalar(sa.select(sa.func.count()).select_from(thing)) or 0)
        finally:
            hear(self.ear)


@contextmanager
def place(on: On, folder: Path) -> Iterator[Place]:
    database = DATABASES[on.dialect]
    url = on.url or sa.make_url(f"sqlite:///{folder}/hearing.db")
    with database.namespace(url, f"20261126-000000-{abs(hash(folder)) % 0xFFFF:04x}-1") as inside:
        made = Place(database, inside)
        metadata.create_all(engine := sa.create_engine(inside, poolclass=sa.NullPool))
        engine.dispose()
        try:
            with listening(made.ear):
                yield made
        finally:
            for engine in made.engines:
                engine.dispose()
            assert database.quiesce(inside)  # a test that fails may have left a lock


@pytest.fixture(params=ALL)
def there(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    with place(database(request.param), tmp_path) as made:
        yield made


@pytest.fixture
def on(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Callable[[str], Place]]:
    with suppress(StopIteration):
        opened: list[Any] = []

        def enter(dialect: str) -> Place:
            opened.append(place(database(dialect), tmp_path))
            made: Place = opened[-1].__enter__()
            return made

        yield enter
        for one in opened:
            one.__exit__(None, None, None)


def add(connection: Any, token: int = 1, **values: Any) -> None:
    connection.execute(sa.insert(thing).values(token=token, **values))


def test_an_own_engine_begins_the_operation_and_its_commit_is_heard(there: Place) -> None:
    engine = there.engine()
    with engine.begin() as connection:
        assert there.began == [True]
        add(connection)
        assert there.certain()
    assert not there.certain()
    assert there.rows == 1


def test_what_is_rolled_back_however_often_is_certain(there: Place) -> None:
    make = sessionmaker(there.engine())
    for _ in range(3):
        with suppress(ZeroDivisionError), make.begin() as session:
            add(session)
            raise ZeroDivisionError
    assert (there.certain(), there.ear.left_open, there.ear.connections, there.rows) == (True, False, 3, 0)


def test_savepoints_are_no_commits_within_a_transaction(there: Place) -> None:
    with Session(there.engine()) as session:
        add(session)
        with session.begin_nested():
            add(session, 2)
        with suppress(ZeroDivisionError), session.begin_nested():
            add(session, 3)
            raise ZeroDivisionError
        assert there.certain()
        session.rollback()
    assert (there.certain(), there.rows) == (True, 0)


def test_releasing_the_only_savepoint_commits_where_the_driver_has_begun_nothing(on: Callable[[str], Place]) -> None:
    there = on("sqlite")
    with Session(there.engine()) as session:
        with session.begin_nested():
            add(session)
        assert there.rows == 1
        assert not there.certain()


def test_an_insert_after_with_is_committed_by_itself_where_the_driver_has_begun_nothing(
    on: Callable[[str], Place],
) -> None:
    there = on("sqlite")
    with there.engine().connect() as connection:
        connection.execute(sa.text("WITH one(t) AS (SELECT 7) INSERT INTO thing (token) SELECT t FROM one"))
        assert there.rows == 1
        assert not there.certain()


def test_an_earlier_commit_leaves_it_uncertain_whatever_comes_after(there: Place) -> None:
    with Session(there.engine()) as session:
        add(session)
        session.commit()
        with pytest.raises(sa.exc.IntegrityError):
            session.execute(sa.insert(thing), [{"id": 5, "token": 1}, {"id": 5, "token": 2}])
        session.rollback()
    assert not there.certain()
    assert not there.ear.only_refused


@pytest.mark.parametrize("word", ["COMMIT", "commit ", "/* now */ COMMIT"])
def test_commit_as_text_is_heard(there: Place, word: str) -> None:
    with there.engine().connect() as connection:
        add(connection)
        connection.exec_driver_sql(word)
        assert there.rows == 1
        assert not there.certain()


@pytest.mark.parametrize("dialect", ["mysql", "mariadb"])
@pytest.mark.parametrize(
    "statement",
    ["CREATE TABLE other (id INTEGER)", "BEGIN", "START TRANSACTION", "SET autocommit=1", "LOCK TABLES thing READ"],
)
def test_statements_that_commit_implicitly_are_heard(on: Callable[[str], Place], dialect: str, statement: str) -> None:
    there = on(dialect)
    with there.engine().connect() as connection:
        add(connection)
        connection.exec_driver_sql(statement)
        assert there.rows == 1
        assert not there.certain()
        connection.exec_driver_sql("SET autocommit=0")


@pytest.mark.parametrize(
    ("dialect", "statement"),
    [
        ("postgresql", "CREATE TABLE other (id INTEGER)"),
        ("postgresql", "SET LOCAL lock_timeout = '3s'"),
        ("sqlite", "CREATE TABLE other (id INTEGER)"),
        ("mysql", "CREATE TEMPORARY TABLE other (id INTEGER)"),
        ("mysql", "SET @a = 1"),
    ],
)
def test_statements_that_commit_nothing_are_known(on: Callable[[str], Place], dialect: str, statement: str) -> None:
    there = on(dialect)
    with there.engine().connect() as connection:
        add(connection)
        connection.exec_driver_sql(statement)
        assert there.certain()
        connection.rollback()
    assert (there.certain(), there.rows) == (True, 0)


def test_a_procedure_may_commit(on: Callable[[str], Place]) -> None:
    there = on("postgresql")
    with there.engine().connect() as connection:
        connection.exec_driver_sql("DO 'BEGIN NULL; END'")
    assert not there.certain()


def test_a_raw_connection_of_a_pool_is_never_certain(there: Place) -> None:
    raw = there.engine().raw_connection()
    raw.cursor().execute("INSERT INTO thing (token) VALUES (1)")
    assert (there.began, there.certain()) == ([True], False)
    raw.rollback()
    raw.close()
    with there.engine().begin():
        pass
    assert not there.certain()


@pytest.mark.parametrize("dialect", ["sqlite", "postgresql", "mysql"])
def test_a_commit_of_the_driver_itself_is_found_afterwards(on: Callable[[str], Place], dialect: str) -> None:
    there = on(dialect)
    with Session(there.engine()) as session:
        add(session)
        assert there.certain()
        driver: Any = session.connection().connection.driver_connection
        driver.commit()
        assert there.rows == 1
        assert not there.certain()


@pytest.mark.parametrize("how", ["engine", "connection"])
def test_each_statement_is_a_commit_under_autocommit(there: Place, how: str) -> None:
    engine = there.engine(isolation_level="AUTOCOMMIT") if how == "engine" else there.engine()
    engine = engine.execution_options(isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.scalar(sa.select(sa.func.max(thing.c.id)))
        assert there.certain()
        add(connection)
    assert (there.certain(), there.rows) == (False, 1)


def test_a_row_that_was_refused_under_autocommit_is_certainly_not_there(there: Place) -> None:
    engine = there.engine(isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        add(connection, id=5)
        there.expect()
        with pytest.raises(sa.exc.IntegrityError):
            add(connection, 2, id=5)
    assert (there.certain(), there.ear.only_refused) == (True, True)
    with engine.connect() as connection:
        there.expect()
        add(connection, 3, id=6)
        with pytest.raises(sa.exc.IntegrityError):
            add(connection, 3, id=6)  # the application tries the same row once more
    assert (there.certain(), there.ear.only_refused) == (False, False)


def test_autocommit_of_one_transaction_is_not_that_of_the_next(there: Place) -> None:
    engine = there.engine(pool_size=1)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        add(connection)
    there.expect()
    with engine.connect() as connection:
        add(connection)
        assert there.certain()


def test_a_transaction_that_is_left_open_may_be_committed_by_the_next_operation(there: Place) -> None:
    kept = there.engine().connect()
    add(kept)
    assert (there.certain(), there.ear.left_open) == (True, True)
    there.expect()
    kept.commit()
    kept.close()
    there.expect()
    assert (there.ear.left_open, there.rows) == (False, 1)


def test_a_connection_that_was_kept_begins_the_next_operation_with_its_transaction(there: Place) -> None:
    with there.engine().connect() as kept:
        there.expect()
        assert there.began == []
        add(kept)
        assert there.began == [True]


def test_a_refusal_that_the_work_got_over_is_counted(there: Place) -> None:
    with Session(there.engine()) as session:
        add(session, id=5)
        session.commit()
        there.expect()
        with pytest.raises(sa.exc.IntegrityError):
            add(session, 2, id=5)
        session.rollback()
        add(session, 2, id=6)
        session.commit()
    assert (there.ear.refusals, there.rows) == (1, 2)


def test_a_constraint_that_is_refused_at_commit_proves_a_rollback(on: Callable[[str], Place]) -> None:
    there = on("postgresql")
    engine = there.engine()
    with engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE thing ADD UNIQUE (token) DEFERRABLE INITIALLY DEFERRED")
        add(connection)
    there.expect()
    with pytest.raises(sa.exc.IntegrityError), engine.begin() as connection:
        add(connection)
    assert (there.certain(), there.ear.failures, there.rows) == (True, 1, 1)


def test_a_serialization_failure_at_commit_proves_a_rollback(on: Callable[[str], Place]) -> None:
    there = on("postgresql")
    engine = there.engine(isolation_level="SERIALIZABLE")
    count = sa.select(sa.func.count()).select_from(thing)
    with engine.connect() as one, engine.connect() as other:
        for token, connection in enumerate((one, other)):
            connection.scalar(count)
            add(connection, token)
        one.commit()
        there.expect()
        with pytest.raises(sa.exc.OperationalError):
            other.commit()
    assert (there.certain(), there.rows) == (True, 1)


def test_a_commit_whose_connection_was_ended_is_uncertain(on: Callable[[str], Place]) -> None:
    there = on("postgresql")
    with there.engine().connect() as connection, there.engine().connect() as other:
        pid = connection.scalar(sa.text("SELECT pg_backend_pid()"))
        add(connection)
        there.expect()
        other.scalar(sa.select(sa.func.pg_terminate_backend(pid)))
        other.rollback()
        with pytest.raises(sa.exc.OperationalError):
            connection.commit()
        assert not there.certain()


def test_a_busy_commit_that_succeeds_when_it_is_tried_again_is_heard(
    on: Callable[[str], Place], tmp_path: Path
) -> None:
    there = on("sqlite")
    assert there.url.database is not None
    with there.engine(connect_args={"timeout": 0}).connect() as connection:
        add(connection)
        reader = sqlite3.connect(there.url.database, isolation_level=None)
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM thing").fetchall()
        with pytest.raises(sa.exc.OperationalError, match="locked"):
            connection.commit()
        assert there.certain()
        reader.close()
        connection.connection.driver_connection.commit()  # type: ignore[union-attr]
    assert there.rows == 1


@pytest.mark.parametrize("dialect", ["mysql", "mariadb"])
def test_a_prepared_transaction_may_be_committed(on: Callable[[str], Place], dialect: str) -> None:
    there = on(dialect)
    connection = there.engine().connect()
    transaction = connection.begin_twophase()
    add(connection)
    assert there.certain()
    transaction.prepare()
    assert not there.certain()
    transaction.rollback()
    connection.close()


def test_a_statement_that_begins_the_transaction_may_fail_without_a_doubt(on: Callable[[str], Place]) -> None:
    there = on("sqlite")
    engine = there.engine(connect_args={"timeout": 0, "isolation_level": None})
    sa.event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN IMMEDIATE"))
    with engine.begin():
        there.expect()
        with pytest.raises(sa.exc.OperationalError, match="locked"), engine.begin():
            pass
        assert there.certain()


def test_several_threads_may_listen_at_once_and_the_last_one_to_leave_ends_it() -> None:
    inner, left = threading.Event(), threading.Event()

    def other() -> None:
        with listening():
            inner.set()
            assert left.wait(10)

    thread = threading.Thread(target=other)
    with listening():
        thread.start()
        assert inner.wait(10)
    left.set()
    thread.join()
    with listening():  # and it can begin again
        pass

"""What sessions are told is heard, however they are made and used, and is acknowledged by nothing but a COMMIT."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, scoped_session, sessionmaker

from idstorm.commands.join import judge_joined
from idstorm.join.asked import Asked
from idstorm.join.collect import Flush, read_journals
from idstorm.join.journal import Journal
from idstorm.join.listening import Listener
from idstorm.record.outcome import Outcome
from idstorm.scenario import Scenario
from servers import database

OK, FAILED, UNKNOWN = Outcome.OK, Outcome.FAILED, Outcome.UNKNOWN


class Base(DeclarativeBase):
    pass


class Order(Base):
    __tablename__ = "heard_orders"
    id: Mapped[int] = mapped_column(primary_key=True)


class Other(Base):
    __tablename__ = "heard_others"
    id: Mapped[int] = mapped_column(primary_key=True)


class Prefixed(sa.TypeDecorator[int]):
    """A number that is stored as text, behind a prefix."""

    impl = sa.String(20)
    cache_ok = True

    def process_bind_param(self, value: int | None, dialect: sa.Dialect) -> str | None:
        return None if value is None else f"N-{value}"

    def process_result_value(self, value: str | None, dialect: sa.Dialect) -> int | None:
        return None if value is None else int(value[2:])


class WithUuid(Base):
    __tablename__ = "heard_uuids"
    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=uuid.uuid4)


class WithText(Base):
    __tablename__ = "heard_texts"
    id: Mapped[str] = mapped_column(sa.String(40), primary_key=True, default=lambda: f"ä-{uuid.uuid4()}")


class Composite(Base):
    __tablename__ = "heard_pairs"
    shop: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=uuid.uuid4)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False, default=7)


class Decorated(Base):
    __tablename__ = "heard_numbers"
    id: Mapped[int] = mapped_column(Prefixed, primary_key=True, default=lambda: uuid.uuid4().int % 10**9)


@dataclass(frozen=True)
class Ear:
    """A database, and what is heard of its sessions."""

    url: sa.URL
    folder: Path
    journal: Journal

    def engine(self, **options: Any) -> sa.Engine:
        return sa.create_engine(self.url, poolclass=sa.NullPool, **options)

    def hears(self, target: Any, *models: type | Scenario) -> Listener:
        listener = Listener(self.journal, target)
        for model in models or (Order,):
            listener.ask(Asked.of(model))
        listener.origin = self.journal.begin("a test")
        return listener

    @property
    def flushes(self) -> list[Flush]:
        tables = read_journals(self.folder)
        assert not any(told.faults for told in tables)
        return sorted((one for told in tables for one in told.flushes), key=lambda one: one.handed)

    @property
    def outcomes(self) -> list[Outcome]:
        return [one.outcome for one in self.flushes]


@pytest.fixture(params=["sqlite", "postgresql"])
def ear(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Ear]:
    """Each database in turn, with the tables of the models."""
    (tmp_path / "journals").mkdir()
    on = database(request.param)
    journal, name = Journal(tmp_path / "journals", "main"), f"heard_{uuid.uuid4().hex}"
    if on.url is None:
        url = sa.make_url(f"sqlite:///{tmp_path / 'shop.db'}")
    else:
        with on.engine().connect() as connection:
            connection.execute(sa.schema.CreateSchema(name))
        url = on.url.update_query_dict({"options": f"-csearch_path={name}"})
    Base.metadata.create_all(sa.create_engine(url, poolclass=sa.NullPool))
    yield Ear(url, tmp_path / "journals", journal)
    if on.url is not None:
        with on.engine().connect() as connection:
            connection.execute(sa.schema.DropSchema(name, cascade=True))


@pytest.mark.parametrize("scoped", [False, True])
def test_all_sessions_that_are_made_are_heard(ear: Ear, scoped: bool) -> None:
    maker = sessionmaker(ear.engine())
    ear.hears(scoped_session(maker) if scoped else maker)
    for _ in range(20):
        with maker() as session:
            session.add_all([Order(), Order(), Other()])
            session.commit()
    assert [len(one.ids) for one in ear.flushes] == [2] * 20
    assert ear.outcomes == [OK] * 20
    assert all(one.begin <= one.handed <= one.commit <= one.ended for one in ear.flushes)


def test_savepoints_within_savepoints_keep_what_they_released_and_give_up_what_they_rolled_back(ear: Ear) -> None:
    with Session(ear.engine()) as session:
        session.connection()
        if ear.url.get_backend_name() == "sqlite":
            session.execute(sa.text("BEGIN"))
        ear.hears(session)
        for keep_outer in (True, False):
            for keep_inner in (True, False):
                outer = session.begin_nested()
                inner = session.begin_nested()
                session.add(Order())
                session.flush()
                inner.commit() if keep_inner else inner.rollback()
                outer.commit() if keep_outer else outer.rollback()
        session.commit()
    assert ear.outcomes == [OK, FAILED, FAILED, FAILED]


def test_a_commit_around_a_savepoint_that_was_left_open_acknowledges_from_when_the_ids_were_handed(ear: Ear) -> None:
    with Session(ear.engine()) as session, session.begin():
        ear.hears(session)
        session.begin_nested()
        session.add(Order())
    (one,) = ear.flushes
    assert one.outcome == OK
    assert one.commit == one.handed


@pytest.mark.parametrize("end", [Session.close, Session.rollback, Session.invalidate])
def test_what_was_not_committed_has_failed(ear: Ear, end: Any) -> None:
    with Session(ear.engine()) as session:
        ear.hears(session)
        session.add(Order())
        session.flush()
        end(session)
        session.add(Order())
        session.commit()
    assert ear.outcomes == [FAILED, OK]


@pytest.mark.parametrize("how", ["of the engine", "of the connection"])
def test_where_each_statement_is_a_transaction_nothing_is_known_whatever_the_session_says(ear: Ear, how: str) -> None:
    options: Any = {"isolation_level": "AUTOCOMMIT"}
    with Session(ear.engine(**options if how == "of the engine" else {})) as session:
        ear.hears(session)
        for end in (session.commit, session.rollback, session.close):
            if how == "of the connection":
                session.connection(execution_options=options)
            session.add(Order())
            session.flush()
            end()
    assert ear.outcomes == [UNKNOWN] * 3


def test_a_begin_that_is_said_aloud_to_sqlite_makes_a_transaction(tmp_path: Path) -> None:
    ear = Ear(sa.make_url(f"sqlite:///{tmp_path / 'shop.db'}"), tmp_path, Journal(tmp_path, "main"))
    engine = ear.engine(connect_args={"isolation_level": None})
    sa.event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN"))
    Base.metadata.create_all(engine)
    with Session(engine) as session:
        ear.hears(session)
        for end in (session.commit, session.rollback):
            session.add(Order())
            session.flush()
            end()
    assert ear.outcomes == [OK, FAILED]


def test_a_session_of_two_engines_acknowledges_what_one_of_them_alone_committed(ear: Ear, tmp_path: Path) -> None:
    other = sa.create_engine(f"sqlite:///{tmp_path / 'other.db'}")
    Base.metadata.create_all(other)
    with Session(binds={Order: ear.engine(), Other: other}) as session:
        ear.hears(session, Order, Other)
        for made in ([Order()], [Other()], [Order(), Other()]):
            session.add_all(made)
            session.commit()
    assert ear.outcomes == [OK, OK, UNKNOWN, UNKNOWN]
    assert len(read_journals(ear.folder)) == 2


def test_the_commits_of_a_session_within_one_outer_transaction_are_those_of_one_client(ear: Ear) -> None:
    with ear.engine().connect() as connection, connection.begin() as outer:
        with Session(connection, join_transaction_mode="rollback_only") as session:
            ear.hears(session)
            for _ in range(5):
                session.add(Order())
                session.commit()
        outer.rollback()
    (told,) = read_journals(ear.folder)
    assert [one.outcome for one in told.flushes] == [FAILED] * 5
    assert len(told.clients) == 1


def test_a_child_has_a_copy_of_a_database_in_memory_that_is_a_table_of_its_own(tmp_path: Path) -> None:
    ear = Ear(sa.make_url("sqlite://"), tmp_path, Journal(tmp_path, "main"))
    engine = sa.create_engine(ear.url, poolclass=sa.StaticPool)
    Base.metadata.create_all(engine)
    with Session(engine) as session:
        ear.hears(session)
        session.add(Order())
        session.flush()
        child = os.fork()
        if not child:
            session.rollback()
            session.add(Order())
            session.commit()
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
        session.commit()
    assert [[(one.outcome, one.ids) for one in told.flushes] for told in read_journals(tmp_path)] == [[(OK, (1,))]] * 2


def test_an_origin_that_is_taken_away_while_a_flush_is_recorded_damages_nothing(ear: Ear) -> None:
    with Session(ear.engine()) as session:
        listener = ear.hears(session)
        session.connection()

        def leave(*_: Any) -> None:
            listener.origin = None

        sa.event.listen(sa.Pool, "connect", leave)  # by which the recording looks at the database
        try:
            session.add(Order())
            session.commit()
        finally:
            sa.event.remove(sa.Pool, "connect", leave)
    assert listener.origin is None
    assert ear.outcomes == [OK]


@pytest.mark.parametrize("model", [WithUuid, WithText, Composite, Decorated])
def test_ids_of_any_type_are_heard_as_the_table_stores_them(ear: Ear, tmp_path: Path, model: type) -> None:
    for _ in range(2):
        with Session(ear.engine()) as session:
            ear.hears(session, model)
            session.add_all([model() for _ in range(3)])
            session.commit()
    report = judge_joined(ear.folder, tmp_path / "results", "pytest")
    assert report is not None
    verdicts = report.storms[0].verdicts
    assert verdicts["unique"].status == "held"
    assert (verdicts["durable"].status, verdicts["durable"].figures["foreign"]) == ("held", 0)

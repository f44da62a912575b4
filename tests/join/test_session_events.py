"""What sessions are told is heard, however they are made and used, and is acknowledged by nothing but a COMMIT."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, scoped_session, sessionmaker

from idstorm.commands.join import judge_joined
from idstorm.join.journal import Journal
from idstorm.join.keyring import met
from idstorm.join.read_journals import Flush, read_journals
from idstorm.join.session_events import Listener
from idstorm.join.watched import Watched
from idstorm.record.outcome import Outcome
from idstorm.scenario import Scenario
from servers import On, database

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
            listener.ask(Watched.of(model))
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
    report = judge_joined(ear.folder, tmp_path / "results", "pytest", met())
    assert report is not None
    verdicts = report.storms[0].verdicts
    assert verdicts["unique"].status == "held"
    assert (verdicts["durable"].status, verdicts["durable"].figures["foreign"]) == ("held", 0)


def refuse(session: Session, id_: int = 1) -> None:
    session.add(Order(id=id_))
    with pytest.raises(sa.exc.IntegrityError):
        session.flush()
    session.rollback()


def refusals(ear: Ear) -> list[bool]:
    (told,) = read_journals(ear.folder)  # one table: what failed is in the one that the others are in
    return [one.code is not None and one.code.refused for one in told.flushes]


@pytest.fixture
def taken(ear: Ear) -> Ear:
    """The same, where the id 1 is taken."""
    with ear.engine().begin() as connection:
        connection.execute(sa.insert(Order).values(id=1))
    return ear


def test_a_refusal_is_heard_before_the_first_flush_that_succeeds(taken: Ear) -> None:
    with Session(taken.engine()) as session:
        taken.hears(session)
        refuse(session)
        session.add(Order(id=2))
        session.commit()
    assert refusals(taken) == [True, False]
    assert taken.outcomes == [FAILED, OK]


def test_a_refusal_within_a_savepoint_is_heard_and_the_transaction_goes_on(taken: Ear) -> None:
    with Session(taken.engine()) as session:
        session.connection()
        if taken.url.get_backend_name() == "sqlite":
            session.execute(sa.text("BEGIN"))
        session.add(Order(id=2))
        session.flush()
        taken.hears(session)
        savepoint = session.begin_nested()
        session.add(Order(id=1))
        with pytest.raises(sa.exc.IntegrityError):
            session.flush()
        savepoint.rollback()
        session.commit()
    assert refusals(taken) == [True]
    with taken.engine().connect() as connection:
        assert connection.scalars(sa.select(Order.id).order_by(Order.id)).all() == [1, 2]


def test_a_refusal_in_an_outer_transaction_is_heard_and_leaves_none_open(taken: Ear) -> None:
    engine = taken.engine()
    with engine.connect() as connection, connection.begin():
        with Session(connection, join_transaction_mode="rollback_only") as session:
            taken.hears(session)
            refuse(session)
        assert not connection.in_transaction()
        driver: Any = connection.connection.driver_connection
        if taken.url.get_backend_name() == "postgresql":
            assert driver.info.transaction_status == 0
        else:
            assert not driver.in_transaction
    assert refusals(taken) == [True]


def test_refusals_are_heard_on_each_engine_and_in_each_process(taken: Ear) -> None:
    engines = [taken.engine(), taken.engine()]
    maker = sessionmaker()
    taken.hears(maker)
    child = os.fork()
    for engine in engines:
        with maker(bind=engine) as session:
            refuse(session)
    if not child:
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    assert refusals(taken) == [True] * 4


def test_of_a_session_of_two_engines_each_failure_is_in_the_table_of_its_own(taken: Ear, tmp_path: Path) -> None:
    other = sa.create_engine(f"sqlite:///{tmp_path / 'other.db'}")
    Base.metadata.create_all(other)
    with Session(binds={Order: taken.engine(), Other: other}) as session:
        taken.hears(session, Order, Other)
        session.add(Other(id=1))
        session.flush()
        refuse(session)
        session.add(Other(id=2))
        session.commit()
    found = {told.about["table"]: told.flushes for told in read_journals(taken.folder)}
    (one,) = found["heard_orders"]
    assert one.code is not None
    assert one.code.refused
    assert [(one.ids, one.outcome, one.code) for one in found["heard_others"]] == [
        ((1,), FAILED, None),
        ((2,), OK, None),
    ]


def test_a_statement_of_a_session_that_is_refused_is_heard_like_a_flush(taken: Ear) -> None:
    def bulk(session: Session) -> None:
        session.bulk_insert_mappings(sa.inspect(Order), [{"id": 1}])

    def several(session: Session) -> None:
        session.execute(sa.insert(Order), [{"id": 1}, {"id": 2}])

    maker = sessionmaker(taken.engine())
    taken.hears(maker)
    for act in (lambda session: session.execute(sa.insert(Order).values(id=1)), several, bulk):
        with maker() as session, pytest.raises(sa.exc.IntegrityError):
            act(session)
    with maker() as session:
        session.execute(sa.insert(Order).values(id=7))
        session.execute(sa.insert(Other).values(id=1))
        with pytest.raises(sa.exc.IntegrityError):
            session.execute(sa.insert(Other).values(id=1))
        session.rollback()
    assert refusals(taken) == [True] * 3
    assert sorted(len(one.ids) for one in taken.flushes) == [1, 1, 2]


def test_an_error_that_is_no_refusal_keeps_its_code(ear: Ear) -> None:
    with Session(ear.engine()) as session:
        ear.hears(session)
        session.add(Order(id="no number"))
        with pytest.raises(sa.exc.SQLAlchemyError):
            session.flush()
    (one,) = ear.flushes
    assert one.code is not None
    assert (bool(one.code.name), one.code.refused) == (True, False)


def test_a_transaction_that_had_begun_before_it_was_listened_to_is_heard_from_then_on(taken: Ear) -> None:
    with Session(taken.engine()) as session:
        session.connection()
        taken.hears(session)
        session.add(Order(id=2))
        session.commit()
        session.connection()
        refuse(session)
    one, two = sorted(taken.flushes, key=lambda one: one.begin)
    assert (one.outcome, two.code is not None and two.code.refused) == (OK, True)
    assert 0 < one.begin <= one.handed


def test_what_another_listener_adds_before_the_flush_is_heard_too(ear: Ear) -> None:
    with Session(ear.engine()) as session:
        ear.hears(session)
        sa.event.listen(session, "before_flush", lambda session, *_: session.add(Order(id=5)))
        session.add(Order(id=4))
        session.flush()
        session.rollback()
        session.add(Other())
        session.commit()
        refused = Order(id=4)
        session.add(refused)
        sa.event.listen(session, "before_flush", lambda session, *_: session.add(Order(id=6)))
        with pytest.raises(sa.exc.IntegrityError):
            session.flush()
    assert sorted((sorted(one.ids, key=str), one.outcome) for one in ear.flushes if one.handed) == [
        ([4, 5], FAILED),
        ([5], OK),
    ]
    assert [len(one.ids) for one in ear.flushes if not one.handed] == [3]


def test_a_session_that_two_listen_to_is_heard_once(ear: Ear) -> None:
    class Base(Session):
        pass

    class Derived(Base):
        pass

    for target in (Derived, Base):
        ear.hears(target)
    with Derived(ear.engine()) as session:
        session.add(Order())
        session.commit()
    assert ear.outcomes == [OK]


def test_connections_that_share_memory_see_one_table_and_others_one_each(tmp_path: Path) -> None:
    ear = Ear(sa.make_url("sqlite:///file:shared?mode=memory&cache=shared&uri=true"), tmp_path, Journal(tmp_path, "m"))
    kept = ear.engine().connect()
    Base.metadata.create_all(kept)
    kept.commit()
    for url in (ear.url, ear.url, sa.make_url("sqlite://"), sa.make_url("sqlite://")):
        with sa.create_engine(url, poolclass=sa.NullPool).connect() as connection:
            Base.metadata.create_all(connection)
            connection.commit()
            with Session(connection) as session:
                ear.hears(session)
                session.add(Order())
                session.commit()
                connection.commit()
    kept.close()
    assert sorted(len(told.flushes) for told in read_journals(tmp_path)) == [1, 1, 2]


def elsewhere(url: sa.URL, folder: Path) -> sa.URL:
    """The same database by another URL."""
    if url.get_backend_name() == "sqlite":
        link = folder / "link.db"
        link.symlink_to(str(url.database))
        return url.set(database=str(link))
    assert url.host == "127.0.0.1"
    return url.set(host="localhost")


def test_one_database_behind_two_urls_is_one_table(ear: Ear, tmp_path: Path) -> None:
    for url in (ear.url, elsewhere(ear.url, tmp_path)):
        with Session(sa.create_engine(url, poolclass=sa.NullPool)) as session:
            ear.hears(session)
            session.add(Order())
            session.commit()
    (told,) = read_journals(ear.folder)
    assert [one.outcome for one in told.flushes] == [OK, OK]


def test_two_databases_behind_one_url_are_two_tables(ear: Ear, tmp_path: Path) -> None:
    name = f"heard_{uuid.uuid4().hex}"
    if ear.url.get_backend_name() == "sqlite":
        other = ear.url.set(database=str(tmp_path / "other.db"))
        admin = None
    else:
        admin = sa.create_engine(ear.url, poolclass=sa.NullPool, isolation_level="AUTOCOMMIT")
        with admin.connect() as connection:
            connection.exec_driver_sql(f"CREATE DATABASE {name}")
        other = ear.url.set(database=name, query={})
    Base.metadata.create_all(sa.create_engine(other, poolclass=sa.NullPool))
    bare = sa.make_url(ear.url.drivername + "://")
    for url in (ear.url, other):
        raw = sa.create_engine(url, poolclass=sa.NullPool)
        args, options = raw.dialect.create_connect_args(url)
        engine = sa.create_engine(
            bare,
            poolclass=sa.NullPool,
            creator=lambda raw=raw, args=args, options=options: raw.dialect.connect(*args, **options),
        )
        with Session(engine) as session:
            ear.hears(session)
            session.add(Order())
            session.commit()
    assert [len(told.flushes) for told in read_journals(ear.folder)] == [1, 1]
    if admin is not None:
        with admin.connect() as connection:
            connection.exec_driver_sql(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.mark.parametrize("how", ["translated", "search path"])
def test_schemas_that_one_session_has_in_turn_are_tables_of_their_own(postgresql: On, tmp_path: Path, how: str) -> None:
    names = [f"heard_{uuid.uuid4().hex}" for _ in range(2)]
    assert postgresql.url is not None
    ear = Ear(postgresql.url, tmp_path, Journal(tmp_path, "main"))
    with ear.engine().begin() as connection:
        for name in names:
            connection.execute(sa.schema.CreateSchema(name))
            there = connection.execution_options(schema_translate_map={None: name})
            Base.metadata.create_all(there)
    try:
        with Session(ear.engine()) as session:
            ear.hears(session)
            for name in names * 2:
                if how == "translated":
                    session.connection(execution_options={"schema_translate_map": {None: name}})
                else:
                    session.execute(sa.text(f"SET LOCAL search_path TO {name}"))
                session.add(Order())
                session.flush()
                if how == "translated":
                    session.commit()
            session.commit()
        tables = read_journals(ear.folder)
        assert {told.about["schema"]: [one.ids for one in told.flushes] for told in tables} == {
            name: [(1,), (2,)] for name in names
        }
    finally:
        with ear.engine().begin() as connection:
            for name in names:
                connection.execute(sa.schema.DropSchema(name, cascade=True))


@pytest.mark.parametrize("heard", [True, False])
def test_a_refusal_that_answers_commit_is_heard_or_leaves_it_unknown(
    postgresql: On, tmp_path: Path, heard: bool
) -> None:
    name = f"heard_{uuid.uuid4().hex}"
    assert postgresql.url is not None
    url = postgresql.url.update_query_dict({"options": f"-csearch_path={name}"})
    ear = Ear(url, tmp_path, Journal(tmp_path, "main"))
    with ear.engine().begin() as connection:
        connection.execute(sa.schema.CreateSchema(name))
        connection.exec_driver_sql("CREATE TABLE heard_orders (id int PRIMARY KEY DEFERRABLE INITIALLY DEFERRED)")
        connection.exec_driver_sql("INSERT INTO heard_orders VALUES (1)")
    try:
        with Session(ear.engine()) as session:
            ear.hears(session)
            if heard:
                with pytest.raises(sa.exc.IntegrityError), session.begin():
                    session.add(Order(id=1))
            else:
                session.add(Order(id=1))
                with pytest.raises(sa.exc.IntegrityError):
                    session.commit()
                session.rollback()  # where no error is to be seen any more
        (one,) = ear.flushes
        assert one.code is not None
        assert (one.code.refused, one.code.recognised) == (heard, heard)
        assert one.outcome == (FAILED if heard else UNKNOWN)
    finally:
        with ear.engine().begin() as connection:
            connection.execute(sa.schema.DropSchema(name, cascade=True))


def test_a_file_is_read_back_where_it_was_opened_and_no_other_in_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = []
    for fate in ("kept", "removed", "replaced"):
        folders = [tmp_path / fate / name for name in ("journals", "one", "two")]
        for folder in folders:
            folder.mkdir(parents=True)
        journals, one, two = folders
        monkeypatch.chdir(one)
        ear = Ear(sa.make_url("sqlite:///app.db"), journals, Journal(journals, "main"))
        engine = sa.create_engine(ear.url)
        Base.metadata.create_all(engine)
        with Session(engine) as session:
            session.connection()
            monkeypatch.chdir(two)
            ear.hears(session)
            session.add(Order())
            session.commit()
        engine.dispose()
        if fate != "kept":
            (one / "app.db").rename(one / "old.db")
        if fate == "replaced":
            Base.metadata.create_all(sa.create_engine(f"sqlite:///{one / 'app.db'}"))
        report = judge_joined(journals, tmp_path / "results", "pytest", met())
        assert report is not None
        durable = report.storms[0].verdicts["durable"]
        found.append((durable.status, durable.reason))
        assert list(two.iterdir()) == []
    cannot = "the table cannot be read any more: "
    assert found == [
        ("held", None),
        ("n/a", f"{cannot}the file of the database is gone"),
        ("n/a", f"{cannot}another file has taken the place of the database"),
    ]


@pytest.mark.parametrize("dialect", ["mysql", "mariadb"])
def test_databases_that_one_session_uses_in_turn_are_told_apart_also_by_what_is_refused(
    dialect: str, tmp_path: Path
) -> None:
    on, names = database(dialect), [f"heard_{uuid.uuid4().hex}" for _ in range(2)]
    assert on.url is not None
    ear = Ear(on.url.set(database=names[0]), tmp_path, Journal(tmp_path, "main"))
    with on.engine().connect() as connection:
        for name in names:
            connection.exec_driver_sql(f"CREATE DATABASE {name}")
            Base.metadata.create_all(sa.create_engine(on.url.set(database=name), poolclass=sa.NullPool))
    try:
        with Session(ear.engine()) as session:
            ear.hears(session)
            for name in names * 2:
                session.execute(sa.text(f"USE {name}"))
                session.add(Order(id=1))
                with nullcontext() if name not in ear_schemas(ear) else pytest.raises(sa.exc.IntegrityError):
                    session.flush()
                session.commit() if session.is_active else session.rollback()
        assert {
            told.about["schema"]: sorted(
                (one.outcome, one.code is not None and one.code.refused) for one in told.flushes
            )
            for told in read_journals(tmp_path)
        } == {name: [(OK, False), (FAILED, True)] for name in names}
    finally:
        with on.engine().connect() as connection:
            for name in names:
                connection.exec_driver_sql(f"DROP DATABASE {name}")


def ear_schemas(ear: Ear) -> set[str]:
    return {told.about["schema"] for told in read_journals(ear.folder)}

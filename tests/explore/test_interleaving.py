"""`idstorm.interleave`: two functions of an application, in every order of their statements."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, sessionmaker

import idstorm
from databases.own import own_database
from idstorm.errors import UsageError
from idstorm.explore.interleaving import Interleaved, InvariantBroken, NotComplete
from idstorm.explore.kept import KEPT
from servers import SERVERS, On, database


class Base(DeclarativeBase):
    pass


class Seat(Base):
    __tablename__ = "seat"
    id: Mapped[int] = mapped_column(primary_key=True)
    owner: Mapped[str | None] = mapped_column(sa.String(20))
    sold: Mapped[int] = mapped_column(default=0)


class Theatre:
    """An application that sells one seat."""

    def __init__(self, engine: sa.Engine) -> None:
        self.sessions = sessionmaker(engine)

    def one_seat(self) -> None:
        with self.sessions.begin() as session:
            session.execute(sa.delete(Seat))
            session.add(Seat(id=1))

    def sell(self, session: Session, owner: str) -> None:
        if session.scalars(sa.select(Seat.owner).where(Seat.id == 1)).one() is None:
            session.execute(sa.update(Seat).where(Seat.id == 1).values(owner=owner, sold=Seat.sold + 1))

    def to_ann(self, session: Session) -> None:
        self.sell(session, "Ann")

    def to_bob(self, session: Session) -> None:
        self.sell(session, "Bob")

    def sell_locked(self, owner: str) -> None:
        with self.sessions.begin() as session:
            seat = session.scalars(sa.select(Seat).where(Seat.id == 1).with_for_update()).one()
            if seat.owner is None:
                seat.owner, seat.sold = owner, seat.sold + 1

    def locked_to_ann(self) -> None:
        self.sell_locked("Ann")

    def locked_to_bob(self) -> None:
        self.sell_locked("Bob")

    def sold_once(self, session: Session) -> None:
        assert session.scalars(sa.select(Seat.sold)).one() == 1, "the seat is sold twice"


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture(params=["sqlite", *SERVERS])
def theatre(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Theatre]:
    if request.param == "sqlite":
        yield from opened(sa.create_engine(f"sqlite:///{tmp_path}/theatre.db"))
        return
    with own_database(database(request.param)) as on:
        assert on.url is not None
        yield from opened(sa.create_engine(on.url))


def opened(engine: sa.Engine) -> Iterator[Theatre]:
    Base.metadata.create_all(engine)
    yield Theatre(engine)
    engine.dispose()


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Theatre]:
    yield from opened(sa.create_engine(f"sqlite:///{tmp_path}/theatre.db"))


def test_the_shortest_schedule_that_breaks_the_invariant_is_shown(theatre: Theatre) -> None:
    if refuses_lost_updates(theatre):
        found = idstorm.interleave(
            theatre.to_ann,
            theatre.to_bob,
            setup=theatre.one_seat,
            invariant=theatre.sold_once,
            session=theatre.sessions,
        )
        assert any("has changed since last read" in one for outcome in found.outcomes for one in outcome)
        return
    with pytest.raises(InvariantBroken) as raised:
        idstorm.interleave(
            theatre.to_ann,
            theatre.to_bob,
            setup=theatre.one_seat,
            invariant=theatre.sold_once,
            session=theatre.sessions,
        )
    said = str(raised.value)
    assert said.startswith("sold_once does not hold: the seat is sold twice")
    assert "with 1 preemption:\n  A: SELECT seat.owner" in said
    steps = [line.split()[:2] for line in said.splitlines()[2:] if line.startswith("  ") and "=" not in line.split()[1]]
    assert steps[:2] == [["A:", "SELECT"], ["B:", "SELECT"]], said
    assert said.splitlines()[-2:] == ["  A = ok", "  B = ok"]


def refuses_lost_updates(theatre: Theatre) -> bool:
    """Whether the database refuses to update a row that has changed since the transaction read it."""
    engine: sa.Engine = theatre.sessions.kw["bind"]
    with engine.connect() as connection:
        if not getattr(connection.dialect, "is_mariadb", False):
            return False
        return bool(connection.exec_driver_sql("SELECT @@innodb_snapshot_isolation").scalar_one())


def test_with_a_lock_it_holds_in_every_schedule(theatre: Theatre) -> None:
    if theatre.sessions.kw["bind"].dialect.name == "sqlite":
        pytest.skip("SQLite has no FOR UPDATE")
    found = idstorm.interleave(
        theatre.locked_to_ann,
        theatre.locked_to_bob,
        setup=theatre.one_seat,
        invariant=theatre.sold_once,
        session=theatre.sessions,
    )
    assert found.schedules >= 4
    assert ("ok", "ok") in found.outcomes


def test_what_broke_once_is_tried_first_until_it_is_mended(small: Theatre, monkeypatch: pytest.MonkeyPatch) -> None:
    def interleave() -> Interleaved:
        return idstorm.interleave(
            small.to_ann, small.to_bob, setup=small.one_seat, invariant=small.sold_once, session=small.sessions
        )

    for _ in range(2):
        with pytest.raises(InvariantBroken):
            interleave()
        assert len(list(KEPT.iterdir())) == 1
    setups = list[None]()

    def counted() -> None:
        setups.append(None)
        small.one_seat()

    with pytest.raises(InvariantBroken):
        idstorm.interleave(small.to_ann, small.to_bob, setup=counted, invariant=small.sold_once, session=small.sessions)
    assert len(setups) == 1  # the schedule that was kept is the first
    monkeypatch.setattr(small, "sell", lambda session, owner: session.execute(sa.update(Seat).values(sold=1)))
    bounded = idstorm.interleave(
        small.to_ann,
        small.to_bob,
        setup=small.one_seat,
        invariant=small.sold_once,
        session=small.sessions,
        max_preemptions=0,
    )
    assert (bounded.schedules, len(list(KEPT.iterdir()))) == (2, 1)  # others may break it still
    assert interleave().schedules > 1
    assert list(KEPT.iterdir()) == []


def test_what_broke_another_invariant_is_kept_apart(small: Theatre) -> None:
    def nobody_has_it(session: Session) -> bool:
        return session.scalars(sa.select(Seat.owner)).one() is None

    for invariant in (small.sold_once, nobody_has_it):
        with pytest.raises(InvariantBroken):
            idstorm.interleave(
                small.to_ann, small.to_bob, setup=small.one_seat, invariant=invariant, session=small.sessions
            )
    assert sorted(path.name.rpartition("-")[0] for path in KEPT.iterdir()) == [
        "to_ann-to_bob-nobody_has_it",
        "to_ann-to_bob-sold_once",
    ]


def test_functions_that_reach_two_databases_are_told_so(small: Theatre, postgresql: On) -> None:
    def elsewhere() -> None:
        with postgresql.engine().connect() as connection:
            connection.execute(sa.text("SELECT 1"))

    with pytest.raises(UsageError, match="these functions reach two databases, postgresql besides the first"):
        idstorm.interleave(
            elsewhere, small.to_bob, setup=small.one_seat, invariant=lambda: None, session=small.sessions
        )


def test_a_busy_database_is_waited_for_in_turns_and_its_timeout_is_left_as_it_was(small: Theatre) -> None:
    small.one_seat()
    engine: sa.Engine = small.sessions.kw["bind"]

    def timeout() -> int:
        with engine.connect() as connection:
            return int(connection.exec_driver_sql("PRAGMA busy_timeout").scalar_one())

    def take(session: Session) -> None:
        session.execute(sa.update(Seat).values(sold=Seat.sold + 1))

    before = timeout()
    found = idstorm.interleave(take, take, setup=small.one_seat, invariant=lambda: True, session=small.sessions)
    assert found.outcomes == (("ok", "ok"),)
    assert timeout() == before == 5000


def test_a_bound_of_ours_is_no_answer(small: Theatre) -> None:
    with pytest.raises(NotComplete, match="the invariant held in 1 schedules, and at least"):
        idstorm.interleave(
            small.to_ann,
            small.to_bob,
            setup=small.one_seat,
            invariant=lambda: None,
            session=small.sessions,
            max_schedules=1,
        )
    found = idstorm.interleave(
        small.to_ann,
        small.to_bob,
        setup=small.one_seat,
        invariant=lambda: None,
        session=small.sessions,
        max_preemptions=0,
    )
    assert (found.schedules, found.preemptions) == (2, 0)


def test_errors_of_the_functions_are_outcomes(small: Theatre) -> None:
    def fails(session: Session) -> None:
        session.scalars(sa.select(Seat.id)).all()
        raise ValueError("no")

    found = idstorm.interleave(
        fails, small.to_bob, setup=small.one_seat, invariant=lambda: None, session=small.sessions
    )
    assert found.outcomes == (("ValueError: no", "ok"),)


def test_what_cannot_be_stepped_is_one_sentence(small: Theatre, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="interleave takes from two to 8 functions"):
        idstorm.interleave(small.to_ann, setup=small.one_seat, invariant=lambda: None)
    with pytest.raises(UsageError, match="to_ann takes a session: say how to open one"):
        idstorm.interleave(small.to_ann, small.to_bob, setup=small.one_seat, invariant=lambda: None)
    with pytest.raises(UsageError, match="setup reached no database"):
        idstorm.interleave(list, list, setup=lambda: None, invariant=lambda: None)
    memory = sa.create_engine("sqlite://", poolclass=sa.StaticPool)
    with pytest.raises(UsageError, match="a database in memory"):
        idstorm.interleave(list, list, setup=lambda: memory.connect().close(), invariant=lambda: None)
    memory.dispose()


def test_what_no_statement_was_seen_of_is_no_answer(small: Theatre) -> None:
    def nothing(session: Session) -> None:
        session.scalars(sa.select(Seat.id)).all()

    def by_the_driver() -> None:
        connection = small.sessions.kw["bind"].raw_connection()
        connection.cursor().execute("SELECT 1")
        connection.close()

    with pytest.raises(UsageError, match="no statement of by_the_driver"):
        idstorm.interleave(nothing, by_the_driver, setup=small.one_seat, invariant=list, session=small.sessions)


def test_what_a_function_raises_that_is_no_error_ends_the_test(small: Theatre) -> None:
    def gives_up(session: Session) -> None:
        session.scalars(sa.select(Seat.id)).all()
        pytest.fail("not so")

    with pytest.raises(pytest.fail.Exception, match="not so"):
        idstorm.interleave(gives_up, small.to_bob, setup=small.one_seat, invariant=lambda: None, session=small.sessions)


def test_savepoints_on_pooled_connections_are_each_functions_own(theatre: Theatre) -> None:
    def nested(session: Session) -> None:
        with session.begin_nested():
            session.execute(sa.update(Seat).values(sold=Seat.sold + 1))

    found = idstorm.interleave(nested, nested, setup=theatre.one_seat, invariant=lambda: None, session=theatre.sessions)
    assert found.outcomes == (("ok", "ok"),)


def test_in_autocommit_a_refused_row_is_tried_again(theatre: Theatre) -> None:
    engine: sa.Engine = theatre.sessions.kw["bind"].execution_options(isolation_level="AUTOCOMMIT")

    def take_a_number() -> None:
        with engine.connect() as connection:
            for number in range(2, 9):
                try:
                    connection.execute(sa.insert(Seat).values(id=number, sold=0))
                except sa.exc.IntegrityError:
                    continue
                return

    def both_are_there(session: Session) -> bool:
        return session.scalars(sa.select(Seat.id).order_by(Seat.id)).all() == [1, 2, 3]

    found = idstorm.interleave(
        take_a_number,
        take_a_number,
        setup=theatre.one_seat,
        invariant=both_are_there,
        session=theatre.sessions,
    )
    assert found.outcomes == (("ok", "ok"),)


def test_two_functions_in_one_transaction_are_told_so(small: Theatre) -> None:
    engine: sa.Engine = small.sessions.kw["bind"]
    small.one_seat()
    with engine.connect() as connection, connection.begin() as outer:
        shared = sessionmaker(connection, join_transaction_mode="create_savepoint")
        with pytest.raises(UsageError, match="two of these functions were in one transaction, on one connection"):
            idstorm.interleave(
                small.to_ann,
                small.to_bob,
                setup=lambda: engine.connect().close(),
                invariant=lambda: None,
                session=shared,
            )
        outer.rollback()


def test_work_that_differs_each_time_is_told_so(small: Theatre) -> None:
    calls = iter(range(1000))

    def differs(session: Session) -> None:
        for _ in range(1 + next(calls) % 3):
            session.scalars(sa.select(Seat.id)).all()

    with pytest.raises(UsageError, match="setup does not bring everything back, or the functions differ each time"):
        idstorm.interleave(differs, small.to_bob, setup=small.one_seat, invariant=lambda: None, session=small.sessions)


ASYNC = {"sqlite": "aiosqlite", "postgresql": "asyncpg", "mysql": "aiomysql", "mariadb": "asyncmy"}


@pytest.mark.parametrize("locked", [False, True])
@pytest.mark.parametrize("dialect", ASYNC)
def test_coroutine_functions_are_tasks_of_one_loop(tmp_path: Path, dialect: str, locked: bool) -> None:
    with own_database(database(dialect)) if dialect != "sqlite" else nullcontext(On("sqlite")) as on:
        url = on.url or sa.make_url(f"sqlite:///{tmp_path}/theatre.db")
        (theatre,) = opened(sa.create_engine(url))
        found = _sell_twice(theatre, create_async_engine(url.set(drivername=f"{dialect}+{ASYNC[dialect]}")), locked)
        safe = (locked and dialect != "sqlite") or refuses_lost_updates(theatre)
        theatre.sessions.kw["bind"].dispose()
    assert ("broken" in found) != safe, found


def _sell_twice(theatre: Theatre, engine: AsyncEngine, locked: bool) -> str:
    sessions, seat = async_sessionmaker(engine), sa.select(Seat).where(Seat.id == 1)

    async def sell(session: AsyncSession) -> None:
        found = (await session.scalars(seat.with_for_update() if locked else seat)).one()
        if found.owner is None:
            sold = sa.update(Seat).values(owner="Ann", sold=Seat.sold + 1)
            await session.execute(sold, execution_options={"synchronize_session": False})

    async def one_seat() -> None:
        async with engine.begin() as connection:
            await connection.execute(sa.delete(Seat))
            await connection.execute(sa.insert(Seat).values(id=1, sold=0))

    async def sold_once(session: AsyncSession) -> bool:
        return (await session.scalars(sa.select(Seat.sold))).one() == 1

    try:
        return str(idstorm.interleave(sell, sell, setup=one_seat, invariant=sold_once, session=sessions))
    except InvariantBroken as broken:
        return f"broken: {broken}"

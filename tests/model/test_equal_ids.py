"""What a database calls the same id is the same id, and a token is kept where it comes back as it was given."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import CHAR, BigInteger, CheckConstraint, Computed, FetchedValue, String
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, validates

from idstorm.model.work import work_of
from idstorm.scenario import Scenario
from running import Idstorm
from servers import On

pytestmark = pytest.mark.release  # every type on every server

EQUAL = """
import datetime as dt, itertools, os
from decimal import Decimal
import numpy as np
from sqlalchemy import CHAR, NCHAR, DateTime, Numeric, String, TypeDecorator, create_engine, event
from sqlalchemy.dialects.mysql import VARCHAR
from sqlalchemy.orm import Mapped, mapped_column
from idstorm.scenario import Row, Scenario

WORKER, numbers = int(os.environ.get("IDSTORM_WORKER", "0")), itertools.count(4)
EAST = dt.timezone(dt.timedelta(hours=5))

def number():
    return next(numbers) + WORKER * 10_000

def in_kolkata(connection, _):
    connection.execute("SET TimeZone = 'Asia/Kolkata'")
    connection.commit()

def engine(url, **pool):
    made = create_engine(url, **pool)
    if url.get_backend_name() == "postgresql":  # the one that converts between zones
        event.listen(made, "connect", in_kolkata)
    return made

def telling(model, tell):
    def insert(session, tokens):
        rows = [model(token=token) for token in tokens]
        session.add_all(rows)
        session.flush()
        return [tell(row.id) for row in rows]
    return Scenario(model, insert=insert)

class Padded(TypeDecorator):
    impl, cache_ok = CHAR(20), True

class Money(TypeDecorator):
    impl, cache_ok = Numeric(20, 2), True

class Naive(TypeDecorator):
    impl, cache_ok = DateTime, True

    def process_bind_param(self, value, dialect):
        return value.astimezone(dt.UTC).replace(tzinfo=None)

class Moment(Row):
    id: Mapped[dt.datetime] = mapped_column(
        DateTime(timezone=True), primary_key=True,
        default=lambda: dt.datetime(2026, 1, 1, tzinfo=EAST) + dt.timedelta(minutes=number()),
    )

class Code(Row):
    id: Mapped[str] = mapped_column(CHAR(20), primary_key=True, default=lambda: f"c{number()}")

class Price(Row):
    id: Mapped[Decimal] = mapped_column(Numeric(12, 2), primary_key=True, default=lambda: Decimal(number()) / 4)

class Both(Row):
    code: Mapped[str] = mapped_column(CHAR(20), primary_key=True, default=lambda: f"c{number()}")
    name: Mapped[str] = mapped_column(String(20), primary_key=True, default="same ")
    at: Mapped[dt.datetime] = mapped_column(
        DateTime(timezone=True), primary_key=True, default=lambda: dt.datetime(2026, 1, 1, tzinfo=EAST)
    )

class Many(Row):
    code: Mapped[str] = mapped_column(NCHAR(20), primary_key=True, default=lambda: f"c{number()}")
    other: Mapped[str] = mapped_column(String(20).with_variant(CHAR(20), "postgresql"), primary_key=True, default="b")
    padded: Mapped[str] = mapped_column(Padded, primary_key=True, default="c")
    naive: Mapped[dt.datetime] = mapped_column(
        DateTime(timezone=True), primary_key=True, default=lambda: dt.datetime(2026, 1, 1)
    )
    zoned: Mapped[dt.datetime] = mapped_column(
        DateTime, primary_key=True, default=lambda: dt.datetime(2026, 1, 1, tzinfo=EAST)
    )
    stripped: Mapped[dt.datetime] = mapped_column(
        Naive, primary_key=True, default=lambda: dt.datetime(2026, 1, 1, tzinfo=EAST)
    )

class Whole(Row):
    id: Mapped[Decimal] = mapped_column(Money, primary_key=True, default=lambda: Decimal(number()) / 4)

class Cased(Row):
    id: Mapped[str] = mapped_column(
        String(40).with_variant(VARCHAR(40, collation="utf8mb4_bin"), "mysql", "mariadb"), primary_key=True,
        default=lambda: f"{(one := number()) // 2:030d}" + ("ab", "AB")[one % 2],
    )

class Plain(Row):
    id: Mapped[int] = mapped_column(primary_key=True)

moment, code, price, both, whole, cased = map(Scenario, (Moment, Code, Price, Both, Whole, Cased))
many = Scenario(Many, engine=engine)
dollars, iso = telling(Price, "{:.4f}".format), telling(Moment, dt.datetime.isoformat)
counted = telling(Plain, np.int64)
"""


def test_an_id_that_a_database_gives_back_in_another_form_is_the_same_id(idstorm: Idstorm, anywhere: On) -> None:
    ran = idstorm.storm(idstorm.write("mine.py", EQUAL), "--on", anywhere.dialect, "-n", "240", **anywhere.environ)
    assert ran.code == 0, ran.err
    found = {storm["scenario"].partition(":")[2]: storm["verdicts"] for storm in ran.report["storms"]}
    names = ("moment", "code", "price", "both", "whole", "cased", "many", "dollars", "iso", "counted")
    for check in ("faithful", "unique"):
        assert {name: verdicts[check]["status"] for name, verdicts in found.items()} == dict.fromkeys(names, "held")


@pytest.mark.parametrize("first", [1, 300])
def test_a_sequence_that_was_left_behind_is_a_finding(idstorm: Idstorm, postgresql: On, first: int) -> None:
    name = idstorm.write(
        "mine.py",
        f"""
        from sqlalchemy import Sequence, insert
        from sqlalchemy.orm import Mapped, mapped_column
        from idstorm.scenario import Row, Scenario

        class Moved(Row):
            id: Mapped[int] = mapped_column(Sequence("moved_seq"), primary_key=True)

        def rows(connection):
            connection.execute(insert(Moved), [{{"id": id_}} for id_ in range({first}, 601)])

        mine = Scenario(Moved, setup=rows)
        """,
    )
    ran = idstorm.storm(name, "--on", "postgresql", "-n", "1600", **postgresql.environ)
    assert ran.code == 1, ran.err
    (storm,) = ran.report["storms"]
    assert storm["verdicts"]["accepted"]["figures"]["collisions"] == 601 - first


class Base(DeclarativeBase):
    pass


class Versioned(Base):
    __tablename__ = "versioned"
    id: Mapped[int] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(BigInteger)
    name: Mapped[str] = mapped_column(String(80))
    __mapper_args__ = {"version_id_col": version}  # noqa: RUF012 (as every model has it)


class Kind(Base):
    __tablename__ = "kind"
    id: Mapped[int] = mapped_column(primary_key=True)
    type: Mapped[str] = mapped_column(String(50))
    name: Mapped[str] = mapped_column(String(80))
    __mapper_args__ = {"polymorphic_on": "type", "polymorphic_identity": "kind"}  # noqa: RUF012 (as every model has it)


class Doubled(Base):
    __tablename__ = "doubled"
    id: Mapped[int] = mapped_column(primary_key=True)
    twice: Mapped[int] = mapped_column(BigInteger, Computed("id * 2"))
    made: Mapped[int] = mapped_column(BigInteger, FetchedValue())
    name: Mapped[str] = mapped_column(String(80))


class Checked(Base):
    __tablename__ = "checked"
    id: Mapped[int] = mapped_column(primary_key=True)
    status: Mapped[str] = mapped_column(String(20), default="new")
    name: Mapped[str] = mapped_column(String(80))
    __table_args__ = (CheckConstraint("status IN ('new', 'done')"),)


class Validated(Base):
    __tablename__ = "validated"
    id: Mapped[int] = mapped_column(primary_key=True)
    address: Mapped[str] = mapped_column(String(80))
    name: Mapped[str] = mapped_column(String(80))

    @validates("address")
    def lower(self, _: str, value: str) -> str:
        return value.lower()


@pytest.mark.parametrize("model", [Versioned, Kind, Doubled, Checked, Validated])
def test_no_token_is_kept_where_the_mapper_or_the_database_has_a_say(model: type[Any]) -> None:
    token = work_of(Scenario(model)).token
    assert token is not None
    assert token.name == "name"


class Coded(Base):
    __tablename__ = "coded"
    id: Mapped[int] = mapped_column(primary_key=True)
    code: Mapped[str] = mapped_column(CHAR(32))


def test_a_token_in_a_text_of_fixed_length_is_read_without_its_blanks(idstorm: Idstorm, anywhere: On) -> None:
    assert work_of(Scenario(Coded)).token is Coded.__table__.c.code
    idstorm.write(
        "app.py",
        """
        from sqlalchemy import CHAR
        from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

        class Base(DeclarativeBase): ...

        class Coded(Base):
            __tablename__ = "coded"
            id: Mapped[int] = mapped_column(primary_key=True)
            code: Mapped[str] = mapped_column(CHAR(32))
        """,
    )
    ran = idstorm.storm("app:Coded", "--on", anywhere.dialect, **anywhere.environ)
    assert ran.code == 0, ran.err

"""What a database calls the same id is the same id, and a token is kept where it comes back as it was given."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import CHAR, BigInteger, CheckConstraint, Computed, FetchedValue, String
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, validates

from idstorm.scenario import Scenario
from idstorm.storm.work import work_of
from running import Idstorm
from servers import On

EQUAL = """
import datetime as dt, itertools, os
from decimal import Decimal
from sqlalchemy import CHAR, DateTime, NCHAR, Numeric, String, TypeDecorator
from sqlalchemy.orm import Mapped, mapped_column
from idstorm.scenario import Row, Scenario

WORKER, numbers = int(os.environ.get("IDSTORM_WORKER", "0")), itertools.count(4)
EAST = dt.timezone(dt.timedelta(hours=5))

def number():
    return next(numbers) + WORKER * 10_000

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

class Zoneless(TypeDecorator):
    impl = DateTime
    cache_ok = True

    def process_bind_param(self, value, dialect):
        return value.replace(tzinfo=None)

class Decorated(TypeDecorator):
    impl = Numeric(20, 2)
    cache_ok = True

class Day(Row):
    id: Mapped[dt.datetime] = mapped_column(
        Zoneless, primary_key=True,
        default=lambda: dt.datetime(2026, 1, 1, tzinfo=EAST) + dt.timedelta(minutes=number()),
    )

class National(Row):
    id: Mapped[str] = mapped_column(NCHAR(20), primary_key=True, default=lambda: f"c{number()}")

class Variant(Row):
    id: Mapped[str] = mapped_column(
        String(20).with_variant(CHAR(20), "postgresql"), primary_key=True, default=lambda: f"c{number()}"
    )

class Quarter(Row):
    id: Mapped[Decimal] = mapped_column(Decorated, primary_key=True, default=lambda: Decimal(number()) / 4)

def as_text(model):
    def insert(session, tokens):
        made = [model(token=token) for token in tokens]
        session.add_all(made)
        session.flush()
        return [one.id.isoformat() if isinstance(one.id, dt.datetime) else format(one.id, ".3f") for one in made]
    return insert

moment, code, price, both, day, national, variant, quarter = map(
    Scenario, (Moment, Code, Price, Both, Day, National, Variant, Quarter)
)
told_moment, told_price = (Scenario(model, insert=as_text(model)) for model in (Moment, Price))
"""


def test_an_id_that_a_database_gives_back_in_another_form_is_the_same_id(idstorm: Idstorm, anywhere: On) -> None:
    ran = idstorm.storm(idstorm.write("mine.py", EQUAL), "--on", anywhere.dialect, "-n", "240", **anywhere.environ)
    assert ran.code == 0, ran.err
    found = {storm["scenario"].partition(":")[2]: storm["verdicts"] for storm in ran.report["storms"]}
    assert len(found) == 10
    assert {verdicts["faithful"]["status"] for verdicts in found.values()} == {"held"}


CASES = """
import itertools, os
from sqlalchemy import DateTime, String
from sqlalchemy.orm import Mapped, mapped_column
from idstorm.scenario import Row, Scenario
import datetime as dt

WORKER, numbers = int(os.environ.get("IDSTORM_WORKER", "9")), itertools.count(4)

def cased():
    number = next(numbers)
    text = f"{WORKER}{number // 2:029d}ab"
    return text if number % 2 else text.upper()

class Cased(Row):
    id: Mapped[str] = mapped_column(String(40), primary_key=True, default=cased)

class Naive(Row):
    id: Mapped[dt.datetime] = mapped_column(
        DateTime(timezone=True), primary_key=True,
        default=lambda: dt.datetime(2026, 6, 1) + dt.timedelta(minutes=next(numbers) + WORKER * 10_000),
    )

class Aware(Row):
    id: Mapped[dt.datetime] = mapped_column(
        DateTime, primary_key=True,
        default=lambda: dt.datetime(2026, 6, 1, tzinfo=dt.UTC) + dt.timedelta(minutes=next(numbers) + WORKER * 10_000),
    )

cased_, naive, aware = map(Scenario, (Cased, Naive, Aware))
"""


def test_what_postgresql_tells_apart_are_two_ids_and_moments_without_a_zone_are_those_of_the_session(
    idstorm: Idstorm, postgresql: On
) -> None:
    name = idstorm.write("mine.py", CASES)
    ran = idstorm.storm(name, "--on", "postgresql", "-n", "240", **postgresql.environ)
    assert ran.code == 0, ran.err


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

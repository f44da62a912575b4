"""A user's own model is filled with what an insert must have, and says what it was filled with."""

from __future__ import annotations

from typing import Any

import pytest

from running import Idstorm
from servers import On, database

RICH = """
import datetime as dt, decimal, enum, uuid
from sqlalchemy import *
from sqlalchemy.orm import *

class Base(DeclarativeBase):
    pass

class State(enum.Enum):
    open = 1
    paid = 2

class Country(Base):
    __tablename__ = "country"
    code: Mapped[str] = mapped_column(String(2), primary_key=True)

class Customer(Base):
    __tablename__ = "customer"
    id: Mapped[int] = mapped_column(primary_key=True)
    country: Mapped[str] = mapped_column(ForeignKey(Country.code))
    referred_by: Mapped[int | None] = mapped_column(ForeignKey("customer.id"))
    name: Mapped[str] = mapped_column(String(12), unique=True)

class Invoice(Base):
    __tablename__ = "invoice"
    __table_args__ = (UniqueConstraint("customer_id", "number"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    customer_id: Mapped[int] = mapped_column(ForeignKey(Customer.id))
    number: Mapped[int]
    ticket: Mapped[str] = mapped_column(String(8), unique=True)
    reference: Mapped[str] = mapped_column(String(40))
    state: Mapped[State]
    kind: Mapped[str] = mapped_column(Enum("a", "b", name="kinds"))
    total: Mapped[decimal.Decimal] = mapped_column(Numeric(10, 2))
    weight: Mapped[float]
    due: Mapped[dt.date]
    made: Mapped[dt.datetime] = mapped_column(DateTime(timezone=True))
    at: Mapped[dt.time]
    sent: Mapped[bool]
    data: Mapped[dict] = mapped_column(JSON)
    file: Mapped[bytes]
    key: Mapped[uuid.UUID]
    short: Mapped[str] = mapped_column(String(3))
    note: Mapped[str | None] = mapped_column(String(30))
    status: Mapped[str] = mapped_column(String(10), server_default="new")
    tries: Mapped[int] = mapped_column(default=0)

    @validates("total")
    def positive(self, key, value):
        assert value > 0
        return value
"""

MODELS = {
    "a dataclass whose constructor asks for more than is filled": """
from sqlalchemy.orm import *

class Base(MappedAsDataclass, DeclarativeBase):
    pass

class Invoice(Base):
    __tablename__ = "invoice"
    id: Mapped[int] = mapped_column(init=False, primary_key=True)
    reference: Mapped[str]
    note: Mapped[str | None]
    lines: Mapped[int] = mapped_column(default=3)
""",
    "a class of one's own that is mapped to a table": """
from sqlalchemy import *
from sqlalchemy.orm import registry

class Invoice:
    def __init__(self, customer, total):
        self.customer, self.total = customer, total

table = Table("invoice", MetaData(), Column("id", Integer, primary_key=True), Column("customer", String(30)),
              Column("total", Integer, nullable=False))
registry().map_imperatively(Invoice, table)
""",
    "SQLModel": """
from sqlmodel import Field, SQLModel

class Shop(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True)
    name: str = Field(unique=True)

class Invoice(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True)
    shop_id: int = Field(foreign_key="shop.id")
    reference: str
    total: int
""",
    "Flask-SQLAlchemy": """
from flask import Flask
from flask_sqlalchemy import SQLAlchemy

app = Flask(__name__)
app.config["SQLALCHEMY_DATABASE_URI"] = "sqlite://"
db = SQLAlchemy(app)

class Invoice(db.Model):
    id = db.Column(db.Integer, primary_key=True)
    email = db.Column(db.String(120), unique=True, nullable=False)
    name = db.Column(db.String(10), nullable=False)
""",
    "joined inheritance": """
from sqlalchemy import *
from sqlalchemy.orm import *

class Base(DeclarativeBase):
    pass

class Document(Base):
    __tablename__ = "document"
    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(String(10))
    title: Mapped[str] = mapped_column(String(30))
    __mapper_args__ = {"polymorphic_on": "kind", "polymorphic_identity": "document"}

class Invoice(Document):
    __tablename__ = "invoice"
    id: Mapped[int] = mapped_column(ForeignKey(Document.id), primary_key=True)
    reference: Mapped[str] = mapped_column(String(30))
    total: Mapped[int]
    __mapper_args__ = {"polymorphic_identity": "invoice"}
""",
    "keys that the application makes": """
from sqlalchemy import *
from sqlalchemy.orm import *

class Base(DeclarativeBase):
    pass

class Invoice(Base):
    __tablename__ = "invoice"
    shop: Mapped[str] = mapped_column(String(9), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    reference: Mapped[str] = mapped_column(String(30))
""",
}


def notes(ran: Any) -> str:
    return "\n".join(ran.report["storms"][0]["notes"])


def test_every_type_is_filled_on_every_database(idstorm: Idstorm, anywhere: On) -> None:
    idstorm.write("models.py", RICH)
    ran = idstorm.storm("models:Invoice", "--on", anywhere.dialect, **anywhere.environ)
    assert ran.code == 0, ran.err
    said = notes(ran)
    assert "the token is kept in invoice.reference" in said
    assert "invoice.number" in said
    assert "made for its foreign keys: a row in country, customer" in said
    assert not any(f"invoice.{left_alone}" in said for left_alone in ("note", "status", "tries", "id"))


@pytest.mark.parametrize("what", MODELS)
def test_models_are_filled_however_they_are_mapped(idstorm: Idstorm, what: str) -> None:
    idstorm.write("models.py", MODELS[what])
    ran = idstorm.storm("models:Invoice")
    assert ran.code == 0, (ran.err, ran.out)
    verdicts = ran.report["storms"][0]["verdicts"]
    assert verdicts["unique"]["status"] == verdicts["durable"]["status"] == verdicts["faithful"]["status"] == "held"


APPLICATIONS = {
    "celery.backends.database.models:Task": ["the token is kept in celery_taskmeta.task_id"],
    "jupyterhub.orm:Spawner": ["the token is kept in spawners.name"],
    "optuna.storages._rdb.models:TrialModel": [
        "filled for the model: trials.state",
        "no column can carry a token: rows are matched by id, and whose row an id names is not judged",
    ],
}
"""Models of well-known applications, and what the report has to say of each."""


@pytest.mark.parametrize("dialect", ["sqlite", "postgresql"])
def test_models_of_real_applications_are_stormed_as_they_are(idstorm: Idstorm, dialect: str) -> None:
    for application in APPLICATIONS:
        pytest.importorskip(application.partition(".")[0])
    on = database(dialect)
    ran = idstorm.storm(*APPLICATIONS, "--on", on.dialect, **on.environ)
    assert ran.code == 0, (ran.err, ran.out)
    for storm in ran.report["storms"]:
        assert set(APPLICATIONS[storm["scenario"]]) <= set(storm["notes"])
        assert storm["verdicts"]["unique"]["status"] == storm["verdicts"]["durable"]["status"] == "held"


def test_what_cannot_be_filled_is_named_column_by_column(idstorm: Idstorm) -> None:
    idstorm.write(
        "models.py",
        """
        from sqlalchemy import *
        from sqlalchemy.orm import *
        from sqlalchemy.types import UserDefinedType

        class Base(DeclarativeBase):
            pass

        class Point(UserDefinedType):
            def get_col_spec(self):
                return "TEXT"

        class User(Base):
            __tablename__ = "user"
            id: Mapped[int] = mapped_column(primary_key=True)

        class Profile(Base):
            __tablename__ = "profile"
            id: Mapped[int] = mapped_column(primary_key=True)
            user_id: Mapped[int] = mapped_column(ForeignKey(User.id), unique=True)
            place = mapped_column(Point, nullable=False)
            rank: Mapped[int] = mapped_column(SmallInteger, unique=True)
            code: Mapped[str] = mapped_column(String(4), unique=True)
            parent: Mapped[int] = mapped_column(ForeignKey("profile.id"))
        """,
    )
    ran = idstorm("run", "models:Profile", "-n", "400")
    assert ran.code == 2
    for column, why in {
        "profile.user_id": "each row needs a row of user of its own",
        "profile.place": "no value of the type Point is known",
        "profile.rank": "a SmallInteger has too few values",
        "profile.code": "no way is known",
        "profile.parent": "there is no first one",
    }.items():
        assert f"{column}: " in ran.err
        assert why in ran.err
    assert "insert=…" in ran.err


def test_a_database_that_refuses_what_was_filled_is_told_with_the_columns(idstorm: Idstorm) -> None:
    idstorm.write(
        "models.py",
        """
        from sqlalchemy import *
        from sqlalchemy.orm import *

        class Base(DeclarativeBase):
            pass

        class Grade(Base):
            __tablename__ = "grade"
            __table_args__ = (CheckConstraint("mark IN ('A', 'B')"),)
            id: Mapped[int] = mapped_column(primary_key=True)
            mark: Mapped[str] = mapped_column(String(8))
        """,
    )
    ran = idstorm("run", "models:Grade", "-n", "400")
    assert ran.code == 2
    assert "idstorm itself had filled grade.mark" in ran.err
    assert "grade: CHECK (mark IN ('A', 'B'))" in ran.err
    assert "CHECK constraint failed" in ran.err

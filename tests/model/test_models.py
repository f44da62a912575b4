"""Models as applications have them: whatever the id and wherever the token, a row is told from another."""

from __future__ import annotations

from typing import Any

import pytest

from running import Idstorm

HEAD = """
import uuid
from sqlalchemy import BigInteger, ForeignKey, String, TypeDecorator, insert as sql_insert, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from idstorm.scenario import *

class Base(DeclarativeBase):
    pass
"""

MODELS = {
    "an own base and a string that carries the token": """
class Invoice(Base):
    __tablename__ = "invoice"
    id: Mapped[int] = mapped_column(primary_key=True)
    reference: Mapped[str] = mapped_column(String(40), unique=True)
""",
    "an own base and a big integer that carries the token": """
class Invoice(Base):
    __tablename__ = "invoice"
    id: Mapped[int] = mapped_column(primary_key=True)
    amount: Mapped[int] = mapped_column(BigInteger)
""",
    "a composite key": """
import itertools, os
count = itertools.count()
class Invoice(Row):
    shop: Mapped[str] = mapped_column(String(36), primary_key=True, default=lambda: str(uuid.uuid4()))
    number: Mapped[int] = mapped_column(primary_key=True, default=lambda: next(count), autoincrement=False)
""",
    "a key that the application sees differently than the table": """
class Prefixed(TypeDecorator):
    impl = BigInteger
    cache_ok = True
    def process_bind_param(self, value, dialect):
        return None if value is None else int(value.removeprefix("INV-"))
    def process_result_value(self, value, dialect):
        return f"INV-{value:020}"

class Invoice(Row):
    id: Mapped[str] = mapped_column(Prefixed, primary_key=True, default=lambda: f"INV-{uuid.uuid4().int >> 66:020}")
""",
    "a text key": """
class Invoice(Row):
    id: Mapped[str] = mapped_column(String(36), primary_key=True, default=lambda: "inv/" + uuid.uuid4().hex)
""",
    "a UUID that is told as text": """
class Invoice(Row):
    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=uuid.uuid4)

def insert(session, tokens):
    invoices = [Invoice(token=token) for token in tokens]
    session.add_all(invoices)
    session.flush()
    return [str(invoice.id).upper() for invoice in invoices]

scenario = Scenario(model=Invoice, insert=insert)
""",
    "a numeric id that is told as text": """
class Invoice(Row):
    id: Mapped[int] = mapped_column(primary_key=True)

def insert(session, tokens):
    invoices = [Invoice(token=token) for token in tokens]
    session.add_all(invoices)
    session.flush()
    return [str(invoice.id) for invoice in invoices]

scenario = Scenario(model=Invoice, insert=insert)
""",
    "a schema of one's own in another metadata, and rows there before": """
class Shop(Row):
    id: Mapped[int] = mapped_column(primary_key=True)

class Invoice(Row):
    id: Mapped[int] = mapped_column(primary_key=True)
    shop_id: Mapped[int] = mapped_column(ForeignKey(Shop.id), default=1)

def setup(connection):
    connection.execute(sql_insert(Shop).values(id=1))
    connection.execute(sql_insert(Invoice), [{"shop_id": 1}] * 3)

scenario = Scenario(model=Invoice, setup=setup)
""",
}


def storm(idstorm: Idstorm, body: str, *words: str) -> dict[str, Any]:
    name = idstorm.write("mine.py", HEAD + body)
    ran = idstorm.storm(f"{name}:scenario" if "scenario = " in body else f"{name}:Invoice", *words)
    assert ran.out, ran.err
    return {**ran.report["storms"][0], "code": ran.code}


@pytest.mark.parametrize("what", MODELS)
def test_a_model_is_stormed_with(idstorm: Idstorm, what: str) -> None:
    judged = storm(idstorm, MODELS[what])
    assert judged["code"] == 0, judged
    statuses = {name: verdict["status"] for name, verdict in judged["verdicts"].items()}
    assert statuses["faithful"] == statuses["durable"] == statuses["unique"] == "held"
    assert judged["verdicts"]["durable"]["figures"]["unexpected"] == 0


def test_rows_of_setup_are_foreign_and_never_judged(idstorm: Idstorm) -> None:
    judged = storm(idstorm, MODELS["a schema of one's own in another metadata, and rows there before"])
    assert judged["verdicts"]["durable"]["figures"]["foreign"] == 3
    assert judged["verdicts"]["starts_at"]["status"] == "n/a"


def test_an_id_of_a_row_that_was_there_before_is_a_duplicate(idstorm: Idstorm) -> None:
    judged = storm(
        idstorm,
        """
class Invoice(Row):
    id: Mapped[int] = mapped_column(primary_key=True)
    number: Mapped[int]

def setup(connection):
    connection.execute(sql_insert(Invoice).values(number=7))

def insert(session, tokens):
    invoices = [Invoice(token=token, number=7 if token % 50 == 0 else token) for token in tokens]
    session.add_all(invoices)
    session.flush()
    return [invoice.number for invoice in invoices]

scenario = Scenario(model=Invoice, id=Invoice.number, insert=insert, setup=setup)
""",
    )
    assert judged["code"] == 1
    assert judged["verdicts"]["unique"]["witnesses"]


def test_a_model_that_cannot_carry_a_token_is_judged_by_id(idstorm: Idstorm) -> None:
    judged = storm(
        idstorm,
        """
class Invoice(Base):
    __tablename__ = "invoice"
    id: Mapped[int] = mapped_column(primary_key=True)
""",
    )
    assert judged["code"] == 0
    assert judged["verdicts"]["faithful"]["status"] == "n/a"
    assert judged["verdicts"]["durable"]["status"] == "held"
    assert any("no column can carry a token" in note for note in judged["notes"])


def test_an_upsert_may_be_told_the_id_of_another_row(idstorm: Idstorm) -> None:
    judged = storm(
        idstorm,
        """
from sqlalchemy.dialects.sqlite import insert as upsert

class Invoice(Row):
    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[int] = mapped_column(unique=True)

def insert(session, tokens):
    told = []
    for token in tokens:
        statement = upsert(Invoice).values(token=token, key=token % 150)
        statement = statement.on_conflict_do_update(index_elements=["key"], set_={"key": statement.excluded.key})
        id_, owner = session.execute(statement.returning(Invoice.id, Invoice.token)).one()
        told.append(id_ if owner == token else Existing(id_))
    return told

scenario = Scenario(model=Invoice, insert=insert, batch=2)
""",
        "-n",
        "1500",
    )
    assert judged["verdicts"]["durable"]["status"] == judged["verdicts"]["unique"]["status"] == "held"
    assert judged["operations"]["acknowledged"] == 150
    assert judged["code"] == 3  # too few rows of their own


def test_batches_are_recorded_row_by_row(idstorm: Idstorm) -> None:
    judged = storm(idstorm, MODELS["a text key"], "--batch", "7", "-n", "1000")
    assert judged["code"] == 0
    assert judged["operations"]["attempted"] == judged["operations"]["acknowledged"] == 1000


def test_deletes_are_recorded_and_not_taken_for_losses(idstorm: Idstorm) -> None:
    judged = storm(idstorm, MODELS["a text key"], "--deletes", "0.4", "--batch", "2", "-n", "1000")
    assert judged["code"] == 0
    assert judged["operations"]["deleted"] > 50


def test_a_table_of_its_own_for_each_class_is_judged_by_the_one_with_the_id(idstorm: Idstorm) -> None:
    judged = storm(
        idstorm,
        """
class Document(Row):
    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(String(20))
    __mapper_args__ = {"polymorphic_on": "kind", "polymorphic_identity": "document"}

class Invoice(Document):
    __tablename__ = "invoice"
    id: Mapped[int] = mapped_column(ForeignKey(Document.id), primary_key=True)
    number: Mapped[str | None] = mapped_column(String(40))
    __mapper_args__ = {"polymorphic_identity": "invoice"}
""",
    )
    assert judged["code"] == 0, judged
    assert judged["verdicts"]["faithful"]["status"] == "held"


def test_text_that_looks_like_a_token_is_foreign(idstorm: Idstorm) -> None:
    judged = storm(
        idstorm,
        """
class Invoice(Base):
    __tablename__ = "invoice"
    id: Mapped[int] = mapped_column(primary_key=True)
    note: Mapped[str] = mapped_column(String(40))

def setup(connection):
    notes = ["1" * 30, "1_000", " 12 ", "inf", "12.7", "", "12"]
    connection.execute(sql_insert(Invoice), [{"note": note} for note in notes])

scenario = Scenario(model=Invoice, setup=setup)
""",
    )
    assert judged["code"] == 0
    assert judged["verdicts"]["durable"]["figures"]["foreign"] == 7


def test_a_uuid_that_is_told_as_text_can_be_deleted(idstorm: Idstorm) -> None:
    judged = storm(idstorm, MODELS["a UUID that is told as text"], "--deletes", "0.3", "-n", "1000")
    assert judged["code"] == 0
    assert judged["operations"]["deleted"] > 50


def test_ids_that_repeat_without_a_token_are_duplicates_and_not_losses(idstorm: Idstorm) -> None:
    judged = storm(
        idstorm,
        """
from sqlalchemy import func, select

class Invoice(Base):
    __tablename__ = "invoice"
    id: Mapped[int] = mapped_column(primary_key=True)
    number: Mapped[int]

def insert(session, tokens):
    number = (session.scalar(select(func.max(Invoice.number))) or 0) + 1
    session.add(Invoice(number=number))
    session.flush()
    return [number]

scenario = Scenario(Invoice, id="number", insert=insert, claims=[breaks(unique, why="max + 1"), holds(durable)])
""",
        "-n",
        "1000",
    )
    assert judged["code"] == 0, judged["verdicts"]["durable"]

"""A function of the application is stormed as it is: it is given a session, and returns what it has inserted."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

import idstorm
from running import Idstorm

SHOP = """
from __future__ import annotations
from sqlalchemy import create_engine, func, select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, scoped_session, sessionmaker

class Base(DeclarativeBase):
    pass

class Order(Base):
    __tablename__ = "orders"
    id: Mapped[int] = mapped_column(primary_key=True)
    number: Mapped[int | None] = mapped_column(index=True)
    note: Mapped[str | None]

def place_order(session: Session, note: str = "") -> Order:
    order = Order(note=note)
    session.add(order)
    return order

def commits(db):
    order = Order()
    db.add(order)
    db.commit()
    return order.id, "placed"

def numbered(session) -> Order:
    number = (session.scalar(select(func.max(Order.number))) or 0) + 1
    order = Order(number=number)
    session.add(order)
    session.flush()
    return order

async def place_later(db: AsyncSession) -> Order:
    order = Order()
    db.add(order)
    await db.commit()
    return order

def nothing(session) -> Order:
    session.add(Order())

OwnSession = sessionmaker(create_engine("sqlite:///elsewhere.db"))
scoped = scoped_session(sessionmaker())
OwnAsyncSession = async_sessionmaker(expire_on_commit=False)

def by_its_own() -> Order:
    with OwnSession.begin() as session:
        session.add(order := Order())
        return order

def by_a_scoped_one() -> Order:
    order = Order()
    scoped.add(order)
    scoped.commit()
    scoped.remove()
    return order

async def by_its_own_later() -> Order:
    async with OwnAsyncSession.begin() as session:
        session.add(order := Order())
    return order

def needs_more(session, customer) -> Order: ...
def no_model(session): ...
"""


def storm(idstorm: Idstorm, *words: str) -> tuple[int, dict[str, str], str]:
    idstorm.write("shop.py", SHOP)
    ran = idstorm.storm(*words)
    if not ran.out:
        return ran.code, {}, ran.err
    (report,) = ran.report["storms"]
    return ran.code, {name: verdict["status"] for name, verdict in report["verdicts"].items()}, ran.report["command"]


def test_what_a_function_says_that_it_returns_is_the_model(idstorm: Idstorm) -> None:
    code, verdicts, command = storm(idstorm, "shop:place_order")
    assert code == 0
    assert {verdicts[name] for name in ("unique", "durable")} == {"held"}
    assert command.startswith("idstorm run shop:place_order ")


def test_the_model_may_be_named_and_the_id_may_stand_in_a_tuple(idstorm: Idstorm) -> None:
    code, verdicts, command = storm(idstorm, "shop:commits", "--model", "shop:Order")
    assert (code, verdicts["unique"]) == (0, "held")
    assert "'shop:commits -> shop:Order'" in command
    (again,) = idstorm("check", str(idstorm.run_folder), "--json", "-").report["storms"]
    assert again["scenario"] == "shop:commits"


@pytest.mark.parametrize("words", [("--id", "number", "--model", "shop:Order"), ("--model", "shop:Order.number")])
def test_a_column_that_is_not_the_key_is_judged_where_it_is_named(idstorm: Idstorm, words: tuple[str, ...]) -> None:
    _, verdicts, _ = storm(idstorm, "shop:numbered", *words)
    assert verdicts["unique"] == "broken"


def test_the_column_may_be_named_alone_where_the_annotation_names_the_model(idstorm: Idstorm) -> None:
    code, verdicts, command = storm(idstorm, "shop:place_order", "--id", "id")
    assert (code, verdicts["unique"]) == (0, "held")
    assert "shop:place_order.id" in command


def test_a_column_of_a_model_is_a_reference(idstorm: Idstorm) -> None:
    code, _, error = storm(idstorm, "shop:Order.numbr")
    assert (code, "Order has no column numbr" in error) == (2, True)


def test_an_async_function_is_stormed_by_tasks(idstorm: Idstorm) -> None:
    code, verdicts, _ = storm(idstorm, "shop:place_later", "--on", "sqlite+aiosqlite:///shop.db")
    assert (code, verdicts["unique"], verdicts["durable"]) == (0, "held", "held")


@pytest.mark.parametrize(
    ("function", "on"),
    [
        ("by_its_own", "sqlite"),
        ("by_a_scoped_one", "sqlite"),
        ("by_its_own_later", "sqlite+aiosqlite:///shop.db"),
    ],
)
def test_sessions_of_a_functions_own_are_led_to_the_storms_database(idstorm: Idstorm, function: str, on: str) -> None:
    code, verdicts, said = storm(idstorm, f"shop:{function}", "--on", on)
    assert (code, verdicts.get("unique"), verdicts.get("durable")) == (0, "held", "held"), said
    assert not (idstorm.folder / "elsewhere.db").exists()


LED = """
from flask import current_app
from sqlalchemy import create_engine, text
from sqlalchemy.orm import scoped_session, sessionmaker
from shop import Order

elsewhere = create_engine("sqlite:///elsewhere.db")
Bound = sessionmaker(binds={Order: elsewhere})
Scoped = scoped_session(sessionmaker(elsewhere))
Scoped.execute(text("SELECT 1"))

def bound() -> Order:
    with Bound.begin() as session:
        session.add(order := Order())
        return order

count = iter(range(10**9))

def failing() -> Order:
    order = Order()
    Scoped.add(order)
    if next(count) % 20 == 7:
        Scoped.execute(text("INSERT INTO nowhere VALUES (1)"))
    Scoped.commit()
    return order
"""


def stormed(idstorm: Idstorm, *words: str) -> dict[str, Any]:
    idstorm.write("shop.py", SHOP)
    idstorm.write("led.py", LED)
    (report, *_) = idstorm.storm(*words).report["storms"]
    assert isinstance(report, dict)
    return report


def test_a_maker_that_binds_classes_is_led_too_and_nothing_is_written_elsewhere(idstorm: Idstorm) -> None:
    assert stormed(idstorm, "led:bound")["result"] == "passed"
    assert (idstorm.folder / "elsewhere.db").stat().st_size == 0


def test_a_scoped_session_begins_anew_with_each_call_and_after_a_failure(idstorm: Idstorm) -> None:
    report = stormed(idstorm, "led:failing", "-n", "600", "--repeat", "2")
    assert report["operations"]["acknowledged"] > 500, report["operations"]
    assert report["verdicts"]["durable"]["status"] == "held"


def test_a_session_that_chooses_its_database_by_itself_is_refused(idstorm: Idstorm) -> None:
    idstorm.write("shop.py", SHOP)
    routing = """
from sqlalchemy import create_engine
from sqlalchemy.orm import Session, sessionmaker
from shop import Order

class Routed(Session):
    def get_bind(self, **_):
        return create_engine("sqlite:///elsewhere.db")

Own = sessionmaker(class_=Routed)

def place() -> Order: ...
"""
    ran = idstorm("run", f"{idstorm.write('routed.py', routing).removesuffix('.py')}:place", "-n", "400")
    assert (ran.code, "chooses by itself where Order is kept" in ran.err) == (2, True), ran.err


def test_sessions_of_asyncio_over_a_driver_for_threads_are_refused(idstorm: Idstorm) -> None:
    idstorm.write("shop.py", SHOP)
    alone = """
from sqlalchemy.ext.asyncio import async_sessionmaker
from shop import Order

Own = async_sessionmaker()

async def later() -> Order: ...
"""
    idstorm.write("alone.py", alone)
    ran = idstorm("run", "alone:later", "-n", "400")
    assert (ran.code, "need another driver: one for asyncio" in ran.err) == (2, True), ran.err


def test_the_application_is_left_as_it_was(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (here / "shop.py").write_text(SHOP)
    monkeypatch.syspath_prepend(here)
    module = import_module("shop")
    try:
        before = dict(module.OwnSession.kw)
        assert idstorm.run("shop:by_its_own", on="sqlite", inserts=300).passed
        assert module.OwnSession.kw == before
    finally:
        del sys.modules["shop"]


def test_a_function_without_a_session_and_a_module_without_a_maker_is_told_so(idstorm: Idstorm) -> None:
    idstorm.write("bare.py", "from shop import Order\n\ndef alone() -> Order: ...\n")
    idstorm.write("shop.py", SHOP)
    ran = idstorm("run", "bare:alone", "-n", "400")
    assert (ran.code, "alone takes no session, and bare has no sessionmaker" in ran.err) == (2, True), ran.err


@pytest.mark.parametrize(
    ("function", "sentence"),
    [
        ("nothing", "returned None, which carries no id of Order"),
        ("needs_more", "needs_more also needs customer, which a storm does not have"),
        ("no_model", "nothing says which table no_model inserts into: name its class with --model"),
    ],
)
def test_a_function_that_cannot_be_stormed_is_told_what_it_lacks(
    idstorm: Idstorm, function: str, sentence: str
) -> None:
    idstorm.write("shop.py", SHOP)
    ran = idstorm("run", f"shop:{function}", "-n", "400")
    assert (ran.code, sentence in ran.err) == (2, True), ran.err

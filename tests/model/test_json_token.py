"""The token at a place in a JSON column, for models that have no other column to spare."""

from __future__ import annotations

import pytest

from running import Idstorm
from servers import SERVERS, On, database

HEAD = """
from sqlalchemy import JSON, Integer
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from idstorm.scenario import Scenario, durable, faithful, holds

class Base(DeclarativeBase):
    pass

class Order(Base):
    __tablename__ = "orders"
    id: Mapped[int] = mapped_column(primary_key=True)
    number: Mapped[int]
    details: Mapped[dict] = mapped_column(JSON)

def place(session, tokens, form=int):
    orders = [Order(number=7, details={"meta": {"ref": form(token)}}) for token in tokens]
    session.add_all(orders)
    session.flush()
    return [order.id for order in orders]

def as_text(session, tokens):
    return place(session, tokens, str)

def wrong(session, tokens):
    return [id_ + 1 for id_ in place(session, tokens)]
"""
PLACE = 'Order.details["meta"]["ref"]'


@pytest.mark.parametrize("dialect", ["sqlite", *SERVERS])
def test_rows_are_known_by_their_token_in_json(idstorm: Idstorm, dialect: str) -> None:
    on = database(dialect)
    claims = "claims=[holds(durable, faithful)]"
    body = f"mine = [Scenario(Order, insert=w, token={PLACE}, deletes=0.2, {claims}) for w in (place, as_text)]"
    path = idstorm.write("mine.py", f"{HEAD}\n{body}\nnumbers, texts = mine\n")
    ran = idstorm.storm(path, "-n", "200", "--on", dialect, **on.environ)
    found = [storm["verdicts"] for storm in ran.report["storms"]]
    assert [one[check]["status"] for one in found for check in ("durable", "faithful")] == ["held"] * 4, ran.out


def test_a_token_with_something_behind_it_is_none(idstorm: Idstorm, postgresql: On) -> None:
    damaged = "damaged = lambda session, tokens: place(session, tokens, lambda token: f'{token:019} damaged')"
    path = idstorm.write("mine.py", f"{HEAD}\n{damaged}\nmine = Scenario(Order, insert=damaged, token={PLACE})\n")
    ran = idstorm("run", path, "-n", "100", "--on", "postgresql", **postgresql.environ)
    assert (ran.code, "no row that it committed has its token in orders.details" in ran.err) == (2, True), ran.out


def test_an_id_that_is_not_the_rows_is_found_by_the_token_in_json(idstorm: Idstorm) -> None:
    path = idstorm.write("mine.py", f"{HEAD}\nmine = Scenario(Order, insert=wrong, token={PLACE})\n")
    ran = idstorm.storm(path, "-n", "100")
    (storm,) = ran.report["storms"]
    assert (ran.code, storm["verdicts"]["faithful"]["status"]) == (1, "broken")


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (f"Order, token={PLACE}", "idstorm cannot make the JSON of Order that carries the token"),
        ("Order, insert=place, token=Order.number + 1", "token of a scenario is a column, or a place in a JSON column"),
    ],
)
def test_what_cannot_carry_a_token_is_refused(idstorm: Idstorm, given: str, says: str) -> None:
    ran = idstorm("run", idstorm.write("mine.py", f"{HEAD}\nmine = Scenario({given})\n"))
    assert (ran.code, says in ran.err) == (2, True), ran.err

"""Soft deletes: a scenario says which rows count as there."""

from __future__ import annotations

import pytest

from running import Idstorm
from servers import On

HEAD = """
from sqlalchemy import select, update
from sqlalchemy.orm import Mapped, aliased, mapped_column
from idstorm.scenario import Row, Scenario, durable, holds, visible

class Order(Row):
    id: Mapped[int] = mapped_column(primary_key=True)
    gone: Mapped[bool] = mapped_column(default=False)
    name: Mapped[str | None]

class Other(Row):
    id: Mapped[int] = mapped_column(primary_key=True)

def mark(session, ids):
    session.execute(update(Order).where(Order.id.in_(ids)).values(gone=True))

def forget(session, ids):
    pass
"""


@pytest.mark.parametrize("dialect", ["sqlite", "postgresql"])
def test_a_row_that_is_marked_is_deleted(idstorm: Idstorm, request: pytest.FixtureRequest, dialect: str) -> None:
    on = On("sqlite") if dialect == "sqlite" else request.getfixturevalue("postgresql")
    body = "mine = Scenario(Order, delete=mark, deletes=0.3, present=Order.gone.is_(False), claims=[holds(durable)])"
    ran = idstorm.storm(idstorm.write("mine.py", f"{HEAD}\n{body}\n"), "-n", "800", "--on", dialect, **on.environ)
    (storm,) = ran.report["storms"]
    assert (ran.code, storm["verdicts"]["durable"]["status"]) == (0, "held"), storm["verdicts"]["durable"]
    assert storm["verdicts"]["gapless"]["figures"]["ledger"]["deleted"] > 0


def test_a_row_that_should_be_marked_and_is_not_has_been_left_there(idstorm: Idstorm) -> None:
    body = "mine = Scenario(Order, delete=forget, deletes=0.3, present=Order.gone.is_(False), claims=[holds(durable)])"
    ran = idstorm.storm(idstorm.write("mine.py", f"{HEAD}\n{body}\n"), "-n", "800")
    (storm,) = ran.report["storms"]
    assert (ran.code, storm["verdicts"]["durable"]["status"]) == (1, "broken")
    assert storm["verdicts"]["durable"]["figures"]["undeleted"] > 0


@pytest.mark.parametrize(
    ("present", "says"),
    [
        ("'gone'", "present of a scenario has to be a condition, such as Order.deleted_at.is_(None)"),
        ("Order.id.not_in(select(Order.id))", "present of a scenario cannot ask for other rows"),
        ("Order.id == aliased(Order).id", "present of a scenario cannot ask for other rows"),
        ("Other.id > 0", "present of a scenario has to be a condition on order, not on other.id"),
    ],
)
def test_what_is_not_a_condition_on_the_table_is_refused(idstorm: Idstorm, present: str, says: str) -> None:
    ran = idstorm("run", idstorm.write("mine.py", f"{HEAD}\nmine = Scenario(Order, present={present})\n"))
    assert (ran.code, says in ran.err) == (2, True), ran.err

"""Storms of ids that are counted within a scope, on a database."""

from __future__ import annotations

import pytest

from running import Idstorm
from servers import On

HEAD = """
from sqlalchemy import select, update
from sqlalchemy.orm import Mapped, mapped_column
from idstorm.scenario import Row, Scenario, breaks, holds, gapless, ordered, starts_at, unique, visible

class Task(Row):
    id: Mapped[int] = mapped_column(primary_key=True)
    team: Mapped[str]
    year: Mapped[int]
    number: Mapped[int]
    code: Mapped[str]

def made(session, tokens, told):
    tasks = [Task(team="ab"[t % 2], year=2026, number=t, code=str(t), token=t) for t in tokens]
    session.add_all(tasks)
    session.flush()
    return [told(task) for task in tasks]
"""


@pytest.mark.parametrize(
    ("scenario", "says"),
    [
        (
            "Scenario(Task, id=Task.number, scope=Task.team, insert=lambda s, t: made(s, t, lambda task: task.number))",
            "is not a tuple of 2 values",
        ),
        (
            "Scenario(Task, id=Task.code, scope=Task.team)",
            "task.code is counted within a scope, and is not a column of numbers",
        ),
        (
            "Scenario(Task, id=[Task.number, Task.year], scope=Task.team)",
            "besides it the id of Task has number, year: name that column",
        ),
        ("Scenario(Task, id=Task.team, scope=Task.team)", "besides it the id of Task has none"),
        ("Scenario(Task, id=Task.number, scope='tenant')", "Task has no column tenant"),
    ],
)
def test_a_scope_that_leaves_no_number_to_count_is_refused_in_a_sentence(
    idstorm: Idstorm, scenario: str, says: str
) -> None:
    ran = idstorm("run", idstorm.write("mine.py", f"{HEAD}\nmine = {scenario}\n"), "-n", "400")
    assert ran.code == 2
    assert says in ran.err


COUNTED = """
class Team(Row):
    name: Mapped[str] = mapped_column(primary_key=True)
    year: Mapped[int] = mapped_column(primary_key=True)
    last: Mapped[int]

def teams(connection):
    every = [{"name": name, "year": year, "last": 0} for name in "ab" for year in (2025, 2026)]
    connection.execute(Team.__table__.insert(), every)

def insert(session, tokens):
    (token,) = tokens
    team, year = "ab"[token % 2], 2025 + token // 2 % 2
    which = (Team.name == team, Team.year == year)
    session.execute(update(Team).where(*which).values(last=Team.last + 1))
    number = session.scalars(select(Team.last).where(*which)).one()
    session.add(Task(team=team, year=year, number=number, code="", token=token))
    session.flush()
    return [(team, year, number)]

mine = Scenario(
    Task, id=Task.number, scope=[Task.team, Task.year], insert=insert, setup=teams, reader=True,
    claims=[holds(unique, gapless, ordered, starts_at, visible)],
)
"""


@pytest.mark.parametrize("dialect", ["sqlite", "postgresql"])
def test_a_scope_of_several_columns_is_judged_and_read_within_each(
    idstorm: Idstorm, request: pytest.FixtureRequest, dialect: str
) -> None:
    on = On("sqlite") if dialect == "sqlite" else request.getfixturevalue("postgresql")
    (storm,) = idstorm.storm(
        idstorm.write("mine.py", HEAD + COUNTED), "-n", "1200", "--on", dialect, **on.environ
    ).report["storms"]
    judged = {
        name: storm["verdicts"][name]["status"] for name in ("unique", "gapless", "ordered", "starts_at", "visible")
    }
    assert judged == dict.fromkeys(judged, "held"), storm["verdicts"]

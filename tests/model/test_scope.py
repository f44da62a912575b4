"""Storms of ids that are counted within a scope, on a database."""

from __future__ import annotations

import pytest

from running import Idstorm
from servers import On

HEAD = """
from sqlalchemy import BigInteger, String, func, select, update
from sqlalchemy.orm import Mapped, mapped_column
from idstorm.scenario import Row, Scenario, breaks, holds, gapless, ordered, sqlite_begin, starts_at, unique, visible

class Task(Row):
    id: Mapped[int] = mapped_column(primary_key=True)
    team: Mapped[str] = mapped_column(String(20))
    year: Mapped[int]
    number: Mapped[int] = mapped_column(BigInteger)
    code: Mapped[str] = mapped_column(String(40))

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
            "besides its scope the id of Task has number, year: name that column",
        ),
        ("Scenario(Task, id=Task.team, scope=Task.team)", "besides its scope the id of Task has none"),
        ("Scenario(Task, id=Task.number, scope='tenant')", "Task has no column tenant"),
    ],
)
def test_a_scope_that_leaves_no_number_to_count_is_refused_in_a_sentence(
    idstorm: Idstorm, scenario: str, says: str
) -> None:
    ran = idstorm("run", idstorm.write("mine.py", f"{HEAD}\nmine = {scenario}\n"), "-n", "400")
    assert ran.code == 2
    assert says in ran.err


KEYED = """
def insert(session, tokens):
    (token,) = tokens
    year = 2025 + token % 2
    number = 1 + (session.scalar(select(func.max(Task.number)).where(Task.year == year)) or 0)
    task = Task(team="JV", year=year, number=number, code=f"JV-{year}-{number:05}", token=token)
    session.add(task)
    session.flush()
    return [task.code]

def parts(code):
    team, year, number = code.split("-")
    return team, int(year), int(number)

claims = [holds(unique, gapless, ordered, starts_at)]
mine = Scenario(Task, id=Task.code, key=KEY, insert=insert, engine=sqlite_begin("BEGIN IMMEDIATE"), claims=claims)
"""


def keyed(idstorm: Idstorm, key: str) -> str:
    return idstorm.write("mine.py", HEAD + KEYED.replace("KEY", key))


def test_what_is_counted_may_be_hidden_in_the_id(idstorm: Idstorm) -> None:
    ran = idstorm.storm(keyed(idstorm, "parts"), "-n", "600")
    (storm,) = ran.report["storms"]
    judged = {name: storm["verdicts"][name]["status"] for name in ("unique", "gapless", "ordered", "starts_at")}
    assert judged == dict.fromkeys(judged, "held"), storm["verdicts"]
    (again,) = idstorm("check", str(idstorm.run_folder), "--json", "-").report["storms"]
    assert again["verdicts"] == storm["verdicts"]


@pytest.mark.parametrize(
    ("key", "says"),
    [
        ("lambda code: 1 / 0", "-00001') raised ZeroDivisionError: division by zero"),
        ("lambda code: code", "invalid literal for int()"),
        ("lambda code: ()", "-00001') returned (), which has no number"),
    ],
)
def test_a_key_that_makes_no_number_is_shown_to_its_author(idstorm: Idstorm, key: str, says: str) -> None:
    ran = idstorm("run", keyed(idstorm, key), "-n", "400")
    assert (ran.code, says in ran.err) == (2, True), ran.err


DELETED = """
from uuid import UUID, uuid4
from sqlalchemy import Uuid

class Part(Row):
    id: Mapped[int] = mapped_column(primary_key=True)
    tenant: Mapped[UUID] = mapped_column(Uuid)
    number: Mapped[int]

tenant = uuid4()

def insert(session, tokens):
    parts = [Part(tenant=tenant, number=token, token=token) for token in tokens]
    session.add_all(parts)
    session.flush()
    return [(str(tenant).upper(), f"0{part.number}") for part in parts]

mine = Scenario(Part, id=Part.number, scope=Part.tenant, insert=insert, deletes=0.2)
"""


def test_what_was_told_as_text_is_deleted_by_its_columns_types(idstorm: Idstorm) -> None:
    (storm,) = idstorm.storm(idstorm.write("mine.py", HEAD + DELETED), "-n", "600").report["storms"]
    assert {storm["verdicts"][name]["status"] for name in ("durable", "faithful")} == {"held"}, storm["verdicts"]


CASES = """
class Team(Row):
    name: Mapped[str] = mapped_column(String(20), primary_key=True)
    last: Mapped[int]

class Issue(Row):
    id: Mapped[int] = mapped_column(primary_key=True)
    team: Mapped[str] = mapped_column(String(20))
    number: Mapped[int]

def teams(connection):
    for name in ("zeta", "ZETA"):
        if connection.scalar(select(func.count()).where(Team.name == name)) == 0:
            connection.execute(Team.__table__.insert(), {"name": name, "last": 0})

def insert(session, tokens):
    (token,) = tokens
    team = ("zeta", "ZETA")[token % 2]
    session.execute(update(Team).where(Team.name == team).values(last=Team.last + 1))
    number = session.scalars(select(Team.last).where(Team.name == team)).one()
    session.add(Issue(team=team, number=number, token=token))
    session.flush()
    return [(team, number)]

mine = Scenario(
    Issue, id=Issue.number, scope=Issue.team, insert=insert, setup=teams, engine=sqlite_begin("BEGIN IMMEDIATE"),
    claims=[holds(unique, gapless, starts_at)],
)
"""


def test_scopes_are_told_apart_as_the_database_tells_them_apart(idstorm: Idstorm, anywhere: On) -> None:
    name = idstorm.write("mine.py", HEAD + CASES)
    (storm,) = idstorm.storm(name, "-n", "600", "--on", anywhere.dialect, **anywhere.environ).report["storms"]
    judged = {name: storm["verdicts"][name]["status"] for name in ("unique", "faithful", "gapless", "starts_at")}
    assert judged == dict.fromkeys(judged, "held"), storm["verdicts"]


COUNTED = """
class Team(Row):
    name: Mapped[str] = mapped_column(String(20), primary_key=True)
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

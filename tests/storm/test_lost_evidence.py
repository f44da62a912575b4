"""Whatever fails once clients have been let loose, what they have recorded is judged."""

from __future__ import annotations

import pytest

from running import Idstorm, Ran

NUMBERED = """
import sqlite3
from contextlib import contextmanager
from pathlib import Path
from sqlalchemy import BigInteger, create_engine, func, select
from sqlalchemy.orm import Mapped, Session, mapped_column
from idstorm.scenario import Row, Scenario

class Doc(Row):
    pk: Mapped[int] = mapped_column(primary_key=True)
    id: Mapped[int] = mapped_column(BigInteger)

def work(session, tokens):
    highest = session.scalar(select(func.max(Doc.id))) or 0
    session.add(Doc(id=highest // 2 + 1, token=tokens[0]))  # not even without concurrency
    session.flush()
    return [highest // 2 + 1]
"""
"""Of each insert's id, one of the inserts before it was told as well."""

FAILING = {
    "an interlude that cannot connect": (
        """
def backup(place):
    sqlite3.connect("/nowhere/backup.db")
mine = Scenario(Doc, id="id", insert=work, interlude=backup)
""",
        "unfinished: the interlude failed",
    ),
    "an interlude that raises": (
        """
def backup(place):
    raise ValueError("no backup today")
mine = Scenario(Doc, id="id", insert=work, interlude=backup)
""",
        "at fault: the interlude failed",
    ),
    "an environment that cannot be taken down": (
        """
@contextmanager
def application(place):
    yield
    if list(Path("results").rglob("*.tape")):
        sqlite3.connect("/nowhere/log.db")

class Own:
    def __init__(self, engine): self.engine = engine
    def insert(self, tokens):
        with Session(self.engine) as session:
            ids = work(session, tokens)
            session.commit()
        return ids

@contextmanager
def client(place, environment):
    yield Own(create_engine(place.url))

mine = Scenario(Doc, id="id", client=client, environment=application)
""",
        "unfinished: the environment of the scenario failed",
    ),
}

UNWRITABLE = """
def fill(place):  # what bears the name of a file that is to be written stands for a disk that is full
    for name in {names}:
        for folder in Path("results").glob({where!r}):
            (folder / name).mkdir()
mine = Scenario(Doc, id="id", insert=work, interlude=fill)
"""


def failed(ran: Ran) -> dict[str, str]:
    """Return the statuses of the only storm of a run that failed since an id was told twice."""
    assert ran.code == 1, ran.err
    (storm,) = ran.report["storms"]
    statuses = {name: verdict["status"] for name, verdict in storm["verdicts"].items()}
    assert statuses["unique"] == "broken"
    return statuses


@pytest.mark.parametrize("what", FAILING)
def test_what_was_recorded_is_judged_without_a_census(idstorm: Idstorm, what: str) -> None:
    scenario, ending = FAILING[what]
    ran = idstorm.storm(idstorm.write("mine.py", NUMBERED + scenario))
    statuses = failed(ran)
    assert statuses["durable"] == statuses["faithful"] == "unknown"
    (storm,) = ran.report["storms"]
    assert storm["ending"].startswith(ending)
    assert storm["verdicts"]["durable"]["reason"].startswith("there is no census")
    assert idstorm("check", str(idstorm.run_folder), "-q").code == 1


def test_a_census_that_cannot_be_written_is_an_unreadable_one(idstorm: Idstorm) -> None:
    name = idstorm.write("mine.py", NUMBERED + UNWRITABLE.format(names=["census.zip.partial"], where="*/01-*"))
    ran = idstorm.storm(name)
    assert failed(ran)["durable"] == "unknown"
    (storm,) = ran.report["storms"]
    assert storm["verdicts"]["durable"]["reason"].startswith("cannot write to")
    assert storm["ending"] is None


@pytest.mark.parametrize(("name", "where"), [("ending.json.partial", "*/01-*"), ("report.json.partial", "2*")])
def test_a_failure_stays_one_where_the_run_cannot_be_written(idstorm: Idstorm, name: str, where: str) -> None:
    ran = idstorm.storm(idstorm.write("mine.py", NUMBERED + UNWRITABLE.format(names=[name], where=where)))
    failed(ran)
    assert "cannot write to" in ran.err
    assert "--results" in ran.err


def test_what_passed_and_cannot_be_written_is_the_environments_trouble(idstorm: Idstorm) -> None:
    sound = NUMBERED.replace("highest // 2 + 1", "tokens[0]")
    sound += UNWRITABLE.format(names=["report.json.partial"], where="2*")
    ran = idstorm.storm(idstorm.write("mine.py", sound))
    assert ran.code == 3
    assert ran.report["result"] == "passed"
    assert "cannot write to" in ran.err

"""What an exploration cannot see, or cannot do, is said: as a limit that leaves it open, or in a sentence."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from explore.exploring import PATTERNS, explored
from running import Idstorm
from servers import On

WORK = """
import sqlalchemy as sa
from idstorm.scenario import Row, Scenario
from sqlalchemy.orm import Mapped, mapped_column

class Thing(Row):
    id: Mapped[int] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(default=0)

def insert(session, tokens):
    thing = Thing(token=tokens[0])
    session.add(thing)
    session.flush()
    return [thing.id]

def many(session, tokens):
    numbers = [{"number": number, "token": token} for number, token in enumerate(tokens)]
    session.connection().execute(sa.insert(Thing), numbers)
    return list(session.scalars(sa.select(Thing.id).where(Thing.token.in_(tokens)).order_by(Thing.token)))

def by_a_procedure(session, tokens):
    session.connection().exec_driver_sql("DO $$ BEGIN PERFORM 1; END $$")
    return insert(session, tokens)

def endless(session, tokens):
    while tokens[0] >> 32 == 720_720:  # those of an exploration, so not in its rehearsal
        session.scalars(sa.select(Thing.id)).all()
    return insert(session, tokens)

bulk = Scenario(Thing, insert=many, batch=2)
called = Scenario(Thing, insert=by_a_procedure)
never_ends = Scenario(Thing, insert=endless)
"""


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("bulk", "does several things, and is one step"),
        ("never_ends", "a schedule did not come to its end: A takes more than 200 steps, the last of them 'SELECT"),
    ],
)
def test_work_that_cannot_be_stepped_whole_is_never_complete(idstorm: Idstorm, name: str, says: str) -> None:
    ran, storm = explored(idstorm, On("sqlite"), f"{idstorm.write('mine.py', WORK)}:{name}")
    assert (ran.code, storm["verdicts"]["complete"]["status"]) == (3, "unknown"), ran.out
    assert says in storm["verdicts"]["complete"]["reason"]


def test_a_procedure_is_one_step_of_several(idstorm: Idstorm, postgresql: On) -> None:
    _, storm = explored(idstorm, postgresql, f"{idstorm.write('mine.py', WORK)}:called")
    assert storm["verdicts"]["complete"]["status"] == "unknown"
    assert "'DO $$ BEGIN PERFORM 1; END $$' does several things" in storm["verdicts"]["complete"]["reason"]


def test_sessions_of_a_schedule_that_is_given_up_keep_no_locks(idstorm: Idstorm, postgresql: On) -> None:
    _, storm = explored(idstorm, postgresql, f"{idstorm.write('mine.py', WORK)}:never_ends")
    assert storm["verdicts"]["complete"]["status"] == "unknown"  # and its namespace could be dropped at once


def test_the_schedule_of_a_reader_can_be_played_again(idstorm: Idstorm, postgresql: On) -> None:
    ran, _ = explored(idstorm, postgresql, f"{PATTERNS}:polled")
    heading = ran.out[ran.out.index("visible: broken by schedule") :].splitlines()
    schedule = heading[0].rpartition("(")[2].rstrip(")")
    assert heading[1].split() == ["A", "B", "C", "(reader)"]
    assert "C" in schedule
    _, storm = explored(idstorm, postgresql, f"{PATTERNS}:polled", "--replay", schedule)
    assert (storm["explored"]["schedules"], storm["verdicts"]["visible"]["status"]) == (1, "broken")


LIMITED = """
from sqlalchemy import func, select
from sqlalchemy.orm import Mapped, mapped_column
from idstorm.scenario import Row, Scenario, holds, unique

class Invoice(Row):
    id: Mapped[int] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(index=True)

def insert(session, tokens):
    number = (session.scalar(select(func.max(Invoice.number))) or 0) + 1
    assert number <= 5, "full"
    session.add(Invoice(number=number, token=tokens[0]))
    session.flush()
    return [number]

limited = Scenario(Invoice, id=Invoice.number, insert=insert, claims=[holds(unique)])
"""


def test_what_was_found_in_empty_tables_stays_where_rows_cannot_be_made(idstorm: Idstorm) -> None:
    ran, storm = explored(idstorm, On("sqlite"), idstorm.write("mine.py", LIMITED), "--rows", "20")
    assert (ran.code, storm["verdicts"]["unique"]["status"]) == (1, "broken"), ran.out
    assert (
        "with 20 rows, nothing was tried: inserting the rows of --rows failed"
        in (storm["verdicts"]["complete"]["reason"])
    )


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["explore", "autoincrement", "--admin-url", "postgresql://there"], "--admin-url"),
        (["run", "autoincrement", "--isolation", "each"], "--isolation"),
    ],
)
def test_an_option_that_means_nothing_here_is_refused(idstorm: Idstorm, words: list[str], says: str) -> None:
    ran = idstorm(*words)
    assert (ran.code, says in ran.err) == (2, True), ran.err


def test_levels_stand_beside_each_other_only_where_there_are_targets_to_compare(idstorm: Idstorm) -> None:
    ran = idstorm("explore", "autoincrement", "--isolation", "each", "--json", "report.json")
    assert ran.code == 0, ran.out
    assert json.loads((idstorm.folder / "report.json").read_text())["comparisons"] == []


def damaged(idstorm: Idstorm, change: Callable[[dict[str, Any]], None]) -> str:
    """Explore, change what is stored of it, and let it be judged again. Returns what that says."""
    explored(idstorm, On("sqlite"), "max_plus_one:max_plus_one")
    (path,) = idstorm.run_folder.glob("*/explored.json")
    stored = json.loads(path.read_text())
    change(stored)
    path.write_text(json.dumps(stored))
    ran = idstorm("check", str(idstorm.run_folder))
    assert ran.code == 3, ran.out + ran.err
    return ran.out + ran.err


def of_a_client_that_is_not_there(stored: dict[str, Any]) -> None:
    stored["checks"]["unique"]["broken"]["clients"][0] = 5


def without_its_schedules(stored: dict[str, Any]) -> None:
    del stored["by_preemptions"]


def with_fewer_than_none(stored: dict[str, Any]) -> None:
    stored["by_preemptions"] = {"0": -7}


def with_a_number_that_is_none(stored: dict[str, Any]) -> None:
    stored["by_preemptions"] = {"x": 7}


def with_a_status_of_its_own(stored: dict[str, Any]) -> None:
    stored["checks"]["durable"]["statuses"] = {"fine": 7}


def broken_without_a_witness(stored: dict[str, Any]) -> None:
    stored["checks"]["durable"]["statuses"] = {"broken": 7}


DAMAGES = [
    *(of_a_client_that_is_not_there, without_its_schedules, with_fewer_than_none, with_a_number_that_is_none),
    *(with_a_status_of_its_own, broken_without_a_witness),
]


@pytest.mark.parametrize("change", DAMAGES)
def test_what_is_damaged_is_not_judged(idstorm: Idstorm, change: Callable[[dict[str, Any]], None]) -> None:
    said = damaged(idstorm, change)
    assert "explored.json" in said
    assert "Traceback" not in said


def test_a_witness_whose_folder_is_a_way_out_is_not_followed(idstorm: Idstorm, tmp_path: Path) -> None:
    def elsewhere(stored: dict[str, Any]) -> None:
        stored["checks"]["unique"]["broken"]["folder"] = "../../../elsewhere"

    assert "Traceback" not in damaged(idstorm, elsewhere)

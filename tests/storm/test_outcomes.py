"""Outcome is phase times code: what a client writes down when something goes wrong, on a real database."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from idstorm.record.stored import open_run, read_storm
from idstorm.record.tape import Flag
from running import Idstorm

HEAD = """
import random, sys, threading
from sqlalchemy import ForeignKey, event, create_engine, insert, text
from sqlalchemy.orm import Mapped, mapped_column
from idstorm.scenario import *
AT_WORK = "idstorm.storm.worker" in sys.orig_argv

class Thing(Row):
    id: Mapped[int] = mapped_column(primary_key=True)
"""


def storm(idstorm: Idstorm, body: str, *words: str) -> dict[str, Any]:
    name = idstorm.write("mine.py", HEAD + body)
    ran = idstorm.storm(name, *words)
    assert ran.out, ran.err
    (judged,) = ran.report["storms"]
    return {**judged, "code": ran.code}


def test_an_error_before_commit_is_a_failure_and_the_storm_goes_on(idstorm: Idstorm) -> None:
    judged = storm(
        idstorm,
        """
def work(session, tokens):
    things = [Thing(token=token) for token in tokens]
    session.add_all(things)
    session.flush()
    if AT_WORK and tokens[0] % 5 == 0:
        raise ZeroDivisionError
    return [thing.id for thing in things]

mine = Scenario(model=Thing, insert=work)
""",
    )
    assert judged["code"] == 0
    assert judged["operations"]["failed"] == judged["operations"]["errors"]["by_code"]["python:ZeroDivisionError"] > 0
    assert judged["operations"]["unknown"] == 0


def test_a_code_that_proves_a_rollback_makes_an_error_in_commit_a_failure(idstorm: Idstorm) -> None:
    judged = storm(
        idstorm,
        """
class Child(Row):
    id: Mapped[int] = mapped_column(primary_key=True)
    thing: Mapped[int] = mapped_column(ForeignKey("thing.id", deferrable=True, initially="DEFERRED"))

def engine(url, **pool):
    made = create_engine(url, **pool)
    event.listen(made, "connect", lambda connection, _: connection.execute("PRAGMA foreign_keys = ON"))
    return made

def setup(connection):
    connection.execute(insert(Thing).values(id=1))

def work(session, tokens):
    orphan = AT_WORK and tokens[0] % 4 == 0
    child = Child(token=tokens[0], thing=99 if orphan else 1)
    session.add(child)
    session.flush()
    return [child.id]

mine = Scenario(model=Child, insert=work, engine=engine, setup=setup)
""",
    )
    assert judged["code"] == 0
    assert judged["operations"]["errors"]["by_code"] == {
        "sqlite:787 FOREIGN KEY constraint failed": judged["operations"]["failed"]
    }
    assert judged["operations"]["failed"] > 0
    assert judged["operations"]["unknown"] == 0


def test_an_error_in_commit_without_such_a_code_leaves_it_unknown(idstorm: Idstorm) -> None:
    judged = storm(
        idstorm,
        """
def lose_the_answer(connection):
    if AT_WORK and random.random() < 0.2:
        connection.connection.commit()
        raise ConnectionError("the answer was lost")

def engine(url, **pool):
    made = create_engine(url, **pool)
    event.listen(made, "commit", lose_the_answer)
    return made

mine = Scenario(model=Thing, engine=engine)
""",
    )
    assert judged["code"] == 0
    assert judged["operations"]["unknown"] > 0
    assert judged["verdicts"]["durable"]["figures"]["recovered"] == judged["operations"]["unknown"]
    assert judged["verdicts"]["durable"]["status"] == "held"


def test_work_that_commits_by_itself_leaves_its_errors_unknown(idstorm: Idstorm) -> None:
    judged = storm(
        idstorm,
        """
def work(session, tokens):
    thing = Thing(token=tokens[0])
    session.add(thing)
    session.commit()
    if AT_WORK and tokens[0] % 4 == 0:
        raise ZeroDivisionError
    return [thing.id]

mine = Scenario(model=Thing, insert=work)
""",
    )
    assert judged["code"] == 0
    assert judged["operations"]["failed"] == 0
    assert judged["operations"]["unknown"] == judged["verdicts"]["durable"]["figures"]["recovered"] > 0
    assert any("commits by itself" in note for note in judged["notes"])


def test_work_that_only_sometimes_commits_by_itself_is_found_out(idstorm: Idstorm) -> None:
    judged = storm(
        idstorm,
        """
def work(session, tokens):
    thing = Thing(token=tokens[0])
    session.add(thing)
    session.flush()
    if AT_WORK and tokens[0] % 4 == 0:
        session.commit()
        raise ZeroDivisionError
    return [thing.id]

mine = Scenario(model=Thing, insert=work)
""",
    )
    assert judged["code"] == 0
    assert judged["operations"]["failed"] == 0
    assert judged["operations"]["unknown"] == judged["verdicts"]["durable"]["figures"]["recovered"] > 0


def test_a_single_row_that_was_refused_has_failed_even_under_autocommit(idstorm: Idstorm) -> None:
    judged = storm(
        idstorm,
        """
def work(session, tokens):
    id_ = tokens[0] if not AT_WORK or tokens[0] % 4 else 1
    session.execute(insert(Thing).values(id=id_, token=tokens[0]))
    return [id_]

mine = Scenario(model=Thing, insert=work, claims=[breaks(accepted, why="one in four wants the id 1")])
""",
        "--isolation",
        "AUTOCOMMIT",
    )
    assert judged["code"] == 0
    assert judged["operations"]["failed"] == judged["verdicts"]["accepted"]["figures"]["collisions"] > 0
    assert judged["operations"]["unknown"] == 0


def test_a_database_that_is_locked_is_a_failed_operation(idstorm: Idstorm) -> None:
    ran = idstorm.storm("autoincrement", "-T", "2s", "--set", "busy_timeout=0", "--think", "0..2ms")
    (judged,) = ran.report["storms"]
    errors = judged["operations"]["errors"]
    assert errors["by_code"]["sqlite:5 database is locked"] == errors["total"] == judged["operations"]["failed"] > 0
    assert judged["verdicts"]["durable"]["status"] == "held"


def test_a_pool_that_is_too_small_fails_without_having_begun(idstorm: Idstorm) -> None:
    words = ("--pool-size", "1", "--pool-timeout", "0.05", "--think", "20ms", "-T", "1.5s", "-c", "8")
    (judged,) = idstorm.storm("uuid4", *words).report["storms"]
    code = "sqlalchemy:3o7r the pool had no connection in time"
    assert judged["operations"]["errors"]["by_code"][code] == judged["operations"]["failed"] > 0
    assert judged["verdicts"]["pressure"]["figures"]["overlap_peak"] <= 2
    assert judged["verdicts"]["durable"]["status"] == "held"


def test_rolled_back_operations_are_counted_apart_from_errors(idstorm: Idstorm) -> None:
    (judged,) = idstorm.storm("autoincrement", "--rollback", "0.5").report["storms"]
    operations = judged["operations"]
    assert operations["rolled_back"] == operations["failed"] > 100
    assert operations["errors"]["total"] == 0
    assert operations["acknowledged"] == 400 - operations["rolled_back"]


def test_the_seed_fixes_what_is_chosen(idstorm: Idstorm) -> None:
    def chosen(seed: str) -> list[list[int]]:
        """Which of its operations each client rolled back."""
        ran = idstorm.storm("autoincrement", "--rollback", "0.3", "--seed", seed)
        run = open_run(idstorm.folder / "results" / ran.report["run"])
        history = read_storm(run, run.storms[0]).history
        assert history is not None
        starts = history.op_offsets.tolist()
        return [np.flatnonzero(history.flags[one:end] == Flag.DELIBERATE).tolist() for one, end in pairwise(starts)]

    assert chosen("7") == chosen("7")
    assert chosen("7") != chosen("8")


def test_a_begin_that_waits_for_a_lock_counts_as_holding_a_connection(idstorm: Idstorm) -> None:
    ran = idstorm.storm("autoincrement", "--set", "begin=immediate", "-n", "800")
    assert ran.code == 0  # only one can hold the lock: if waiting did not count, there would be no pressure


@pytest.mark.parametrize(
    "field",
    [
        'engine=lambda url, **pool: create_engine(url, isolation_level="AUTOCOMMIT", **pool)',
        'session=lambda engine: Session(engine.execution_options(isolation_level="AUTOCOMMIT"))',
    ],
)
def test_autocommit_that_the_scenario_brings_itself_is_found_out(idstorm: Idstorm, field: str) -> None:
    name = idstorm.write("mine.py", f"{HEAD}\nfrom sqlalchemy.orm import Session\nmine = Scenario(Thing, {field})\n")
    assert idstorm.storm(name).report["storms"][0]["notes"] == [
        "the work commits by itself: an error once it has sent COMMIT leaves its operation unknown"
    ]
    ran = idstorm("run", name, "--rollback", "0.2", "-n", "400")
    assert ran.code == 2
    assert "commits by itself" in ran.err


def test_a_commit_of_the_driver_itself_is_found_out(idstorm: Idstorm) -> None:
    judged = storm(
        idstorm,
        """
def work(session, tokens):
    thing = Thing(token=tokens[0])
    session.add(thing)
    session.flush()
    session.connection().connection.commit()
    if AT_WORK and tokens[0] % 10 == 0:
        raise ZeroDivisionError
    return [thing.id]

mine = Scenario(Thing, insert=work)
""",
    )
    assert judged["code"] == 0
    assert judged["operations"]["unknown"] > 0


def test_a_commit_on_another_connection_is_found_out_when_it_happens(idstorm: Idstorm) -> None:
    judged = storm(
        idstorm,
        """
def work(session, tokens):
    if AT_WORK and tokens[0] % 10 == 0:
        with session.get_bind().begin() as connection:
            connection.execute(insert(Thing).values(token=tokens[0]))
        raise ZeroDivisionError
    thing = Thing(token=tokens[0])
    session.add(thing)
    session.flush()
    return [thing.id]

mine = Scenario(Thing, insert=work, connections=2)
""",
    )
    assert judged["code"] == 0
    assert judged["operations"]["unknown"] == judged["verdicts"]["durable"]["figures"]["recovered"] > 0


def test_work_may_begin_and_commit_its_transaction_itself(idstorm: Idstorm) -> None:
    judged = storm(
        idstorm,
        """
def work(session, tokens):
    with session.begin():
        thing = Thing(token=tokens[0])
        session.add(thing)
    return [thing.id]

mine = Scenario(Thing, insert=work)
""",
    )
    assert judged["code"] == 0
    assert any("commits by itself" in note for note in judged["notes"])

"""Work on connections of its own: when its operations begin, and what its errors leave of them."""

from __future__ import annotations

from typing import Any

import pytest

from idstorm.record.history import History
from idstorm.record.stored import open_run, read_storm
from idstorm.record.tape import Flag
from running import Idstorm
from servers import database

HEAD = """
import sqlite3, sys, threading
from functools import cache
from sqlalchemy import create_engine, func, insert, select
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.orm import Mapped, Session, mapped_column
from idstorm.scenario import *
AT_WORK = "idstorm.storm.worker" in sys.orig_argv

class Thing(Row):
    id: Mapped[int] = mapped_column(primary_key=True)

@cache
def own_engine(url):
    return create_engine(url, pool_size=10)

def add(session, tokens):
    things = [Thing(token=token) for token in tokens]
    session.add_all(things)
    session.flush()
    return [thing.id for thing in things]
"""


def storm(idstorm: Idstorm, body: str, *words: str, dialect: str = "sqlite") -> dict[str, Any]:
    on = database(dialect)
    ran = idstorm.storm(idstorm.write("mine.py", HEAD + body), "--on", dialect, *words, **on.environ)
    assert ran.out, ran.err
    (judged,) = ran.report["storms"]
    return {**judged, "code": ran.code}


def history_of(idstorm: Idstorm) -> History:
    run = open_run(idstorm.run_folder)
    history = read_storm(run, run.storms[0]).history
    assert history is not None
    return history


def test_work_on_an_engine_of_its_own_overlaps_and_is_in_order(idstorm: Idstorm) -> None:
    judged = storm(
        idstorm,
        """
def work(session, tokens):
    with Session(own_engine(session.get_bind().url)) as own:
        ids = add(own, tokens)
        own.commit()
        return ids

mine = Scenario(Thing, insert=work, claims=[holds(ordered)])
""",
        dialect="postgresql",
    )
    assert judged["code"] == 0
    assert judged["verdicts"]["ordered"]["figures"]["inversions"] == 0
    assert judged["verdicts"]["pressure"]["figures"]["overlap_mean"] > 1.5


def test_work_by_a_bare_driver_began_before_it_was_called_and_overlaps_from_its_ids_on(idstorm: Idstorm) -> None:
    judged = storm(
        idstorm,
        """
def work(session, tokens):
    connection = sqlite3.connect(session.get_bind().url.database, timeout=30)
    id_ = connection.execute("INSERT INTO thing (token) VALUES (?)", (tokens[0],)).lastrowid
    connection.commit()
    connection.close()
    if AT_WORK and tokens[0] % 4 == 0:
        raise ZeroDivisionError
    return [id_]

mine = Scenario(Thing, insert=work, claims=[holds(ordered)])
""",
    )
    assert judged["verdicts"]["ordered"]["status"] == "held"
    assert judged["verdicts"]["durable"]["status"] == "held"
    assert judged["verdicts"]["durable"]["figures"]["recovered"] == judged["operations"]["unknown"] > 0
    history = history_of(idstorm)
    assert (history.flags == Flag.UNSEEN).all()
    assert (history.begin < history.ended).all()


def test_work_that_rolls_back_and_tries_again_has_failed(idstorm: Idstorm) -> None:
    judged = storm(
        idstorm,
        """
def work(session, tokens):
    for _ in range(3):
        try:
            ids = add(session, tokens)
            if AT_WORK and tokens[0] % 4 == 0:
                session.execute(insert(Thing).values(id=ids[0]))
            return ids
        except DBAPIError as error:
            session.rollback()
            last = error
    raise last

mine = Scenario(Thing, insert=work, claims=[may_break(accepted, why="tried here")])
""",
    )
    assert judged["operations"]["unknown"] == 0
    assert judged["operations"]["failed"] > 0
    assert judged["verdicts"]["durable"]["status"] == "held"


def test_a_refusal_after_an_earlier_commit_proves_nothing(idstorm: Idstorm) -> None:
    judged = storm(
        idstorm,
        """
def work(session, tokens):
    id_ = tokens[0] % 1_000_000_007
    session.execute(insert(Thing).values(id=id_, token=tokens[0]))
    session.commit()
    if AT_WORK and tokens[0] % 5 == 0:  # the answer was lost, so the application sends the same row again
        session.execute(insert(Thing).values(id=id_, token=tokens[0]))
    return [id_]

mine = Scenario(Thing, insert=work, claims=[may_break(accepted, why="tried here")])
""",
    )
    assert judged["operations"]["unknown"] == judged["verdicts"]["durable"]["figures"]["recovered"] > 0
    assert judged["verdicts"]["durable"]["figures"]["revived"] == 0


def test_an_error_before_the_only_commit_of_an_own_engine_is_a_failure(idstorm: Idstorm) -> None:
    judged = storm(
        idstorm,
        """
def work(session, tokens):
    with own_engine(session.get_bind().url).begin() as connection:
        ids = [connection.execute(insert(Thing).values(token=token)).inserted_primary_key[0] for token in tokens]
        if AT_WORK and tokens[0] % 4 == 0:
            raise ZeroDivisionError
    if AT_WORK and tokens[0] % 4 == 1:
        raise LookupError
    return ids

mine = Scenario(Thing, insert=work)
""",
    )
    assert judged["operations"]["errors"]["by_code"] == {
        "python:ZeroDivisionError": judged["operations"]["failed"],
        "python:LookupError": judged["operations"]["unknown"],
    }
    assert judged["verdicts"]["durable"]["status"] == "held"
    assert judged["verdicts"]["durable"]["figures"]["recovered"] == judged["operations"]["unknown"]


def test_a_commit_of_a_bare_driver_that_no_rehearsal_saw_through_is_unknown(idstorm: Idstorm) -> None:
    """An audit on SQLAlchemy's engine commits first: its COMMIT is heard, and is not that of the row."""
    judged = storm(
        idstorm,
        """
def work(session, tokens):
    with own_engine(session.get_bind().url).begin() as connection:
        connection.execute(select(func.count()).select_from(Thing))
    connection = sqlite3.connect(session.get_bind().url.database, timeout=30)
    id_ = connection.execute("INSERT INTO thing (token) VALUES (?)", (tokens[0],)).lastrowid
    connection.commit()
    connection.close()
    if AT_WORK and tokens[0] % 4 == 0:
        raise ZeroDivisionError
    return [id_]

mine = Scenario(Thing, insert=work)
""",
    )
    assert judged["operations"]["failed"] == 0
    assert judged["verdicts"]["durable"]["figures"]["recovered"] == judged["operations"]["unknown"] > 0


def test_a_refusal_that_the_work_got_over_is_on_the_tape(idstorm: Idstorm) -> None:
    judged = storm(
        idstorm,
        """
def work(session, tokens):
    id_ = tokens[0] % 1_000_000_007
    if AT_WORK and tokens[0] % 4 == 0:
        add(session, [tokens[0]])
        try:
            session.execute(insert(Thing).values(id=session.scalar(select(func.max(Thing.id))), token=tokens[0]))
        except IntegrityError:
            session.rollback()
    session.execute(insert(Thing).values(id=id_, token=tokens[0]))
    return [id_]

mine = Scenario(Thing, insert=work)
""",
    )
    assert judged["verdicts"]["accepted"]["status"] == "held"
    assert 0 < int((history_of(idstorm).flags & Flag.RETRIED != 0).sum()) < 400


def test_clients_that_hold_a_connection_and_wait_for_another_are_told_what_to_do(idstorm: Idstorm) -> None:
    judged = storm(
        idstorm,
        """
all_hold_one = threading.Barrier(2)

def work(session, tokens):
    ids = add(session, tokens)
    if AT_WORK:
        all_hold_one.wait()
        with session.get_bind().connect():
            pass
    return ids

mine = Scenario(Thing, insert=work)
""",
        "--pool-timeout",
        "0.2",
        "--clients",
        "2",
        "--processes",
        "1",
        "-n",
        "8",
        dialect="postgresql",
    )
    (code,) = judged["operations"]["errors"]["by_code"]
    assert code.startswith("sqlalchemy:3o7r the pool had no connection in time for a client that held one")
    assert "set connections=2 in the scenario" in judged["operations"]["failing"]["message"]


def test_a_delete_takes_the_row_of_its_token_where_two_have_one_id(idstorm: Idstorm) -> None:
    ran = idstorm.storm("max_plus_one", "--deletes", "0.2", "-n", "400")
    figures = [one["verdicts"]["durable"]["figures"] for one in ran.report["storms"] if one["verdicts"]]
    assert figures
    assert all(one["lost"] == one["undeleted"] == 0 for one in figures)


@pytest.mark.parametrize("when", ["always", "first"])
def test_a_client_that_never_had_a_connection_is_known_by_its_tape(idstorm: Idstorm, when: str) -> None:
    judged = storm(
        idstorm,
        f"""
def engine(url, **pool):
    def connect():
        if AT_WORK and ({when!r} == "always" or threading.current_thread().name.startswith("Thread")):
            raise sqlite3.OperationalError("unable to open database file")
        return sqlite3.connect(url.database)
    from sqlalchemy import NullPool
    return create_engine(url, creator=connect, poolclass=NullPool)

mine = Scenario(Thing, engine=engine)
""",
        "-T",
        "1s",
    )
    assert judged["result"] == "inconclusive"
    assert (history_of(idstorm).flags == Flag.UNCONNECTED).all()

"""A database that lives in a process: its one worker makes it, storms it and counts it, and takes it along."""

from __future__ import annotations

from typing import Any

import pytest

from running import Idstorm, workers_at_work

HEAD = """
from idstorm.scenario import *
from sqlalchemy import QueuePool, StaticPool, create_engine, insert
from sqlalchemy.orm import Mapped, mapped_column

class User(Row):
    id: Mapped[int] = mapped_column(primary_key=True)

def shared(url, **pool):
    url = "sqlite:///file:here?mode=memory&cache=shared&uri=true"
    room = {"pool_size": 1, "max_overflow": 0}
    return create_engine(url, poolclass=QueuePool, connect_args={"check_same_thread": False}, **room)

def tutorial(url, **pool):
    return create_engine("sqlite:///:memory:")

def static(url, **pool):
    return create_engine("sqlite:///:memory:", poolclass=StaticPool, connect_args={"check_same_thread": False})

def foreign(connection):
    connection.execute(insert(User).values(id=7))
"""


def storm(idstorm: Idstorm, fields: str, *words: str, code: str = "") -> dict[str, Any]:
    body = f"{HEAD}\n{code}\nmine = Scenario(User, local=True, {fields})\n"
    ran = idstorm.storm(idstorm.write("mine.py", body), *words)
    assert ran.out, ran.err
    (report,) = ran.report["storms"]
    return {**report, "code": ran.code}


def test_its_worker_makes_the_tables_and_takes_the_census(idstorm: Idstorm) -> None:
    report = storm(idstorm, "engine=shared, setup=foreign", "--processes", "3")
    verdicts = report["verdicts"]
    assert report["fleet"]["processes"] == 1
    assert report["operations"]["acknowledged"] == 400
    assert (verdicts["durable"]["status"], verdicts["durable"]["figures"]["foreign"]) == ("held", 1)
    assert verdicts["faithful"]["status"] == verdicts["unique"]["status"] == "held"
    assert verdicts["starts_at"]["reason"] == "the table was not empty"


def test_what_is_lost_there_is_found_lost(idstorm: Idstorm) -> None:
    forget = """
def forget(session, tokens):
    users = [User(token=token) for token in tokens]
    session.add_all(users)
    session.flush()
    ids = [user.id for user in users]
    if ids[0] % 50 == 0:
        session.rollback()
    return ids
"""
    report = storm(idstorm, "engine=shared, insert=forget", code=forget)
    assert report["code"] == 1
    assert report["verdicts"]["durable"]["figures"]["lost"] > 0


def test_with_a_killed_worker_its_database_is_gone_and_nothing_is_called_lost(idstorm: Idstorm) -> None:
    name = idstorm.write("mine.py", f"{HEAD}\nmine = Scenario(User, local=True, engine=shared)\n")
    with idstorm.started("run", name, "-T", "60s") as process:
        (worker,) = workers_at_work(process, idstorm.folder)
        worker.kill()
        assert process.wait() == 3
    verdicts = idstorm("check", str(idstorm.run_folder), "--json", "-").report["storms"][0]["verdicts"]
    assert "killed by signal 9" in verdicts["pressure"]["reason"]
    assert verdicts["durable"]["status"] == verdicts["faithful"]["status"] == "unknown"
    assert "took no census" in verdicts["durable"]["reason"]
    assert verdicts["unique"]["status"] in ("held", "unknown")  # by what the kill left in flight


def test_the_tutorials_engine_knows_no_table_in_any_thread_but_the_first(idstorm: Idstorm) -> None:
    report = storm(idstorm, "engine=tutorial")
    assert report["code"] == 3
    assert report["operations"]["acknowledged"] == 0
    assert (
        report["ending"] == "failed fast: every client's first operations all failed with sqlite:1 no such table: user"
    )


def test_one_connection_for_all_threads_never_passes(idstorm: Idstorm) -> None:
    report = storm(idstorm, "engine=static", "-n", "2000")
    assert report["code"] in (1, 3)
    verdicts = report["verdicts"]
    crashed = "killed by signal 11" in (verdicts["pressure"]["reason"] or "")
    if crashed:
        assert verdicts["durable"]["status"] == "unknown"
    assert crashed or "broken" in {verdict["status"] for verdict in verdicts.values()}


def test_an_interrupt_leaves_time_for_the_census(idstorm: Idstorm) -> None:
    name = idstorm.write("mine.py", f"{HEAD}\nmine = Scenario(User, local=True, engine=shared)\n")
    with idstorm.started("run", name, "-T", "60s") as process:
        workers_at_work(process, idstorm.folder)
        process.terminate()
        assert process.wait() == 130
    verdicts = idstorm("check", str(idstorm.run_folder), "--json", "-").report["storms"][0]["verdicts"]
    assert verdicts["durable"]["status"] == "held"


@pytest.mark.parametrize("field", ["client=lambda place, environment: None", "interlude=print"])
def test_nothing_outside_its_process_can_reach_it(idstorm: Idstorm, field: str) -> None:
    ran = idstorm("run", idstorm.write("mine.py", f"{HEAD}\nmine = Scenario(User, local=True, {field})\n"))
    assert ran.code == 2
    assert "a local scenario cannot be reached from outside" in ran.err

"""What the surroundings did is never laid at the door of the scenario, nor called by another's name."""

from __future__ import annotations

from running import Idstorm
from servers import On

HEAD = """
import os, sys
from sqlalchemy import text
from sqlalchemy.orm import Mapped, mapped_column
from idstorm.scenario import Row, Scenario

IN_WORKER = "IDSTORM_WORKER" in os.environ

class Thing(Row):
    id: Mapped[int] = mapped_column(primary_key=True)

def insert(session, tokens):
    things = [Thing(token=token) for token in tokens]
    session.add_all(things)
    session.flush()
    return [thing.id for thing in things]
"""

LOST = """
def work(session, tokens):
    if session.bind.dialect.name == "postgresql":
        session.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))
    else:
        session.execute(text(f"KILL {session.execute(text('SELECT CONNECTION_ID()')).scalar()}"))
        session.execute(text("SELECT 1"))
    return insert(session, tokens)

mine = Scenario(Thing, insert=work)
"""


def test_a_connection_lost_in_the_rehearsal_is_the_environments_fault(idstorm: Idstorm, server: On) -> None:
    name = idstorm.write("mine.py", HEAD + LOST)
    ran = idstorm("run", name, "--on", server.dialect, "-n", "400", **server.environ)
    assert ran.code == 3, ran.err
    assert "not started: the rehearsal of one operation failed" in ran.err


def test_what_the_work_does_wrong_with_its_connection_is_its_own_fault(idstorm: Idstorm, postgresql: On) -> None:
    body = "mine = Scenario(Thing, insert=lambda session, _: session.execute(text('SELECT :it'), {'it': object()}))\n"
    name = idstorm.write("mine.py", HEAD + body)
    assert idstorm("run", name, "--on", "postgresql", "-n", "400", **postgresql.environ).code == 2


WARMING_UP = """
import itertools, threading
calls = threading.local()

def work(session, tokens):
    session.connection()
    calls.count = getattr(calls, "count", 0) + 1
    if IN_WORKER and calls.count <= {failing}:
        raise RuntimeError("circuit breaker is open")
    return insert(session, tokens)

mine = Scenario(Thing, insert=work)
"""


def test_a_storm_goes_on_where_only_the_first_operations_failed(idstorm: Idstorm) -> None:
    ran = idstorm.storm(idstorm.write("mine.py", HEAD + WARMING_UP.format(failing=25)), "-n", "800")
    (storm,) = ran.report["storms"]
    assert storm["ending"] is None
    assert storm["operations"]["acknowledged"] == 600


def test_a_storm_of_which_nothing_went_well_says_why(idstorm: Idstorm) -> None:
    ran = idstorm.storm(idstorm.write("mine.py", HEAD + WARMING_UP.format(failing=10_000)), "-n", "800")
    (storm,) = ran.report["storms"]
    assert ran.code == 3
    assert storm["ending"].startswith(
        "failed fast: every client's first operations all failed with python:RuntimeError"
    )


OUT_OF_FILES = """
import itertools, resource
calls = itertools.count()

def work(session, tokens):
    if next(calls) == 200 and IN_WORKER:
        resource.setrlimit(resource.RLIMIT_NOFILE, (3, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    return insert(session, tokens)

mine = Scenario(Thing, insert=work)
"""


def test_too_many_open_files_are_no_full_disk(idstorm: Idstorm) -> None:
    ran = idstorm.storm(idstorm.write("mine.py", HEAD + OUT_OF_FILES), "-n", "4000", "-c", "2")
    (storm,) = ran.report["storms"]
    reason = storm["verdicts"]["pressure"]["reason"]
    assert "2 clients stopped, since their tapes could not be written: Too many open files" in reason
    assert storm["verdicts"]["durable"]["status"] == "held"

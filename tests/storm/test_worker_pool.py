"""Workers that serve several storms: the same processes, nothing of one storm in the next, none left at the end."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import psutil
import pytest

from idstorm import catalogue
from idstorm.commands.schedule import turns_of
from idstorm.databases import targets
from idstorm.findings.verdict import StormReport
from idstorm.judge.judge import judge_run
from idstorm.options import StormOptions
from idstorm.record import store
from idstorm.storm.lifecycle import Order, storm
from idstorm.storm.worker_pool import WorkerPool
from running import eventually

SCENARIOS = """
import os, sys
from idstorm.scenario import *
from sqlalchemy import create_engine
from sqlalchemy.orm import Mapped, mapped_column

class Thing(Row):
    id: Mapped[int] = mapped_column(primary_key=True)

def engine(url, **pool):
    if "IDSTORM_WORKER" in os.environ:
        print(os.getppid(), os.environ["IDSTORM_WORKER"], hasattr(sys, "been_here"), file=open("workers", "a"))
        sys.been_here = True
    return create_engine(url, **pool)

def insert(session, tokens):
    things = [Thing(token=token) for token in tokens]
    session.add_all(things)
    session.flush()
    if os.environ.get("IDSTORM_WORKER") == "1" and things[0].id > 50:
        os.kill(os.getpid(), 9)
    return [thing.id for thing in things]

mine = Scenario(model=Thing, engine=engine)
deadly = Scenario(model=Thing, insert=insert)
"""

Serve = Callable[[WorkerPool, str], StormReport]


class NeverStop:
    """Nobody interrupts these storms."""

    def asked(self) -> bool:
        return False

    def gently(self) -> AbstractContextManager[None]:
        return nullcontext()


@pytest.fixture
def serve(here: Path) -> Serve:
    """Let a crew serve a storm of one of the scenarios, and return how it was judged."""
    (here / "mine.py").write_text(SCENARIOS)

    def one(crew: WorkerPool, name: str) -> StormReport:
        (found,) = catalogue.find(f"mine.py:{name}")
        order = Order(found, targets.resolve("sqlite"), StormOptions(inserts=400), (str(here),))
        (turn,) = turns_of([order])
        run = store.create(here / "results", "none", [turn.entry])
        storm(order, run.name, run.folder / turn.name, lambda _: None, NeverStop(), crew)
        (report,) = judge_run(run).storms
        return report

    return one


def workers() -> set[int]:
    """The workers that this process has started and that have not ended."""
    return {child.pid for child in psutil.Process().children() if _is_at_work(child)}


def _is_at_work(child: psutil.Process) -> bool:
    try:
        return "idstorm.storm.worker" in child.cmdline()
    except psutil.NoSuchProcess:  # gone, or a zombie, perhaps since it was found
        return False


def test_the_same_workers_serve_one_storm_after_another_and_remember_nothing(here: Path, serve: Serve) -> None:
    with WorkerPool(many=True) as crew:
        assert serve(crew, "mine").result == "passed"
        crew_of_first = workers()
        assert serve(crew, "mine").result == "passed"
        assert workers() == crew_of_first
    assert len(crew_of_first) == 2
    assert workers() == set()
    served = [line.split() for line in (here / "workers").read_text().splitlines()]
    assert {int(pid) for pid, _, _ in served} == crew_of_first
    assert sorted(number for _, number, _ in served) == ["0", "0", "1", "1"]
    assert {remembered for _, _, remembered in served} == {"False"}


def test_a_worker_that_dies_is_replaced_whether_at_work_or_idle(serve: Serve) -> None:
    with WorkerPool(many=True) as crew:
        deadly = serve(crew, "deadly")
        assert deadly.result == "inconclusive"
        assert "worker 1 was killed by signal 9" in str(deadly.verdicts["pressure"].reason)
        assert deadly.verdicts["durable"].status == "held"
        survivors = workers()
        assert len(survivors) == 1
        assert serve(crew, "mine").result == "passed"
        idle = workers()
        assert survivors < idle
        victim = min(idle)
        psutil.Process(victim).kill()
        eventually(lambda: victim not in workers())
        assert serve(crew, "mine").result == "passed"
        assert len(workers()) == 2
        assert len(workers() & idle) == 1
    assert workers() == set()


def test_without_a_crew_the_workers_are_the_storms_own(here: Path, serve: Serve) -> None:
    with WorkerPool() as crew:
        assert serve(crew, "mine").result == "passed"
        assert workers() == set()

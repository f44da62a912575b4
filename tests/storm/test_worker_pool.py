"""Workers that serve several storms: the same processes, nothing of one storm in the next, none left at the end."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from idstorm import catalogue
from idstorm.commands.schedule import rounds
from idstorm.databases import targets
from idstorm.findings.verdict import StormReport
from idstorm.judge.judge import judge_run
from idstorm.options import StormOptions
from idstorm.record import store
from idstorm.storm.lifecycle import storm
from idstorm.storm.scheduled import ScheduledStorm
from idstorm.storm.stop import StopSignal
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

def gone(session, tokens):
    things = [Thing(token=token) for token in tokens]
    session.add_all(things)
    session.flush()
    if os.environ.get("IDSTORM_WORKER") == "1" and things[0].id > 50:
        os._exit(0)
    return [thing.id for thing in things]

left = Scenario(model=Thing, insert=gone)

def placed_engine(url, **pool):
    if "IDSTORM_WORKER" in os.environ:
        print(os.environ.get("SAID_LATER"), file=open("variables", "a"))
    return create_engine(url, **pool)

placed = Scenario(model=Thing, engine=placed_engine)
mine = Scenario(model=Thing, engine=engine)
deadly = Scenario(model=Thing, insert=insert)
"""

Serve = Callable[[WorkerPool, str], StormReport]


@pytest.fixture
def serve(here: Path) -> Serve:
    """Let a pool serve a storm of one of the scenarios, and return how it was judged."""
    (here / "mine.py").write_text(SCENARIOS)

    def one(pool: WorkerPool, name: str) -> StormReport:
        (found,) = catalogue.find(f"{here}/mine.py:{name}")
        asked = ScheduledStorm(found, targets.resolve("sqlite"), StormOptions(inserts=400), (str(here),))
        ((scheduled,),) = rounds([asked])
        run = store.create(here / "results", "none", [scheduled.entry])
        storm(scheduled, run, lambda _: None, StopSignal(), pool)
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
    with WorkerPool() as pool:
        assert serve(pool, "mine").result == "passed"
        first = workers()
        assert serve(pool, "mine").result == "passed"
        assert workers() == first
    assert len(first) == 2
    assert workers() == set()
    served = [line.split() for line in (here / "workers").read_text().splitlines()]
    assert {int(pid) for pid, _, _ in served} == first
    assert sorted(number for _, number, _ in served) == ["0", "0", "1", "1"]
    assert {remembered for _, _, remembered in served} == {"False"}


def test_a_worker_that_dies_is_replaced_whether_at_work_or_idle(serve: Serve) -> None:
    with WorkerPool() as pool:
        deadly = serve(pool, "deadly")
        assert deadly.result == "inconclusive"
        assert "worker 1 was killed by signal 9" in str(deadly.verdicts["pressure"].reason)
        assert deadly.verdicts["durable"].status == "held"
        survivors = workers()
        assert len(survivors) == 1
        assert serve(pool, "mine").result == "passed"
        idle = workers()
        assert survivors < idle
        victim = min(idle)
        psutil.Process(victim).kill()
        eventually(lambda: victim not in workers())
        assert serve(pool, "mine").result == "passed"
        assert len(workers()) == 2
        assert len(workers() & idle) == 1
    assert workers() == set()


def test_a_storm_has_the_directory_and_the_variables_of_its_own_moment(
    here: Path, serve: Serve, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with WorkerPool() as pool:
        assert serve(pool, "placed").result == "passed"
        before = set((here / "variables").read_text().splitlines())
        elsewhere = tmp_path_factory.mktemp("elsewhere")
        monkeypatch.setenv("SAID_LATER", "yes")
        monkeypatch.chdir(elsewhere)
        assert serve(pool, "placed").result == "passed"
    assert before == {"None"}
    assert set((elsewhere / "variables").read_text().splitlines()) == {"yes"}


def test_work_that_ends_its_process_with_status_0_has_lost_its_worker(serve: Serve) -> None:
    with WorkerPool() as pool:
        left = serve(pool, "left")
        assert "worker 1 ended with status 0" in str(left.verdicts["pressure"].reason)
        assert left.state == "finished"
        assert serve(pool, "mine").result == "passed"

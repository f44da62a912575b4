"""The process that plays schedules, started as ``python -m idstorm.explore.process``.

    stdin    first an assignment, then the state of the tables and whether to show values, as JSON, a line each;
             then a line for each schedule: the clients that go first, the folder of its tapes, the checks whose
             tapes are wanted if it breaks them, and the priorities by which clients go, or null
    stdout   a line once it is ready; then two for each schedule: its choices as soon as they are known, and what came
             of it, before those of the next; ``{"stuck": "…"}``, ``{"failed": "…"}`` or ``{"fault": "…"}`` instead of
             either, the last for what is the work's own fault

Each schedule is played in a fork of it, so that the work finds its process as it was when its modules were imported,
whatever other schedules have left in memory: a block of ids, a counter, a pool. At the end of stdin it ends.

What the user's own code prints goes to stderr.
"""

from __future__ import annotations

import gc
import json
import os
import signal
import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import sqlalchemy as sa
import sqlalchemy.orm

from idstorm import catalogue
from idstorm.databases.registry import DATABASES
from idstorm.databases.urls import secrets_of
from idstorm.errors import EnvironmentFault, IdstormError, ScenarioError, show_users_error
from idstorm.explore import stepping
from idstorm.explore.forks import Fork
from idstorm.explore.playing import Played, Stage, rows_of, tables_of
from idstorm.explore.runtime import Stuck
from idstorm.explore.schedules import Choice, Priorities
from idstorm.findings.finding import Finding
from idstorm.findings.results import Status
from idstorm.judge.evidence import Evidence
from idstorm.judge.judge import find
from idstorm.judge.own import checks_of
from idstorm.model.work import Work, work_of
from idstorm.record.census import Census
from idstorm.record.load_history import read_tapes
from idstorm.record.plan import Plan
from idstorm.redaction import redact
from idstorm.storm.assignment import Assignment
from idstorm.storm.engine import connection_options_of, open_engine
from idstorm.storm.hearing import listen
from idstorm.storm.loops import where_it_may_wait


def main() -> None:
    """Play the schedules that stdin asks for."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent gets it, and closes stdin
    answers = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)
    assignment, (state, show_values) = Assignment.of_line(sys.stdin.readline()), json.loads(sys.stdin.readline())
    stage = _stage(assignment, state, show_values=show_values)
    gc.freeze()  # what is loaded by now is shared with every fork, and never garbage
    body = partial(_play, stage)
    fork, before = Fork(body), None
    answers.write(b"{}\n")
    for line in sys.stdin:  # an empty one only asks for what is left to say of the schedule before
        if line.strip():
            fork.ask(line.strip().encode())
            at_work, fork = fork, Fork(body)
        else:
            at_work = None
        if before is not None:
            answers.write(before.rest())
        if at_work is not None:
            answers.write(at_work.answer())
        before = at_work
    fork.dismiss()


def _stage(assignment: Assignment, state: Any, *, show_values: bool) -> Stage:
    """Load the scenario, and leave no connection open."""
    assignment.take_up()
    plan, url = assignment.plan, sa.make_url(assignment.url)
    database = DATABASES[plan.target.dialect]
    stepping.listen(lambda _: database)  # first, so that what is heard is what a step comes to after all of its tries
    listen()
    catalogue.put_first(*plan.path)
    (found,) = catalogue.find(plan.reference)
    work = work_of(found.scenario)
    sa.orm.configure_mappers()  # like what follows, once for all schedules, and not once in each
    _judge_nothing(plan)
    own, engine = database.engine_into(url), open_engine(found.scenario, database, url, connection_options_of(plan))
    with own.connect() as connection:
        rows = rows_of(connection, tables_of(found.scenario, work))
    where_it_may_wait(engine, partial(_try_out, engine, work))
    path = Path(assignment.folder, "before.zip")
    before = Census.read(path, plan.ids.codec, plan.stamp) if path.exists() else None
    return Stage(plan, found.scenario, work, database, url, own, engine, state, rows, before, show_values)


def _try_out(engine: sa.Engine, work: Work) -> None:
    """Connect once, and have found what the work needs."""
    with engine.connect() as connection:
        if work.rows is not None and work.rows.parents.tables:
            work.rows.find_parents(connection)
    engine.dispose()


def _judge_nothing(plan: Plan) -> None:
    """Have everything imported that judging takes."""
    with TemporaryDirectory() as folder:
        evidence = Evidence(plan, read_tapes(Path(folder), plan), Census.of(plan.ids.codec, []))
    for check in checks_of(plan.claims):
        find(check, evidence)


def _play(stage: Stage, asked: Callable[[], bytes], say: Callable[[Mapping[str, Any]], None]) -> None:
    """Play one schedule, and say its choices before it is judged: the next one can begin then."""
    try:
        question = asked() if stage.database.serverless else None  # there, opening a connection takes locks
        with stage.ready() as (own, runtime):
            first, folder, wanted, drawn = json.loads(question or asked())
            priorities = None if drawn is None else Priorities(**drawn)
            ran = stage.play(own, runtime, first, priorities, Path(folder))
        choices = [[one.client, one.able, one.step] for one in ran.conductor.choices]
        say({"choices": choices, "sent": stage.sent(ran)})
        played = stage.judge(ran, Path(folder), wanted)
        findings = {
            name: [one.status, one.figures, one.witnesses, one.reason, one.crashed]
            for name, one in played.findings.items()
        }
        about = {"moves": played.moves, "doubt": played.doubt, "told": played.told}
        say({**about, "findings": findings, "raced": played.raced, "ok": played.ok})
    except Stuck as error:
        say({"stuck": str(error)})
    except IdstormError as error:
        say({"failed" if isinstance(error, EnvironmentFault) else "fault": str(error)})
    except Exception as error:
        say({"fault": redact(show_users_error(error), secrets_of(stage.url))})


def choices_of_line(line: bytes) -> tuple[list[Choice], list[str]]:
    """Return the choices that a line says, and what each client has sent, as a digest.

    Raises Stuck, or EnvironmentFault or ScenarioError where there are none.
    """
    about = _said(line)
    return [Choice(client, tuple(able), step) for client, able, step in about["choices"]], about["sent"]


def played_of_line(line: bytes) -> Played:
    """Return what a line says of a schedule. Raises EnvironmentFault or ScenarioError where that is nothing."""
    about = _said(line)
    return Played(
        tuple((client, step, answer) for client, step, answer in about["moves"]),
        {
            name: Finding(Status(status), figures, tuple(witnesses), reason, crashed)
            for name, (status, figures, witnesses, reason, crashed) in about["findings"].items()
        },
        about["doubt"],
        tuple(about["told"]),
        tuple(about["raced"]),
        tuple(about["ok"]),
    )


def _said(line: bytes) -> dict[str, Any]:
    about: dict[str, Any] = json.loads(line)
    if "stuck" in about:
        raise Stuck(about["stuck"])
    if "failed" in about:
        raise EnvironmentFault(about["failed"])
    if "fault" in about:
        raise ScenarioError(about["fault"])
    return about


if __name__ == "__main__":
    main()

"""One worker: a fresh interpreter with one engine, one pool and its client threads.

It is started as ``python -m idstorm.storm.worker``, and communicates in lines.

    stdin    first its assignment as JSON, then ``start NANOSECONDS``, then perhaps ``resume`` and ``stop``. At the
             end of stdin idstorm is gone, and the worker exits at once.
    stdout   lines of JSON: ``{"ready": true}``, ``{"entered": true}`` once all of its clients can work, perhaps
             ``{"paused": true}``, ``{"left": true}`` once none works any more, then
             ``{"done": true, "full": N, "full_because": null, "census": null, "connections": N}``
             or ``{"fatal": "…", "environment": false}``

It serves one storm after another, each in a fork of an interpreter that has loaded no scenario yet, so that nothing is
left over from one storm to the next. After each it says ``{"free": true}`` and waits for its next assignment.

What the user's own code prints goes to stderr.
"""

from __future__ import annotations

import errno
import gc
import json
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from idstorm import catalogue
from idstorm.databases.registry import DATABASES
from idstorm.databases.urls import secrets_of
from idstorm.errors import IdstormError, UsageError, show_users_error
from idstorm.model.awaiting import is_async
from idstorm.model.tables import make_tables, own_pairs
from idstorm.model.work import Work, work_of
from idstorm.record import store
from idstorm.record.census import Census
from idstorm.record.keyed import Keyed
from idstorm.record.plan import Plan
from idstorm.record.tape import Tape
from idstorm.redaction import redact
from idstorm.scenario import Scenario
from idstorm.storm.assignment import Assignment
from idstorm.storm.client import Client
from idstorm.storm.concurrency import Tasks, Threads
from idstorm.storm.control import Control
from idstorm.storm.engine import as_user_error, connection_options_of, open_engine, opening, place_for
from idstorm.storm.hearing import listen, opened
from idstorm.storm.loops import entered, in_loop, where_it_may_wait

_SERVED = 113  # the status of a fork that has answered: the work itself may end one with any other, 0 among them
_DISK_FULL = (errno.ENOSPC, errno.EDQUOT)

Say = Callable[[dict[str, Any]], None]


def main() -> None:
    """Serve the storms that stdin assigns."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent gets it, and tells us
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    lines = _lines()

    def say(answer: dict[str, Any]) -> None:
        answers.write(json.dumps(answer) + "\n")

    gc.freeze()  # what is loaded by now is shared with every fork, and never garbage
    for line in lines:
        if not line.startswith("{"):  # meant for a storm that had just ended
            continue
        if os.fork() == 0:
            _serve(Assignment.of_line(line), lines, say)
            sys.stderr.flush()
            os._exit(_SERVED)  # without waiting for threads that the application has left
        _, status = os.wait()
        if os.WIFSIGNALED(status):
            os.kill(os.getpid(), os.WTERMSIG(status))  # end as the fork did, so that the parent can report it
        if (code := os.waitstatus_to_exitcode(status)) != _SERVED:
            sys.exit(code)
        say({"free": True})


def _serve(assignment: Assignment, lines: Iterator[str], say: Say) -> None:
    """Take part in one storm."""
    secrets, fatal, done = secrets_of(sa.make_url(assignment.url)), list[BaseException](), dict[str, Any]()
    control = Control()
    threading.Thread(target=_listen, args=(lines, control), daemon=True).start()
    listen()  # before the scenario is loaded, since it may make its own engines
    try:
        assignment.take_up()
        done = _storm(assignment, control, secrets, fatal, say)
    except Exception as error:
        fatal.append(error)
    if fatal:
        say({"fatal": redact(_show(fatal[0]), secrets), "environment": _is_environments(fatal[0], assignment)})
    else:
        say({"done": True, **done})


def _storm(
    assignment: Assignment, control: Control, secrets: tuple[str, ...], fatal: list[BaseException], say: Say
) -> dict[str, Any]:
    """Storm with the clients of this worker. Returns the contents of its last answer, apart from `done`."""
    plan = assignment.plan
    catalogue.put_first(*plan.path)
    (found,) = catalogue.find(plan.reference)
    database, scenario, url = DATABASES[plan.target.dialect], found.scenario, sa.make_url(assignment.url)
    work = work_of(scenario)
    engine = open_engine(scenario, database, url, connection_options_of(plan))
    by_tasks = is_async(scenario.client) or (scenario.client is None and engine.dialect.is_async)
    control.concurrency = Tasks() if by_tasks else Threads()
    here = partial(_storm_on, engine, scenario, work, assignment, control, secrets, fatal, say)
    return in_loop(here) if by_tasks else where_it_may_wait(engine, here)


def _storm_on(
    engine: sa.Engine,
    scenario: Scenario,
    work: Work,
    assignment: Assignment,
    control: Control,
    secrets: tuple[str, ...],
    fatal: list[BaseException],
    say: Say,
) -> dict[str, Any]:
    """Storm with an engine, where its driver can wait, if it is one that does."""
    plan, url, folder = assignment.plan, sa.make_url(assignment.url), Path(assignment.folder)
    database = DATABASES[plan.target.dialect]
    try:
        if scenario.local:
            make_tables(scenario, work, engine, partial(as_user_error, database, url), "in the worker")
            _write_census(folder, "before", plan, work, engine)
        elif (
            work.rows is not None and work.rows.parents.tables
        ):  # skipped if not needed, since one more connection may be one too many
            with engine.connect() as connection:
                work.rows.find_parents(connection)
        open_, tapes = opening(scenario, engine), folder / "tapes"
        clients = [
            Client(
                plan,
                number,
                work,
                database,
                open_,
                Tape(tapes, number, plan.fleet.batch, Keyed.of(plan.ids.codec, scenario.key), plan.tokens.base),
                control,
                secrets,
            )
            for number in plan.fleet.of_worker(assignment.worker)
        ]
        control.clients = len(clients)
        control.on_entered = lambda: say({"entered": True})
        control.on_left = lambda: say({"left": True})
        if plan.interlude:
            control.on_still = lambda: say({"paused": True})
        place = place_for(scenario.client, database, url, plan.target)

        def inserter() -> AbstractContextManager[Any]:
            return nullcontext() if scenario.client is None else entered(scenario.client(place, assignment.environment))

        if scenario.client is None:  # let all clients connect, so that the pool is full before the storm begins
            control.concurrency.run([client.warm_up for client in clients])
        bodies = [partial(_body, client, inserter, control, fatal) for client in clients]
        control.concurrency.run(bodies, lambda: say({"ready": True}))
        unreadable = _take_census(folder, plan, work, engine) if scenario.local and not fatal else None
    finally:
        engine.dispose()  # a remaining session would keep the census waiting
    full = [client.full for client in clients if client.full is not None]
    return {
        "full": len(full),
        "full_because": next((error.strerror for error in full if error.errno not in _DISK_FULL), None),
        "census": unreadable and redact(unreadable, secrets),
        "connections": opened(),
    }


def _take_census(folder: Path, plan: Plan, work: Work, engine: sa.Engine) -> str | None:
    """Take the census of a database that lives in this process. Returns why it could not be read, or None."""
    try:
        _write_census(folder, "census", plan, work, engine)
    except Exception as error:
        return f"the census could not be read: {getattr(error, 'orig', None) or error}"
    return None


def _write_census(folder: Path, name: str, plan: Plan, work: Work, engine: sa.Engine) -> None:
    pairs = own_pairs(work, engine)
    if pairs or name == "census":
        store.write_census(folder, name, Census.of(Keyed.of(plan.ids.codec, work.key), pairs), plan.stamp)


def _body(
    client: Client,
    inserter: Callable[[], AbstractContextManager[Any]],
    control: Control,
    fatal: list[BaseException],
) -> None:
    try:
        with inserter() as own, control.at_work():
            client.run(own)
    except BaseException as error:
        fatal.append(error)
        control.stop()
    finally:
        control.stand()  # a client that has ended is not waited for


def _show(error: BaseException) -> str:
    return str(error) if isinstance(error, IdstormError) else show_users_error(error)


def _is_environments(error: BaseException, assignment: Assignment) -> bool:
    """Return whether the environment is to blame: a server that can no longer be reached, a full disk."""
    if isinstance(error, IdstormError | ConnectionError):
        return not isinstance(error, UsageError)
    code = DATABASES[assignment.plan.target.dialect].classify(error)
    return code.environment or code.lost


def _lines() -> Iterator[str]:
    """Yield the lines of stdin, read without Python's buffer, whose lock would be held at the interpreter's exit."""
    rest = b""
    while piece := os.read(0, 1 << 16):
        *whole, rest = (rest + piece).split(b"\n")
        yield from (line.decode() for line in whole)


def _listen(lines: Iterator[str], control: Control) -> None:
    for line in lines:
        match line.split():
            case ["start", moment]:
                control.start = int(moment)
                control.started.set()
            case ["resume"]:
                control.resumed.set()
            case ["stop"]:
                control.stop()
    os._exit(1)  # the pipe's other end is gone: idstorm itself was killed


if __name__ == "__main__":
    main()

"""One worker: a fresh interpreter with one engine, one pool and its client threads.

It is started as ``python -m idstorm.storm.worker`` and spoken to in lines.

    stdin    first its orders as JSON, then ``start NANOSECONDS``, then perhaps ``stop``. Its end means that idstorm is
             gone: the worker ends at once.
    stdout   JSON, a line each: ``{"ready": true}``, then ``{"done": true, "full": N}``; or ``{"fatal": "…"}``

What the user's own code prints goes to stderr.
"""

from __future__ import annotations

import json
import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from idstorm import catalogue
from idstorm.databases.targets import DATABASES
from idstorm.databases.urls import secrets_of
from idstorm.errors import IdstormError, redact, show_users_error
from idstorm.record.plan import Plan
from idstorm.record.tape import Tape
from idstorm.storm.client import Client, Control, listen
from idstorm.storm.engine import manner_of, open_engine
from idstorm.storm.work import work_of


def main() -> None:
    """Do what stdin says."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent is told, and tells us
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    lines = _lines()
    orders = json.loads(next(lines))
    secrets = secrets_of(sa.make_url(orders["url"]))
    control, fatal = Control(), list[str]()
    threading.Thread(target=_listen, args=(lines, control), daemon=True).start()
    try:
        plan = Plan.from_json(orders["plan"])
        clients = _clients(plan, orders, control, secrets)
        threads = [threading.Thread(target=_body, args=(client, control, fatal), daemon=True) for client in clients]
        _warm_up(clients)
        for thread in threads:
            thread.start()
        answers.write('{"ready": true}\n')
        for thread in threads:
            thread.join()
    except Exception as error:
        fatal.append(_show(error))
    if fatal:
        answers.write(json.dumps({"fatal": redact(fatal[0], secrets)}) + "\n")
        return
    answers.write(json.dumps({"done": True, "full": sum(client.full for client in clients)}) + "\n")


def _clients(plan: Plan, orders: dict[str, Any], control: Control, secrets: tuple[str, ...]) -> list[Client]:
    catalogue.put_first(plan.path)
    (found,) = catalogue.find(plan.reference)
    database, scenario = DATABASES[plan.target.dialect], found.scenario
    engine = open_engine(scenario, database, sa.make_url(orders["url"]), manner_of(plan))
    factory, folder = scenario.session or Session, Path(orders["tapes"])
    work = work_of(scenario)
    listen(engine)
    return [
        Client(
            plan,
            number,
            work,
            database,
            lambda: factory(engine),
            Tape(folder, number, plan.fleet.batch, plan.ids.codec),
            control,
            secrets,
        )
        for number in plan.fleet.of_worker(orders["worker"])
    ]


def _warm_up(clients: list[Client]) -> None:
    """Let all clients connect at once, so that the pool is full before the storm begins."""
    threads = [threading.Thread(target=client.warm_up, daemon=True) for client in clients]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _body(client: Client, control: Control, fatal: list[str]) -> None:
    try:
        client.run()
    except BaseException as error:
        fatal.append(_show(error))
        control.stopping = True


def _show(error: BaseException) -> str:
    return str(error) if isinstance(error, IdstormError) else show_users_error(error)


def _lines() -> Iterator[str]:
    """Yield the lines of stdin, read without Python's buffer: its lock would be held at the interpreter's end."""
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
            case ["stop"]:
                control.stopping = True
                control.started.set()
    os._exit(1)  # the pipe has no other end any more: idstorm itself was killed


if __name__ == "__main__":
    main()

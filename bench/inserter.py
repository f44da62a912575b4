"""One process of client threads that insert: idstorm's own clients, or a bare loop over the same API.

Started as `python -m bench.inserter idstorm|bare NUMBER`. The first line of stdin is a URL, each other an order,
a `Round` as JSON; the answer, a line of JSON each, is what the inserts alone took: engine, connections, threads and
clients are made before. Both kinds have the same model, engine, pool, pragmas and number of threads; what
differs is the loop.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path
from time import monotonic_ns, perf_counter, process_time
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from bench.plans import plan_of
from idstorm import catalogue
from idstorm.databases.base import Database
from idstorm.databases.registry import DATABASES
from idstorm.model.work import work_of
from idstorm.record.keys import Codec
from idstorm.record.plan import Fleet, Generator, Plan, Pool
from idstorm.record.tape import Tape
from idstorm.scenario import Scenario
from idstorm.storm.client import Client
from idstorm.storm.control import Control
from idstorm.storm.engine import ConnectionOptions, open_engine
from idstorm.storm.hearing import listen

MODEL: Any = catalogue.find("autoincrement")[0].scenario.model

Insert = Callable[[Session, int], int]


@dataclass(frozen=True)
class Round:
    """What the processes of a fleet are to insert together."""

    work: str  #: orm or core
    tapes: str
    processes: int
    clients: int
    inserts: int

    @property
    def fleet(self) -> Fleet:
        """The same in idstorm's words."""
        return Fleet(self.processes, self.clients, inserts=self.inserts)


def orm_insert(session: Session, token: int) -> int:
    """Insert one mapped object, and return its id."""
    row = MODEL(token=token)
    session.add(row)
    session.flush()
    return int(row.id)


def core_insert(session: Session, token: int) -> int:
    """Insert one row by a Core statement, and return its id."""
    result: Any = session.execute(sa.insert(MODEL.__table__), {"token": token})
    return int(result.inserted_primary_key[0])


INSERTS: dict[str, Insert] = {"orm": orm_insert, "core": core_insert}

SCENARIOS = {
    "orm": Scenario(MODEL),
    "core": Scenario(MODEL, insert=lambda session, tokens: [core_insert(session, token) for token in tokens]),
}


def clients_of(order: Round, plan: Plan, number: int, engine: sa.Engine, control: Control) -> list[Client]:
    """Return idstorm's own clients, as its worker makes them."""
    work = work_of(SCENARIOS[order.work])
    return [
        Client(
            plan,
            client,
            work,
            _database(engine.url),
            lambda: Session(engine),
            Tape(Path(order.tapes), client, plan.fleet.batch, plan.ids.codec, plan.tokens.base),
            control,
            (),
        )
        for client in plan.fleet.of_worker(number)
    ]


def tokens_of(plan: Plan, number: int) -> list[range]:
    """Return the tokens that each client of a process uses up."""
    firsts = {client: plan.tokens.first(client) for client in plan.fleet.of_worker(number)}
    return [range(first, first + (plan.fleet.inserts_of(client) or 0)) for client, first in firsts.items()]


def insert_all(insert: Insert, tokens: range, engine: sa.Engine, control: Control) -> None:
    """Insert a row for each of these tokens: the bare loop."""
    control.started.wait()
    for token in tokens:
        with Session(engine) as session:
            insert(session, token)
            session.commit()


def run(kind: str, number: int, engine: sa.Engine, order: Round) -> dict[str, float]:
    """Insert as ordered. Returns how many rows came to be, and the seconds of CPU and of wall time."""
    control, fleet = Control(), order.fleet
    plan = plan_of(fleet, Pool(len(fleet.of_worker(number))), codec=Codec("int64"), generator=Generator())
    if kind == "idstorm":
        bodies = [client.run for client in clients_of(order, plan, number, engine, control)]
    else:
        bodies = [
            partial(insert_all, INSERTS[order.work], tokens, engine, control) for tokens in tokens_of(plan, number)
        ]
    with ThreadPoolExecutor(len(bodies)) as threads:
        running = [threads.submit(body) for body in bodies]
        rows = _rows(engine)
        control.start = monotonic_ns()
        cpu, wall = process_time(), perf_counter()
        control.started.set()
        for one in running:
            one.result()
        cpu, wall = process_time() - cpu, perf_counter() - wall
    return {"cpu": cpu, "wall": wall, "rows": _rows(engine) - rows}


def _rows(engine: sa.Engine) -> int:
    with engine.connect() as connection:
        return connection.scalar(sa.select(sa.func.count()).select_from(MODEL)) or 0


def _database(url: sa.URL) -> Database:
    return DATABASES[url.get_backend_name()]


def main(kind: str, number: int) -> None:
    """Do what stdin says."""
    url = sa.make_url(sys.stdin.readline().strip())
    orders = (Round(**json.loads(line)) for line in sys.stdin)
    first = next(orders)  # a warm-up: it fills the pool and SQLAlchemy's caches, and is answered like the others
    connection_options = ConnectionOptions(Pool(len(first.fleet.of_worker(number))), None, {})
    if kind == "idstorm":
        listen()
    engine = open_engine(SCENARIOS[first.work], _database(url), url, connection_options)
    MODEL.metadata.create_all(engine)
    for order in chain([first], orders):
        print(json.dumps(run(kind, number, engine, order)), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))

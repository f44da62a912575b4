"""One schedule from beginning to end: the tables as after `setup`, the clients stepped, what came of it judged.

The clients are those of a storm, with their tapes, and the census is read back as after a storm: what is judged is an
ordinary history. It happens in a process of its own, in which no connection and no thread existed before.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from idstorm.databases.base import Database
from idstorm.databases.rows import read_pairs
from idstorm.databases.urls import secrets_of
from idstorm.explore.conductor import Conductor
from idstorm.explore.schedules import Choice
from idstorm.explore.script import Words, making, program
from idstorm.findings.finding import Finding
from idstorm.findings.results import Status
from idstorm.judge.evidence import Evidence
from idstorm.judge.judge import find
from idstorm.judge.own import checks_of
from idstorm.model.work import Work
from idstorm.record import store
from idstorm.record.census import Census
from idstorm.record.ending import CensusQuality, ClientsEnd, Ending
from idstorm.record.keyed import Keyed
from idstorm.record.load_history import read_tapes
from idstorm.record.plan import Plan
from idstorm.record.poll_log import read_reading
from idstorm.record.tape import Tape
from idstorm.scenario import Scenario
from idstorm.storm.client import Client
from idstorm.storm.control import Control
from idstorm.storm.engine import connection_options_of, open_engine, opening
from idstorm.storm.reader import Reader

PROGRAM = "witness.py"
"""What the file beside the tapes of a schedule is called, which takes its steps by the driver alone."""

POLLS = 2
"""Polls of a reader within a schedule, before the last one after it: a row may come in between."""


@dataclass(frozen=True)
class Played:
    """What came of one schedule."""

    choices: tuple[Choice, ...]
    moves: tuple[tuple[int, str, str], ...]  #: client, step, and what came of it
    findings: dict[str, Finding]
    elsewhere: str | None  #: what a client waited for that is no lock of the database's
    told: tuple[str, ...]  #: what became of each client, in words

    @property
    def broken(self) -> list[str]:
        """The checks that it broke."""
        return [name for name, finding in self.findings.items() if finding.status is Status.BROKEN]


@dataclass(frozen=True)
class Ready:
    """The connections of one schedule."""

    own: sa.Connection  #: idstorm's
    engine: sa.Engine  #: the clients'


@dataclass(frozen=True)
class Stage:
    """Where schedules are played, and what is done there."""

    plan: Plan
    scenario: Scenario
    work: Work
    database: Database
    url: sa.URL
    state: Any  #: of the tables, as `keep_state` returned it
    before: Census | None = None  #: the rows that `setup` made
    show_values: bool = False  #: programs show all values of statements

    @contextmanager
    def ready(self) -> Iterator[Ready]:
        """Open all connections that a schedule takes."""
        with ExitStack() as stack:
            own = stack.enter_context(self.database.working_in(self.url))
            engine = open_engine(self.scenario, self.database, self.url, connection_options_of(self.plan))
            stack.callback(engine.dispose)
            for connection in [engine.connect() for _ in range(self.plan.pool.size)]:
                connection.close()
            yield Ready(own, engine)

    def play(self, ready: Ready, first: Sequence[int], folder: Path) -> Played:
        """Play the schedule that begins with these clients' steps, with its tapes in a folder that does not exist.

        Where a check is broken, the folder stays, and is that of a finished storm.
        """
        own = ready.own
        self.database.restore_state(own, self.state)
        rows = self._rows(own)
        (folder / "tapes").mkdir(parents=True)
        bodies: list[Callable[[], None]] = [client.run for client in self._clients(ready.engine, folder / "tapes")]
        reader = None
        if self.plan.reader:
            reader = Reader(self.scenario, self.work, self.database, self.url, self.plan, folder)
            reader.warm_up()
            bodies.append(partial(_poll, reader))
        waits = partial(self.database.waiting, own)
        conductor = Conductor(self.database, bodies, waits, reader=reader is not None)
        conductor.run(first)
        if reader is not None:
            reader.poll(final=True)
            reader.close()
        pairs = read_pairs(own, self.work.ids, self.work.token, self.work.present, stream=False)
        census = Census.of(Keyed.of(self.plan.ids.codec, self.work.key), pairs)
        played = self._judged(conductor, census, folder)
        if not played.broken:
            shutil.rmtree(folder)
        elif not callable(self.scenario.reader):  # whose code may do more than send statements
            (folder / PROGRAM).write_text(self._program(own, played.broken, conductor, rows))
        return played

    def _clients(self, engine: sa.Engine, tapes: Path) -> list[Client]:
        """Return the clients of a storm, to which nothing has happened yet."""
        plan, control, open_ = self.plan, Control(), opening(self.scenario, engine)
        control.start = 1
        control.started.set()
        codec, secrets = Keyed.of(plan.ids.codec, self.scenario.key), secrets_of(self.url)
        return [
            Client(
                plan,
                number,
                self.work,
                self.database,
                open_,
                Tape(tapes, number, plan.fleet.batch, codec, plan.tokens.base),
                control,
                secrets,
            )
            for number in range(plan.fleet.clients)
        ]

    def _tables(self) -> list[sa.Table]:
        wanted = self.work.tables or tuple(self.scenario.metadata.tables.values())
        return [table for table in self.scenario.metadata.sorted_tables if table in wanted]

    def _rows(self, own: sa.Connection) -> list[tuple[Any, ...]]:
        """Return the statements that insert the rows which are there, with their values, as the driver has them."""
        quote, statements = own.dialect.identifier_preparer.quote, []
        mark = "?" if own.dialect.paramstyle == "qmark" else "%s"
        for table in self._tables():
            columns = [quote(column.name) for column in table.columns if column.computed is None]
            listed, name = ", ".join(columns), quote(table.name)
            into = f"INSERT INTO {name} ({listed}) VALUES ({', '.join([mark] * len(columns))})"
            statements += [(into, tuple(row)) for row in own.exec_driver_sql(f"SELECT {listed} FROM {name}")]
        return statements

    def _program(
        self, own: sa.Connection, broken: Sequence[str], conductor: Conductor, rows: Sequence[tuple[Any, ...]]
    ) -> str:
        plan, quote = self.plan, own.dialect.identifier_preparer.quote
        ids, table = [quote(column.name) for column in self.work.ids], quote(str(self.work.ids[0].table.name))
        return program(
            f"{plan.scenario} on {plan.target.dialect}: {', '.join(broken)} broken",
            self.database.standalone(plan.isolation),
            making(self._tables(), own.dialect),
            rows,
            conductor.moves,
            plan.fleet.clients + plan.reader,
            ids,
            table,
            [tuple(row) for row in own.exec_driver_sql(f"SELECT {', '.join(ids)} FROM {table}")],
            unique="unique" in broken,
            words=Words(show=self.show_values),
        )

    def _judged(self, conductor: Conductor, census: Census, folder: Path) -> Played:
        plan, tapes = self.plan, folder / "tapes"
        history = read_tapes(tapes, plan, plan.stamp)
        counted = tuple((history.op_offsets[1:] - history.op_offsets[:-1]).tolist())
        there = 0 if self.before is None else len(self.before)
        ending = Ending(clients=ClientsEnd(operations=counted), census=CensusQuality(before=there))
        evidence = Evidence(plan, history, census, self.before, read_reading(folder, plan.stamp), ending)
        findings = {check.name: find(check, evidence) for check in checks_of(plan.claims)}
        if any(finding.status is Status.BROKEN for finding in findings.values()):
            store.write_census(folder, "census", census, plan.stamp)
            if self.before is not None:
                store.write_census(folder, "before", self.before, plan.stamp)
            store.write_ending(folder, ending, plan.stamp)
        return Played(
            tuple(conductor.choices),
            tuple((move.client, move.step, move.answer) for move in conductor.moves),
            findings,
            conductor.elsewhere,
            tuple(_told(evidence, client) for client in range(plan.fleet.clients)),
        )


def _poll(reader: Reader) -> None:
    for _ in range(POLLS):
        reader.poll()


def _told(evidence: Evidence, client: int) -> str:
    """Return what a client was told of its rows, and how its operations ended."""
    history = evidence.history
    rows = range(int(history.row_offsets[client]), int(history.row_offsets[client + 1]))
    described = [evidence.describe(row) for row in rows]
    said = [f"id {one['id']}, {one['outcome']}" if one["id"] is not None else str(one["outcome"]) for one in described]
    operations = slice(int(history.op_offsets[client]), int(history.op_offsets[client + 1]))
    errors = {history.codes[code - 1].name for code in history.code[operations].tolist() if code}
    return "; ".join([*said, *sorted(errors)])

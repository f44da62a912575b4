"""One schedule from beginning to end: the tables as after `setup`, the clients stepped, what came of it judged.

The clients are those of a storm, with their tapes, and the census is read back as after a storm: what is judged is an
ordinary history. It happens in a process of its own, in which no connection and no thread existed before.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from hashlib import blake2b
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from idstorm.databases.base import Database
from idstorm.databases.rows import read_pairs, read_token
from idstorm.databases.urls import secrets_of
from idstorm.explore.conductor import Conductor
from idstorm.explore.runtime import LoopRuntime, Runtime, Stuck, ThreadRuntime
from idstorm.explore.schedules import Priorities
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
from idstorm.record.outcome import Outcome
from idstorm.record.plan import Plan
from idstorm.record.poll_log import Reading, read_reading
from idstorm.record.tape import Tape
from idstorm.scenario import Scenario
from idstorm.storm.client import Client
from idstorm.storm.concurrency import Tasks
from idstorm.storm.control import Control
from idstorm.storm.engine import opening
from idstorm.storm.reader import Reader

PROGRAM = "witness.py"
"""What the file beside the tapes of a schedule is called, which takes its steps by the driver alone."""

_DISPOSE_WITHIN = 3.0  # seconds: a loop that is blocked never comes to it

POLLS = 2
"""Polls of a reader within a schedule, before the last one after it: a row may come in between."""


@dataclass(frozen=True)
class Played:
    """What came of one schedule."""

    moves: tuple[tuple[int, str, str], ...]  #: client, step, and what came of it
    findings: dict[str, Finding]
    doubt: str | None  #: why it does not count as one that was stepped through, in words
    told: tuple[str, ...]  #: what became of each client, in words
    raced: tuple[str, ...]  #: the errors by which the database itself ended operations, because of others
    ok: tuple[int, ...]  #: the clients of which an operation was acknowledged

    @property
    def broken(self) -> list[str]:
        """The checks that it broke."""
        return [name for name, finding in self.findings.items() if finding.status is Status.BROKEN]


@dataclass(frozen=True)
class Ran:
    """A schedule that has been played, and is not judged yet."""

    conductor: Conductor
    census: Census
    left: list[tuple[Any, ...]]  #: the ids that the table holds, as the driver has them


@dataclass(frozen=True)
class Stage:
    """Where schedules are played, and what is done there."""

    plan: Plan
    scenario: Scenario
    work: Work
    database: Database
    url: sa.URL
    own: sa.Engine  #: idstorm's, and …
    engine: sa.Engine  #: … the clients': both have connected once, and have no connection now
    state: Any  #: of the tables, as `keep_state` returned it
    rows: Sequence[tuple[Any, ...]]  #: what inserts the rows that `setup` made, for a program
    before: Census | None = None  #: those rows
    show_values: bool = False  #: programs show all values of statements

    @contextmanager
    def ready(self) -> Iterator[tuple[sa.Connection, Runtime]]:
        """Open all connections that a schedule takes, and yield idstorm's own, and what clients will run in."""
        with ExitStack() as stack:
            own = stack.enter_context(self.own.connect())
            runtime: Runtime = LoopRuntime() if self.engine.dialect.is_async else ThreadRuntime()
            stack.callback(self._dispose, runtime)  # what else is in it ends with this process, which ends at once
            runtime.call(self._connect)
            yield own, runtime

    def _dispose(self, runtime: Runtime) -> None:
        with suppress(Stuck):
            runtime.call(self.engine.dispose, within=_DISPOSE_WITHIN)

    def _connect(self) -> None:
        for connection in [self.engine.connect() for _ in range(self.plan.pool.size)]:
            connection.close()

    def play(
        self, own: sa.Connection, runtime: Runtime, first: Sequence[int], priorities: Priorities | None, folder: Path
    ) -> Ran:
        """Play a schedule, as `Conductor.run` does, with its tapes in a folder that does not exist."""
        self.database.restore_state(own, self.state)
        (folder / "tapes").mkdir(parents=True)
        bodies: list[Callable[[], None]] = [client.run for client in self._clients(folder / "tapes")]
        reader = None
        if self.plan.reader:
            reader = Reader(self.scenario, self.work, self.database, self.url, self.plan, folder)
            runtime.call(reader.warm_up)
            bodies.append(partial(_poll, reader))
        waits = partial(self.database.waiting, own)
        conductor = Conductor(self.database, bodies, waits, runtime=runtime, reader=reader is not None)
        try:
            conductor.run(first, priorities)
        except Stuck:
            for session in conductor.sessions:  # or it would keep its locks
                with suppress(sa.exc.SQLAlchemyError):
                    self.database.end_session(own, session)
            raise
        if reader is not None:
            runtime.call(partial(reader.poll, final=True))
            runtime.call(reader.close)
        pairs = read_pairs(own, self.work.ids, self.work.token, self.work.present, stream=False)
        ids, table = self._names()
        left = [tuple(row) for row in own.exec_driver_sql(f"SELECT {', '.join(ids)} FROM {table}")]
        return Ran(conductor, Census.of(Keyed.of(self.plan.ids.codec, self.work.key), pairs), left)

    def judge(self, ran: Ran, folder: Path, wanted: Collection[str]) -> Played:
        """Judge a schedule. The folder stays if it has broken one of the wanted checks, as that of a finished storm."""
        plan, history = self.plan, read_tapes(folder / "tapes", self.plan, self.plan.stamp)
        counted = tuple((history.op_offsets[1:] - history.op_offsets[:-1]).tolist())
        there = 0 if self.before is None else len(self.before)
        ending = Ending(clients=ClientsEnd(operations=counted), census=CensusQuality(before=there))
        reading = read_reading(folder, plan.stamp)
        evidence = Evidence(plan, history, ran.census, self.before, reading, ending)
        played = Played(
            tuple((move.client, move.step, move.answer) for move in ran.conductor.moves),
            {check.name: _without_threshold(find(check, evidence), reading) for check in checks_of(plan.claims)},
            ran.conductor.doubt,
            tuple(_told(evidence, client) for client in range(plan.fleet.clients)),
            tuple(sorted({code.name for code in history.codes if code.raced})),
            tuple(client for client in range(plan.fleet.clients) if _is_ok(evidence, client)),
        )
        if set(played.broken) & set(wanted):
            store.write_census(folder, "census", ran.census, plan.stamp)
            if self.before is not None:
                store.write_census(folder, "before", self.before, plan.stamp)
            store.write_ending(folder, ending, plan.stamp)
            if not callable(self.scenario.reader) and self.scenario.tables is None:  # a program has no code of theirs
                (folder / PROGRAM).write_text(self._program(played.broken, ran))
        else:
            shutil.rmtree(folder)
        return played

    def _clients(self, tapes: Path) -> list[Client]:
        """Return the clients of a storm, to which nothing has happened yet."""
        plan, control, open_ = self.plan, Control(), opening(self.scenario, self.engine)
        control.start = 1
        if self.engine.dialect.is_async:
            control.concurrency = Tasks()
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

    def sent(self, ran: Ran) -> list[str]:
        """Return a digest of what each client has sent, in which its own tokens are numbered from 0."""
        tokens, span = self.plan.tokens, self.plan.tokens.span

        def plain(client: int, value: Any) -> Any:
            if isinstance(value, Mapping):
                return {key: plain(client, one) for key, one in value.items()}
            if isinstance(value, list | tuple):
                return [plain(client, one) for one in value]
            number = read_token(value) if isinstance(value, int | str) else None
            mine = number is not None and 0 <= number - tokens.first(client) < span
            return ("token", number - tokens.first(client)) if mine and number is not None else value

        digests = [blake2b(digest_size=16) for _ in range(self.plan.fleet.clients)]
        for move in ran.conductor.moves:
            if move.step and move.client < len(digests):
                said = None if move.sent is None else (move.sent[0], plain(move.client, move.sent[1]))
                digests[move.client].update(repr((move.step, said)).encode())
        return [digest.hexdigest() for digest in digests]

    def _names(self) -> tuple[list[str], str]:
        """Return the columns of the id and their table, as SQL has them."""
        quote = self.own.dialect.identifier_preparer.quote
        return [quote(column.name) for column in self.work.ids], quote(str(self.work.ids[0].table.name))

    def _program(self, broken: Sequence[str], ran: Ran) -> str:
        plan, (ids, table) = self.plan, self._names()
        return program(
            f"{plan.scenario} on {plan.target.dialect}: {', '.join(broken)} broken",
            self.database.standalone(plan.isolation),
            making(tables_of(self.scenario, self.work), self.own.dialect),
            [*self.rows, *((one,) for one in self.database.generators(self.state))],
            ran.conductor.moves,
            plan.fleet.clients + plan.reader,
            ids,
            table,
            ran.left,
            broken=broken,
            words=Words(show=self.show_values),
        )


def tables_of(scenario: Scenario, work: Work) -> list[sa.Table]:
    """Return the tables that are made for a scenario, in an order in which rows can be inserted."""
    wanted = work.tables or tuple(scenario.metadata.tables.values())
    return [table for table in scenario.metadata.sorted_tables if table in wanted]


def rows_of(connection: sa.Connection, tables: Sequence[sa.Table]) -> list[tuple[Any, ...]]:
    """Return the statements that insert the rows which are there, each with its values as the driver has them."""
    quote, statements = connection.dialect.identifier_preparer.quote, list[tuple[Any, ...]]()
    mark = "?" if connection.dialect.paramstyle == "qmark" else "%s"
    for table in tables:
        columns = [quote(column.name) for column in table.columns if column.computed is None]
        listed, name = ", ".join(columns), quote(table.name)
        into = f"INSERT INTO {name} ({listed}) VALUES ({', '.join([mark] * len(columns))})"
        statements += [(into, tuple(row)) for row in connection.exec_driver_sql(f"SELECT {listed} FROM {name}")]
    return statements


def _poll(reader: Reader) -> None:
    for _ in range(POLLS):
        reader.poll()


def _without_threshold(finding: Finding, reading: Reading | None) -> Finding:
    """Return that a reader misses nothing, where all that is wanting is a number of polls that found something new."""
    few = finding.status is Status.UNKNOWN and "advanced" in finding.figures
    return Finding(Status.HELD) if few and reading is not None and reading.complete else finding


def _is_ok(evidence: Evidence, client: int) -> bool:
    history = evidence.history
    operations = slice(int(history.op_offsets[client]), int(history.op_offsets[client + 1]))
    return bool((history.outcome[operations] == Outcome.OK).any())


def _told(evidence: Evidence, client: int) -> str:
    """Return what a client was told of its rows, and how its operations ended."""
    history = evidence.history
    rows = range(int(history.row_offsets[client]), int(history.row_offsets[client + 1]))
    described = [evidence.describe(row) for row in rows]
    said = [f"id {one['id']}, {one['outcome']}" if one["id"] is not None else str(one["outcome"]) for one in described]
    operations = slice(int(history.op_offsets[client]), int(history.op_offsets[client + 1]))
    errors = {history.codes[code - 1].name for code in history.code[operations].tolist() if code}
    return "; ".join([*said, *sorted(errors)])

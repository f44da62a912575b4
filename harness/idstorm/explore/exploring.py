"""One exploration from beginning to end: rehearse, plan, play schedule after schedule, write down what they come to."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path
from random import Random
from time import monotonic
from typing import Any

import sqlalchemy as sa

from idstorm.databases.base import Database
from idstorm.databases.registry import DATABASES
from idstorm.databases.targets import Address
from idstorm.databases.urls import reaching
from idstorm.errors import EnvironmentFault, ScenarioError, UsageError
from idstorm.explore.conductor import Stuck
from idstorm.explore.playing import Played
from idstorm.explore.process import choices_of_line, played_of_line
from idstorm.explore.schedules import Choice, Prefix, Search, preemptions
from idstorm.explore.script import NAMES
from idstorm.findings.results import Stance, Status, StormState
from idstorm.model.awaiting import is_async
from idstorm.model.work import work_of
from idstorm.record import store
from idstorm.record.ending import Ending
from idstorm.record.explored import Broken, Explored, Seen, write_explored
from idstorm.record.plan import Claim, Fleet, Plan, Tokens
from idstorm.scenario import Scenario
from idstorm.scenario.claims import resolve_claims
from idstorm.storm.applicability import NotApplicable
from idstorm.storm.assignment import Assignment
from idstorm.storm.beforehand import look_around
from idstorm.storm.lifecycle import prepare, rehearse_apart, written_down
from idstorm.storm.reader import why_none
from idstorm.storm.scheduled import ScheduledStorm
from idstorm.storm.stop import StopSignal

JUDGED = ("unique", "single_use", "accepted", "durable", "faithful", "ordered", "visible")
"""What a schedule can settle. The others are about evidence, or about generators, which interleavings do not change."""

_HALF = 0.5
_TRIGGERS = "what a trigger does is one step with the statement that fires it: storm it as well"
_ALL_STEPS = 500  # more than any client takes
_TOKENS = Tokens(base=720_720 << 32, span=720_720 << 12)
"""The same each time, and alike by any divisor up to 16: work that chooses a tenant by its token takes one for all."""
_END_WITHIN = 10.0  # seconds for the process of the schedules to end by itself

Show = Callable[[str, int, int], None]
"""Shows progress: the exploration, and how many schedules were tried, and are known and still to be tried."""


def named(*clients: int) -> str:
    """Return the steps of a schedule, a letter each."""
    return "".join(NAMES[client] for client in clients)


@dataclass(frozen=True)
class Bounds:
    """How far to go. None: no bound of the user's."""

    operations: int | None = None  #: of each client; None: one, or three where some of them delete
    preemptions: int | None = None
    schedules: int | None = None
    seconds: float | None = None
    replay: tuple[int, ...] | None = None  #: only the schedule that begins with these clients' steps
    show_values: bool = False  #: programs show all values of statements

    DEFAULT_SCHEDULES, DEFAULT_SECONDS = 5_000, 60.0

    @property
    def words(self) -> tuple[str, ...]:
        """The words of a command line that give these bounds."""
        given = {
            "--operations": self.operations,
            "--max-preemptions": self.preemptions,
            "--max-schedules": self.schedules,
            "--max-time": None if self.seconds is None else f"{self.seconds:g}s",
            "--replay": None if self.replay is None else named(*self.replay),
        }
        return tuple(word for name, value in given.items() if value is not None for word in (name, str(value)))

    @property
    def asked(self) -> tuple[str, ...]:
        """The bounds that the user named, in words."""
        return () if self.preemptions is None else (f"up to {self.preemptions} preemptions",)


def explore(scheduled: ScheduledStorm, bounds: Bounds, run: store.Run, show: Show, stop: StopSignal) -> None:
    """Explore a scenario on a target, and record in the run's folder what its schedules come to."""

    def body(scheduled: ScheduledStorm, folder: Path, known: list[Ending]) -> Ending:
        return _explore(scheduled, bounds, run, folder, show, stop)

    written_down(scheduled, run, body)


def check_explorable(scheduled: ScheduledStorm) -> None:
    """Raise UsageError for a target on which nothing can be stepped."""
    if why := _unsteppable(scheduled.address):
        raise UsageError(why)


def why_not(scheduled: ScheduledStorm) -> str | None:
    """Return why a scenario cannot be explored on a target; None: it can."""
    return _unsteppable(scheduled.address) or _unexplorable(scheduled.found.scenario)


def _unsteppable(address: Address) -> str | None:
    if address.url.get_dialect().is_async:
        return f"{address.url.drivername}://: clients are stepped as threads, so name a driver for threads"
    if not address.database.explorable:
        return f"{address.database.name} does not say who waits for whom, so nothing can be explored there"
    return None


def _unexplorable(scenario: Scenario) -> str | None:
    """Return why a scenario's work cannot be stepped."""
    if scenario.client is not None:
        return "its clients are its own, and what they do is not seen statement by statement"
    if is_async(scenario.insert) or is_async(scenario.delete):
        return "it awaits, and only clients that are threads can be stepped"
    if scenario.local:
        return "its database lives in one process, whose clients cannot be stepped"
    if scenario.interlude is not None:
        return "its interlude takes place while all clients stand still"
    return None


def _explore(
    scheduled: ScheduledStorm, bounds: Bounds, run: store.Run, folder: Path, show: Show, stop: StopSignal
) -> Ending:
    scenario = scheduled.found.scenario
    if scheduled.address.fault is not None:
        raise EnvironmentFault(scheduled.address.fault)
    if reason := _unexplorable(scenario):
        raise NotApplicable(reason)
    around = look_around(scheduled)
    work, label = work_of(scenario), f"{run.name}-{folder.name.partition('-')[0]}"
    rehearsed, work = rehearse_apart(scheduled, work, f"{label}r")
    database, url = DATABASES[rehearsed.target.dialect], scheduled.address.own_url
    unread = why_none(scenario, rehearsed.ids)
    claims = resolve_claims(scenario.claims, rehearsed.target)
    wants_reader = unread is None and (
        bool(scheduled.options.reader) or bool(scenario.reader) or claims["visible"].stance is not Stance.MAY_BREAK
    )
    options, fleet = scheduled.connection_options, scheduled.fleet
    operations = bounds.operations or (3 if fleet.deletes else 1)
    plan = Plan(
        run=run.name,
        storm=folder.name,
        scenario=scheduled.found.name,
        reference=scheduled.found.reference,
        path=scheduled.path,
        target=rehearsed.target,
        fleet=replace(
            fleet,
            inserts=fleet.clients * fleet.batch * operations,
            seconds=None,
            think=(0.0, 0.0),
            **_deleting(fleet),
        ),
        pool=options.pool,
        ids=rehearsed.ids,
        tokens=_TOKENS,
        claims=_settled(claims),
        isolation=options.isolation,
        settings={**options.settings, **database.stepped},
        reader=wants_reader,
        looks_back=callable(scenario.reader),
        notes=(*scheduled.notes, *around, *rehearsed.notes),
    )
    store.write_plan(folder, plan)
    with database.namespace(url, label, keep=scheduled.options.keep, kind=scheduled.namespace) as inside:
        with reaching(inside):
            prepare(scheduled, plan, work, inside, folder)
            with database.working_in(inside) as connection:
                state = database.keep_state(connection, _ordered(scenario))
                _put_back(connection, database, state, _ordered(scenario))
                limits = dict.fromkeys([_TRIGGERS] if database.has_triggers(connection) else [])
        with (
            stop.gently(),
            _Player(plan, scheduled.address.for_clients(inside), [state, bounds.show_values], folder) as player,
        ):
            whole = replace(bounds, operations=operations)
            explored = _Exploration(plan, whole, folder, player, limits=limits).run(show, stop)
    write_explored(folder, explored, plan.stamp)
    return Ending(StormState.INTERRUPTED, "by the user") if stop.asked() else Ending()


def _deleting(fleet: Fleet) -> dict[str, Any]:
    """Return what is chosen by chance in a storm, and fixed here: nothing is rolled back; who deletes, deletes second.

    A client draws a number for each of its operations, and its second one deletes what the first has inserted.
    """
    if not fleet.deletes:
        return {"rollback": 0.0}
    for seed in count():
        chances = (Random(f"{seed}/{client}") for client in range(fleet.clients))
        if all((one.random(), one.random())[1] < _HALF <= one.random() for one in chances):
            return {"rollback": 0.0, "deletes": _HALF, "seed": seed}
    raise AssertionError


def _settled(claims: dict[str, Claim]) -> dict[str, Claim]:
    """Return the claims that schedules can settle, those of a user's own checks among them."""
    return {name: claim for name, claim in claims.items() if name in JUDGED or claim.own is not None}


def _put_back(connection: sa.Connection, database: Database, state: Any, tables: Sequence[sa.Table]) -> None:
    """Put the rows back once, to see that they are the same. Raises ScenarioError where they are not."""
    quote = connection.dialect.identifier_preparer.quote

    def rows() -> dict[str, list[str]]:
        return {
            table.name: sorted(map(repr, connection.exec_driver_sql(f"SELECT * FROM {quote(table.name)}").all()))
            for table in tables
            if connection.dialect.has_table(connection, table.name)
        }

    before = rows()
    try:
        database.restore_state(connection, state)
    except sa.exc.DBAPIError as error:
        words = next(iter(str(error.orig).strip().splitlines()), "")
        raise ScenarioError(f"the rows that setup makes cannot be put back between schedules: {words}") from error
    changed = [name for name, found in rows().items() if found != before[name]]
    if changed:
        raise ScenarioError(
            f"the rows that setup makes in {', '.join(changed)} cannot be put back between schedules: a trigger, or "
            "what the database generates, changes them"
        )


def _ordered(scenario: Scenario) -> Sequence[sa.Table]:
    return list(scenario.metadata.sorted_tables)


class _Player:
    """The process that plays schedules, in a namespace."""

    def __init__(self, plan: Plan, url: sa.URL, state: Any, folder: Path) -> None:
        self._assignment = Assignment(plan, url.render_as_string(hide_password=False), str(folder.absolute()), None)
        self._state = state
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> _Player:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "idstorm.explore.process"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        try:
            self._send(self._assignment.to_line())
            self._send(json.dumps(self._state))
            self._hear()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process is not None
        with self._process as process:
            assert process.stdin is not None
            process.stdin.close()
            try:
                process.wait(_END_WITHIN)
            except subprocess.TimeoutExpired:
                process.kill()

    def play(self, first: Sequence[int], folder: Path, wanted: Collection[str]) -> None:
        """Begin to play a schedule. `choices` of it can be asked for next, once those before have been judged."""
        self._send(json.dumps([list(first), str(folder), list(wanted)]))

    def choices(self) -> tuple[list[Choice], list[str]]:
        """Wait for the choices of a schedule, and a digest of what each client has sent.

        Raises Stuck, or IdstormError with the reason why there are none.
        """
        return choices_of_line(self._hear())

    def judged(self, *, last: bool = False) -> Played:
        """Wait for what came of the schedule before. `last`: none was begun after it. Raises IdstormError."""
        if last:
            self._send("")
        return played_of_line(self._hear())

    def _hear(self) -> bytes:
        assert self._process is not None
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise EnvironmentFault("the process of the schedules has ended: its last words are above")
        return line

    def _send(self, line: str) -> None:
        assert self._process is not None
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(line.encode() + b"\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            raise EnvironmentFault("the process of the schedules has ended: its last words are above") from None


@dataclass
class _Exploration:
    """The search, and what was seen so far."""

    plan: Plan
    bounds: Bounds
    folder: Path
    player: _Player
    schedules: list[str] = field(default_factory=list)
    limits: dict[str, None] = field(default_factory=dict)  #: in the order in which they were met
    statuses: dict[str, Counter[str]] = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)
    broken: dict[str, Broken] = field(default_factory=dict)
    seen: int = 0  #: schedules that were judged
    stepped: set[int] = field(default_factory=set)  #: the clients of which a statement was seen
    acknowledged: set[int] = field(default_factory=set)  #: those of which something was acknowledged
    raced: Counter[str] = field(default_factory=Counter)  #: in how many of them the database ended an operation by this
    played: tuple[str, ...] = ()  #: the only schedule that was played, in words
    replayed: int | None = None  #: the preemptions of the only schedule that was played

    def run(self, show: Show, stop: StopSignal) -> Explored:
        """Play schedules until there are no more, or a bound is reached."""
        began = monotonic()
        search, before, begun = Search(self._roles(), self.bounds.preemptions), None, count()
        if self.bounds.replay is not None:
            self._replay(self.bounds.replay)
            search = Search([])
            search.next()
        while (prefix := search.next()) is not None:
            if bound := self._bound(search, monotonic() - began, stop):
                self.limits[bound] = None
                break
            folder = self.folder / f"schedule-{next(begun) % 2}"  # the one before may still be judged
            self.player.play(prefix.clients, folder, self._wanted)
            self._see(before)
            before = self._ran(search, prefix, folder)
            show(f"{self.plan.scenario} on {self.plan.target.name}", sum(search.tried.values()), len(search))
        self._see(before, last=True)
        self._note_who_did_nothing()
        names = dict.fromkeys([*self.plan.claims])
        tried = dict(search.tried) if self.replayed is None else {self.replayed: 1}
        return Explored(
            operations=self.bounds.operations or 1,
            by_preemptions={str(number): times for number, times in sorted(tried.items())},
            schedules=tuple(self.schedules),
            asked=self.played or (self.bounds.asked if search.beyond else ()),
            limits=tuple(self.limits),
            raced=dict(self.raced),
            seconds=round(monotonic() - began, 3),
            checks={
                name: Seen(dict(self.statuses.get(name, {})), self.reasons.get(name), self.broken.get(name))
                for name in names
            },
        )

    def _roles(self) -> list[str]:
        """Return the roles of the clients: those that do the same, each as the first of all, have the same role.

        A client's tokens are its own, and work may choose by them: a tenant, a name.
        """
        clients = self.plan.fleet.clients
        alone = list[str]()
        for client in range(clients if self.bounds.replay is None else 0):
            folder = self.folder / "schedule-0"
            self.player.play([client] * _ALL_STEPS, folder, [])
            try:
                _, sent = self.player.choices()
            except Stuck:
                return [f"client {number}" for number in range(clients)] + ["reader"] * self.plan.reader
            self.player.judged(last=True)
            shutil.rmtree(folder, ignore_errors=True)
            alone.append(sent[client])
        return alone + ["reader"] * self.plan.reader

    def _ran(self, search: Search, prefix: Prefix, folder: Path) -> tuple[list[Choice], Path] | None:
        """Take up the choices of a schedule. Returns them, with its folder, unless it did not go as it had to."""
        try:
            choices, _ = self.player.choices()
        except Stuck as error:
            self.limits[f"a schedule did not come to its end: {error}"] = None
            shutil.rmtree(folder, ignore_errors=True)
            return None
        if where := prefix.diverges(choices):
            self.limits[f"the work is not the same each time: {where}"] = None
            self.player.judged(last=True)
            shutil.rmtree(folder, ignore_errors=True)
            return None
        search.ran(prefix, choices)
        self.schedules.append(" ".join(str(choice.client) for choice in choices))
        return choices, folder

    @property
    def _wanted(self) -> list[str]:
        """The checks of which no schedule is known yet that breaks them."""
        return [name for name in self.plan.claims if name not in self.broken]

    def _note_who_did_nothing(self) -> None:
        """Note clients of which nothing was seen: what they did may have gone another way."""
        for client in range(self.plan.fleet.clients) if self.seen else ():
            who = NAMES[client]
            if client not in self.stepped:
                self.limits[
                    f"no statement of {who} was seen: it may have sent them by a driver, or in a thread of its own"
                ] = None
            elif client not in self.acknowledged:
                self.limits[f"nothing that {who} did was acknowledged in any schedule"] = None

    def _replay(self, clients: tuple[int, ...]) -> None:
        """Play one schedule. Raises UsageError where its steps cannot be taken in this order any more."""
        folder = self.folder / "schedule-0"
        self.player.play(clients, folder, self._wanted)
        choices, _ = self.player.choices()
        taken = [choice.client for choice in choices]
        self.schedules.append(" ".join(map(str, taken)))
        self._see((choices, folder), last=True)
        if tuple(taken[: len(clients)]) != clients:
            place = next(place for place, client in enumerate(clients) if taken[place : place + 1] != [client])
            step = f"step {place + 1} is one that {named(clients[place])} cannot take"
            raise UsageError(f"the schedule {named(*clients)} does not fit any more: {step}")
        self.replayed = preemptions(choices)
        self.played = (f"the schedule {named(*taken)}",)

    def _bound(self, search: Search, seconds: float, stop: StopSignal) -> str | None:
        """Return why no further schedule is tried."""
        tried, left = sum(search.tried.values()), len(search) + 1
        more = f"at least {left} more were known"
        if stop.asked():
            return f"the user ended it after {tried:,} schedules; {more}"
        most = self.bounds.schedules or Bounds.DEFAULT_SCHEDULES
        if tried >= most:
            return f"it ended after {tried:,} schedules (--max-schedules); {more}"
        limit = self.bounds.seconds or Bounds.DEFAULT_SECONDS
        if seconds > limit:
            return f"it ended after {limit:g} s (--max-time), with {tried:,} schedules tried; {more}"
        return None

    def _see(self, ran: tuple[list[Choice], Path] | None, *, last: bool = False) -> None:
        """Take up what came of a schedule. `last`: none was begun after it."""
        if ran is None:
            return
        (choices, folder), played = ran, self.player.judged(last=last)
        if played.elsewhere is not None:
            self.limits[played.elsewhere] = None
        self.seen += 1
        self.raced.update(played.raced)
        self.acknowledged.update(played.ok)
        self.stepped.update(choice.client for choice in choices if choice.step not in ("COMMIT", "ROLLBACK"))
        for name, finding in played.findings.items():
            self.statuses.setdefault(name, Counter())[str(finding.status)] += 1
            if finding.reason and finding.status in (Status.UNKNOWN, Status.NA):
                self.reasons.setdefault(name, finding.reason)
            if finding.status is Status.BROKEN and name not in self.broken:
                self._keep(folder, name)
                self.broken[name] = Broken(
                    folder=name,
                    number=self.seen,
                    preemptions=preemptions(choices),
                    clients=tuple(choice.client for choice in choices),
                    moves=played.moves,
                    told=played.told,
                )
        shutil.rmtree(folder, ignore_errors=True)

    def _keep(self, schedule: Path, name: str) -> None:
        """Keep the tapes of a schedule as those of a storm."""
        shutil.copytree(schedule, self.folder / name)
        shutil.copy(self.folder / "plan.json", self.folder / name / "plan.json")

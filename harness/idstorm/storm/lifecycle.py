"""One storm from beginning to end: rehearse, plan, launch, watch, quiesce, take the census, record everything."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import sqlalchemy as sa

from idstorm.catalogue import Found
from idstorm.databases.namespaces.making import LeftBehind
from idstorm.databases.registry import DATABASES
from idstorm.databases.targets import Address, started_with
from idstorm.databases.urls import mask, reaching, secrets_of, words_of
from idstorm.errors import EnvironmentFault, ScenarioError, UsageError
from idstorm.findings.results import Stance, StormState
from idstorm.model.tables import make_tables
from idstorm.model.work import Work, work_of
from idstorm.options import StormOptions, check_bounds
from idstorm.record import store
from idstorm.record.plan import Claim, Fleet, Plan, Pool, Target, Tokens
from idstorm.record.stamp import Stamp
from idstorm.record.store import Ending
from idstorm.redaction import redact
from idstorm.scenario.claims import resolve_claims
from idstorm.scenario.conditions import resolve_failing
from idstorm.storm.aftermath import NO_CENSUS, has_recorded, take_census
from idstorm.storm.beforehand import look_around
from idstorm.storm.engine import AUTOCOMMIT, ConnectionOptions, as_user_error, open_engine
from idstorm.storm.progress import Watch
from idstorm.storm.reader import Reader, why_none
from idstorm.storm.rehearsal import NotApplicable, Rehearsed, rehearse
from idstorm.storm.supervise import Stop, run_course
from idstorm.storm.worker_pool import WorkerPool

_SECOND_CALL = "in the storm's own namespace: it is called once in each, and succeeded in the rehearsal's"
_MOST_NOTES, _LONGEST = 100, 20_000
_ROWS_A_SECOND = 500  # a slow machine's rate, in large batches, for all clients together
_ANSWER_WITHIN = 10.0  # seconds after its own timeout within which a database has answered


@dataclass(frozen=True)
class Order:
    """What is to be stormed, and how."""

    found: Found
    address: Address
    options: StormOptions
    path: tuple[str, ...]
    reader_if_possible: bool = False  #: a reader wherever one makes sense, even if not asked for
    notes: tuple[str, ...] = ()  #: what the report has to say about how the storm came to be

    @property
    def final_fleet(self) -> Fleet:
        """The fleet, by the user's options, or the scenario's where the user gave none."""
        scenario, asked = self.found.scenario, self.options
        return Fleet(
            processes=1 if scenario.local else asked.processes,
            clients=asked.clients,
            batch=scenario.batch if asked.batch is None else asked.batch,
            seed=asked.seed or 0,
            inserts=None if asked.inserts is None else max(asked.inserts, scenario.least),
            seconds=asked.time,
            rollback=scenario.rollback if asked.rollback is None else asked.rollback,
            deletes=scenario.deletes if asked.deletes is None else asked.deletes,
            think=scenario.think if asked.think is None else asked.think,
        )

    def patience_on(self, target: Target) -> float:
        """The patience, in seconds, that leaves a pool, a lock or a pause the time to end by itself."""
        database = DATABASES[target.dialect]
        fleet = self.final_fleet
        rows = fleet.clients * fleet.batch / _ROWS_A_SECOND
        waits = (self.options.pool_timeout, database.lock_timeout(target.facts), fleet.think[1], rows)
        return max(self.options.patience, max(waits) + _ANSWER_WITHIN)

    @property
    def connection_options(self) -> ConnectionOptions:
        """How connections are opened: by default a worker's pool holds as many as its clients need."""
        scenario = self.found.scenario
        most = len(self.final_fleet.of_worker(0)) * scenario.connections
        asked = self.options
        pool = Pool(asked.pool_size or most, asked.max_overflow, asked.pool_timeout)
        return ConnectionOptions(pool, asked.isolation or scenario.isolation, dict(asked.settings))


def check_order(order: Order) -> None:
    """Raise UsageError for an order that makes no sense, before anything is done."""
    fleet = order.final_fleet
    check_bounds(batch=fleet.batch, think=fleet.think)
    order.address.database.check_settings(order.connection_options.settings)
    if fleet.rollback and order.connection_options.isolation == AUTOCOMMIT:
        raise UsageError("a rollback means nothing under AUTOCOMMIT: leave out --rollback or --isolation")
    if order.found.scenario.client is not None and (fleet.rollback or fleet.deletes or fleet.think[1]):
        raise UsageError(f"the clients of {order.found.name} are its own: leave out --rollback, --deletes and --think")
    work_of(order.found.scenario)


def storm(order: Order, run: str, folder: Path, watch: Watch, stop: Stop, crew: WorkerPool | None = None) -> None:
    """Storm, and record in `folder` everything that is judged, and how it ended.

    `watch` is shown the progress; `stop` is asked whether to end early. The workers are fresh interpreters, unless they
    come from a `crew` whose workers serve several storms. Raises EnvironmentFault where the results cannot be written.
    Any other failure is in the ending.
    """
    stamp, known = Stamp(run, folder.name), list[Ending]()
    settings = order.found.scenario.server.get(order.address.database.name, {})
    try:
        with started_with(order.address, settings) as address:
            ending = _storm(replace(order, address=address), run, folder, watch, stop, crew, known)
    except NotApplicable as error:
        ending = Ending(StormState.NOT_APPLICABLE, str(error))
    except _TROUBLE as error:
        ending = _after(error, order, folder) if not known else _in_spite_of(error, order, known[-1])
    except KeyboardInterrupt:
        ending = known[-1] if known else Ending(StormState.INTERRUPTED, census=NO_CENSUS)
        ending = replace(ending, state=StormState.INTERRUPTED, message="at once, by the user")
        store.write_ending(folder, _shown(ending, order), stamp)
        raise
    store.write_ending(folder, _shown(ending, order), stamp)


def _shown(ending: Ending, order: Order) -> Ending:
    """Return an ending in a form that may be shown: an application's words may hold its URL, or be very long."""
    hidden = secrets_of(order.address.url)
    message = None if ending.message is None else redact(_bounded(ending.message), hidden)
    notes, more = ending.notes[:_MOST_NOTES], len(ending.notes) - _MOST_NOTES
    notes = tuple(map(_bounded, notes)) if more <= 0 else (*map(_bounded, notes), f"there were {more:,} more notes")
    return replace(ending, message=message, notes=_without(hidden, notes))


def _bounded(words: str) -> str:
    """Return an application's words, cut to a length that a report can hold."""
    return words if len(words) <= _LONGEST else f"{words[:_LONGEST]}… ({len(words):,} characters)"


def _without(hidden: Sequence[str], words: Sequence[str]) -> tuple[str, ...]:
    return tuple(redact(one, hidden) for one in words)


_TROUBLE = (sa.exc.SQLAlchemyError, UsageError, EnvironmentFault, OSError)
"""The errors that a storm may raise without a bug."""


def _after(error: Exception, order: Order, folder: Path) -> Ending:
    """Return the ending of a storm that failed. What its clients have recorded is still judged."""
    state, words = StormState.UNFINISHED if has_recorded(folder) else StormState.NOT_STARTED, str(error)
    if isinstance(error, UsageError):
        state = StormState.AT_FAULT
    elif isinstance(error, sa.exc.SQLAlchemyError):  # of idstorm's own statements; those of the work are the client's
        words = f"{order.address.name} refused what idstorm needs: {words_of(error, order.address.url)}"
    return Ending(state, words, census=NO_CENSUS)


def _in_spite_of(error: Exception, order: Order, ending: Ending) -> Ending:
    """Return the ending of a storm that was over when one of the remaining steps failed."""
    words = redact(str(error), secrets_of(order.address.url))
    return replace(ending, notes=(*ending.notes, f"after the storm something went wrong: {words}"))


def _storm(
    order: Order, run: str, folder: Path, watch: Watch, stop: Stop, crew: WorkerPool | None, known: list[Ending]
) -> Ending:
    """Storm, and return the ending. It is in `known` as soon as everything that is judged has been written."""
    database, url, scenario = order.address.database, order.address.url, order.found.scenario
    if order.address.fault is not None:
        raise EnvironmentFault(order.address.fault)
    around = look_around(order)
    work, label = work_of(scenario), f"{run}-{folder.name.partition('-')[0]}"
    rehearsed, work = _rehearse(order, work, f"{label}r")
    unread = why_none(scenario, rehearsed.ids)
    plan = Plan(
        run=run,
        storm=folder.name,
        scenario=order.found.name,
        reference=order.found.reference,
        path=order.path,
        target=rehearsed.target,
        fleet=order.final_fleet,
        pool=order.connection_options.pool,
        ids=rehearsed.ids,
        tokens=Tokens(1 + secrets.randbelow(1 << 62)),
        claims=_claims(order, rehearsed.target, unread),
        patience=order.patience_on(rehearsed.target),
        isolation=order.connection_options.isolation,
        settings=dict(order.connection_options.settings),
        interlude=scenario.interlude is not None,
        reader=_wants_reader(order) and unread is None,
        not_judged={"visible": unread} if order.options.reader and unread is not None else {},
        looks_back=callable(scenario.reader),
        failing=resolve_failing(scenario.allowances, rehearsed.target),
        headroom=scenario.headroom if order.options.headroom is None else order.options.headroom,
        forecast=order.options.forecast,
        notes=_without(secrets_of(url), (*order.notes, *around, *_more_than_asked(order), *rehearsed.notes)),
    )
    if plan.fleet.rollback and plan.ids.autonomous:
        raise UsageError(
            f"the work of {plan.scenario} commits by itself: a rollback means nothing, leave out --rollback"
        )
    store.write_plan(folder, plan)
    database = DATABASES[plan.target.dialect]
    with database.namespace(url, label, keep=order.options.keep) as inside, reaching(inside):
        before = 0 if scenario.local else _prepare(order, plan, work, inside, folder)
        with stop.gently():
            failed = as_user_error(database, inside, "the environment of the scenario failed")
            with Reader(scenario, work, database, inside, plan, folder) if plan.reader else nullcontext() as reader:
                try:
                    with failed if scenario.environment else nullcontext():
                        ending = run_course(scenario, plan, inside, folder, watch, stop, crew)
                except _TROUBLE as error:
                    if not has_recorded(folder):
                        raise
                    ending = _after(error, order, folder)
                if reader is not None:
                    reader.rest()
                ending = take_census(scenario, order.connection_options, plan, work, inside, folder, ending, reader)
                known.append(replace(ending, before=before, kept=mask(inside) if order.options.keep else None))
    return known[-1]


def _more_than_asked(order: Order) -> tuple[str, ...]:
    asked, inserts = order.options.inserts, order.final_fleet.inserts
    if asked == inserts:
        return ()
    return (f"{inserts:,} inserts were attempted instead of {asked:,}: the claims need that many to show",)


def _rehearse(order: Order, work: Work, label: str) -> tuple[Rehearsed, Work]:
    """Rehearse in a throwaway namespace. Returns what was found, and the work with the tables it needs.

    If it fails with only the tables that the model refers to, it may need others, such as those its events write to.
    """
    scenario = replace(order.found.scenario, deletes=order.final_fleet.deletes)

    def with_tables_of(work: Work) -> Rehearsed:
        found = list[Rehearsed]()
        try:
            with order.address.database.namespace(order.address.url, label) as inside:
                found.append(
                    rehearse(
                        scenario,
                        work,
                        order.address,
                        inside,
                        order.connection_options,
                        order.final_fleet.batch,
                        order.patience_on,
                    )
                )
        except LeftBehind as left:
            found[0] = replace(found[0], notes=(*found[0].notes, f"of the rehearsal {left}"))
        return found[0]

    try:
        return with_tables_of(work), work
    except ScenarioError:
        if work.tables is None:
            raise
        whole = replace(work, tables=None)
        with suppress(ScenarioError):
            return with_tables_of(whole), whole
        raise


def _wants_reader(order: Order) -> bool:
    scenario = order.found.scenario
    return order.reader_if_possible or (bool(scenario.reader) if order.options.reader is None else order.options.reader)


def _claims(order: Order, target: Target, unread: str | None) -> dict[str, Claim]:
    """Return the claims for a target. If the user asked for a reader, having none does not satisfy the claim."""
    claims = resolve_claims(order.found.scenario.claims, target)
    if order.options.reader and unread is not None and claims["visible"].stance is Stance.MAY_BREAK:
        claims["visible"] = Claim(Stance.HOLDS, "a reader was asked for", named=True)
    return claims


def _prepare(order: Order, plan: Plan, work: Work, url: sa.URL, folder: Path) -> int:
    """Make the tables, and take a census of the rows that `setup` made. Returns their number."""
    database = DATABASES[plan.target.dialect]
    engine = open_engine(order.found.scenario, database, url, order.connection_options)
    try:
        own = partial(as_user_error, database, url)
        make_tables(order.found.scenario, work, engine, own, _SECOND_CALL)
    finally:
        engine.dispose()
    before = database.read_census(url, work.ids, work.token, plan.ids.codec)
    if len(before):
        store.write_census(folder, "before", before, plan.stamp)
    return len(before)

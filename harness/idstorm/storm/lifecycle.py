"""One storm from beginning to end: rehearse, plan, launch, watch, quiesce, take the census, record everything."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from contextlib import nullcontext, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path

import sqlalchemy as sa

from idstorm.databases.namespaces.making import LeftBehind
from idstorm.databases.registry import DATABASES
from idstorm.databases.targets import started_with
from idstorm.databases.urls import mask, reaching, words_of
from idstorm.errors import EnvironmentFault, ScenarioError, UsageError
from idstorm.findings.results import Stance, StormState
from idstorm.model.tables import make_tables
from idstorm.model.work import Work, work_of
from idstorm.record import store
from idstorm.record.ending import Ending
from idstorm.record.keyed import Keyed
from idstorm.record.plan import Claim, Plan, Target, Tokens
from idstorm.redaction import redact
from idstorm.scenario.claims import resolve_claims
from idstorm.scenario.conditions import resolve_failing
from idstorm.storm.aftermath import NO_CENSUS, has_recorded, take_census
from idstorm.storm.applicability import NotApplicable
from idstorm.storm.beforehand import look_around
from idstorm.storm.engine import as_user_error, make_schemas, open_engine
from idstorm.storm.loops import where_it_may_wait
from idstorm.storm.progress import Watch
from idstorm.storm.reader import Reader, why_none
from idstorm.storm.rehearsal import Rehearsed, rehearse
from idstorm.storm.scheduled import ScheduledStorm
from idstorm.storm.stop import StopSignal
from idstorm.storm.supervise import supervise
from idstorm.storm.worker_pool import WorkerPool

_SECOND_CALL = "in the storm's own namespace: it is called once in each, and succeeded in the rehearsal's"
_MOST_NOTES, _LONGEST = 100, 20_000


def storm(scheduled: ScheduledStorm, run: store.Run, watch: Watch, stop: StopSignal, pool: WorkerPool) -> None:
    """Storm, and record in the run's folder everything that is judged, and how it ended.

    `watch` is shown the progress; `stop` is asked whether to end early; the workers come from `pool`. Raises
    EnvironmentFault where the results cannot be written. Any other failure is in the ending.
    """

    def body(scheduled: ScheduledStorm, folder: Path, known: list[Ending]) -> Ending:
        return _storm(scheduled, run.name, folder, watch, stop, pool, known)

    written_down(scheduled, run, body)


Body = Callable[[ScheduledStorm, Path, list[Ending]], Ending]
"""Records something in a folder, and returns the ending, which is in the list as soon as everything that counts is."""


def written_down(scheduled: ScheduledStorm, run: store.Run, body: Body) -> None:
    """Carry something out on a target whose server is there, and write down how it ended, whatever that was."""
    stamp, folder, known = run.stamp(scheduled.name), run.folder / scheduled.name, list[Ending]()
    settings = scheduled.found.scenario.server.get(scheduled.address.database.name, {})
    try:
        with started_with(scheduled.address, settings) as address:
            ending = body(replace(scheduled, address=address), folder, known)
    except NotApplicable as error:
        ending = Ending(StormState.NOT_APPLICABLE, str(error))
    except _TROUBLE as error:
        ending = _after(error, scheduled, folder) if not known else _in_spite_of(error, scheduled, known[-1])
    except KeyboardInterrupt:
        ending = known[-1] if known else Ending(StormState.INTERRUPTED, census=NO_CENSUS)
        ending = replace(ending, state=StormState.INTERRUPTED, message="at once, by the user")
        store.write_ending(folder, _shown(ending, scheduled), stamp)
        raise
    store.write_ending(folder, _shown(ending, scheduled), stamp)


def _shown(ending: Ending, scheduled: ScheduledStorm) -> Ending:
    """Return an ending in a form that may be shown: an application's words may hold its URL, or be very long."""
    hidden = scheduled.address.secrets
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


def _after(error: Exception, scheduled: ScheduledStorm, folder: Path) -> Ending:
    """Return the ending of a storm that failed. What its clients have recorded is still judged."""
    state, words = StormState.UNFINISHED if has_recorded(folder) else StormState.NOT_STARTED, str(error)
    if isinstance(error, UsageError):
        state = StormState.AT_FAULT
    elif isinstance(error, sa.exc.SQLAlchemyError):  # of idstorm's own statements; those of the work are the client's
        words = f"{scheduled.address.name} refused what idstorm needs: {words_of(error, scheduled.address.own_url)}"
    return Ending(state, words, census=NO_CENSUS)


def _in_spite_of(error: Exception, scheduled: ScheduledStorm, ending: Ending) -> Ending:
    """Return the ending of a storm that was over when one of the remaining steps failed."""
    words = redact(str(error), scheduled.address.secrets)
    return replace(ending, notes=(*ending.notes, f"after the storm something went wrong: {words}"))


def _storm(
    scheduled: ScheduledStorm,
    run: str,
    folder: Path,
    watch: Watch,
    stop: StopSignal,
    pool: WorkerPool,
    known: list[Ending],
) -> Ending:
    """Storm, and return the ending. It is in `known` as soon as everything that is judged has been written."""
    database, url, scenario = scheduled.address.database, scheduled.address.own_url, scheduled.found.scenario
    if scheduled.address.fault is not None:
        raise EnvironmentFault(scheduled.address.fault)
    around = look_around(scheduled)
    work, label = work_of(scenario), f"{run}-{folder.name.partition('-')[0]}"
    rehearsed, work = rehearse_apart(scheduled, work, f"{label}r")
    unread = why_none(scenario, rehearsed.ids)
    plan = Plan(
        run=run,
        storm=folder.name,
        scenario=scheduled.found.name,
        reference=scheduled.found.reference,
        path=scheduled.path,
        target=rehearsed.target,
        fleet=scheduled.fleet,
        pool=scheduled.connection_options.pool,
        ids=rehearsed.ids,
        tokens=Tokens(1 + secrets.randbelow(1 << 62)),
        claims=_claims(scheduled, rehearsed.target, unread),
        patience=scheduled.patience_on(rehearsed.target),
        isolation=scheduled.connection_options.isolation,
        settings=dict(scheduled.connection_options.settings),
        interlude=scenario.interlude is not None,
        reader=scheduled.wants_reader and unread is None,
        not_judged={"visible": unread} if scheduled.options.reader and unread is not None else {},
        looks_back=callable(scenario.reader),
        failing=resolve_failing(scenario.allowances, rehearsed.target),
        headroom=scenario.headroom if scheduled.options.headroom is None else scheduled.options.headroom,
        forecast=scheduled.options.forecast,
        notes=_without(
            scheduled.address.secrets, (*scheduled.notes, *around, *_more_than_asked(scheduled), *rehearsed.notes)
        ),
    )
    if plan.fleet.rollback and plan.ids.autonomous:
        raise UsageError(
            f"the work of {plan.scenario} commits by itself: a rollback means nothing, leave out --rollback"
        )
    store.write_plan(folder, plan)
    database = DATABASES[plan.target.dialect]
    kind = scheduled.namespace
    with database.namespace(url, label, keep=scheduled.options.keep, kind=kind) as inside, reaching(inside):
        by_clients = scheduled.address.for_clients(inside)
        before = 0 if scenario.local else prepare(scheduled, plan, work, inside, folder)
        with stop.gently():
            failed = as_user_error(database, by_clients, "the environment of the scenario failed")
            with Reader(scenario, work, database, inside, plan, folder) if plan.reader else nullcontext() as reader:
                try:
                    with failed if scenario.environment else nullcontext():
                        ending = supervise(scenario, plan, by_clients, folder, watch, stop, pool)
                except _TROUBLE as error:
                    if not has_recorded(folder):
                        raise
                    ending = _after(error, scheduled, folder)
                if reader is not None:
                    reader.rest()
                ending = take_census(scenario, scheduled.connection_options, plan, work, inside, folder, ending, reader)
                ending = replace(ending, census=replace(ending.census, before=before))
                known.append(replace(ending, kept=mask(inside) if scheduled.options.keep else None))
    return known[-1]


def _more_than_asked(scheduled: ScheduledStorm) -> tuple[str, ...]:
    asked, inserts = scheduled.options.inserts, scheduled.fleet.inserts
    if asked == inserts:
        return ()
    return (f"{inserts:,} inserts were attempted instead of {asked:,}: the claims need that many to show",)


def rehearse_apart(scheduled: ScheduledStorm, work: Work, label: str) -> tuple[Rehearsed, Work]:
    """Rehearse in a throwaway namespace. Returns what was found, and the work with the tables it needs.

    If it fails with only the tables that the model refers to, it may need others, such as those its events write to.
    """
    scenario = replace(scheduled.found.scenario, deletes=scheduled.fleet.deletes)

    def with_tables_of(work: Work) -> Rehearsed:
        found = list[Rehearsed]()
        try:
            database, url = scheduled.address.database, scheduled.address.own_url
            with database.namespace(url, label, kind=scheduled.namespace) as inside:
                rehearsed = rehearse(
                    scenario,
                    work,
                    scheduled.address,
                    inside,
                    scheduled.connection_options,
                    scheduled.fleet.batch,
                    scheduled.patience_on,
                )
                found.append(replace(rehearsed, notes=(*rehearsed.notes, *database.differing(url, inside))))
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


def _claims(scheduled: ScheduledStorm, target: Target, unread: str | None) -> dict[str, Claim]:
    """Return the claims for a target. If the user asked for a reader, having none does not satisfy the claim."""
    claims = resolve_claims(scheduled.found.scenario.claims, target)
    if scheduled.options.reader and unread is not None and claims["visible"].stance is Stance.MAY_BREAK:
        claims["visible"] = Claim(Stance.HOLDS, "a reader was asked for", named=True)
    return claims


def prepare(scheduled: ScheduledStorm, plan: Plan, work: Work, url: sa.URL, folder: Path) -> int:
    """Make the tables, and take a census of the rows that `setup` made. Returns their number."""
    database = DATABASES[plan.target.dialect]
    make_schemas(scheduled.found.scenario, work, database, url)
    engine = open_engine(scheduled.found.scenario, database, url, scheduled.connection_options)

    def make() -> None:
        try:
            own = partial(as_user_error, database, url)
            make_tables(scheduled.found.scenario, work, engine, own, _SECOND_CALL)
        finally:
            engine.dispose()

    where_it_may_wait(engine, make)
    before = database.read_census(url, work.ids, work.token, Keyed.of(plan.ids.codec, work.key), work.present)
    if len(before):
        store.write_census(folder, "before", before, plan.stamp)
    return len(before)

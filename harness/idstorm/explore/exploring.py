"""One exploration from beginning to end: rehearse, plan, play schedule after schedule, write down what they come to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import count
from pathlib import Path
from random import Random
from typing import Any

import sqlalchemy as sa

from idstorm.databases.base import Database
from idstorm.databases.registry import DATABASES
from idstorm.databases.urls import reaching
from idstorm.errors import EnvironmentFault, IdstormError, ScenarioError
from idstorm.explore.bounds import Bounds
from idstorm.explore.explorable import unexplorable
from idstorm.explore.exploration import Exploration, Show
from idstorm.explore.player import Player
from idstorm.explore.playing import tables_of
from idstorm.findings.results import Stance, StormState
from idstorm.findings.schedules import SETTLED
from idstorm.model.work import Work, work_of
from idstorm.record import store
from idstorm.record.ending import Ending
from idstorm.record.keyed import Keyed
from idstorm.record.plan import Claim, Fleet, Plan, Tokens
from idstorm.scenario.claims import resolve_claims
from idstorm.storm.applicability import NotApplicable
from idstorm.storm.beforehand import look_around
from idstorm.storm.engine import as_user_error, open_engine, open_session
from idstorm.storm.lifecycle import prepare, rehearse_apart, written_down
from idstorm.storm.loops import where_it_may_wait
from idstorm.storm.reader import why_none
from idstorm.storm.scheduled import ScheduledStorm
from idstorm.storm.stop import StopSignal

_HALF = 0.5
_NO_ROLLBACK = "of what a storm rolls back on purpose, nothing was rolled back here"
_TRIGGERS = "what a trigger does is one step with the statement that fires it: storm it as well"
_TOKENS = Tokens(base=720_720 << 32, span=720_720 << 12)
"""The same each time, and alike by any divisor up to 16: work that chooses a tenant by its token takes one for all."""


def explore(scheduled: ScheduledStorm, bounds: Bounds, run: store.Run, show: Show, stop: StopSignal) -> None:
    """Explore a scenario on a target, and record in the run's folder what its schedules come to."""

    def body(scheduled: ScheduledStorm, folder: Path, known: list[Ending]) -> Ending:
        return _explore(scheduled, bounds, run, folder, show, stop)

    written_down(scheduled, run, body)


def _explore(
    scheduled: ScheduledStorm, bounds: Bounds, run: store.Run, folder: Path, show: Show, stop: StopSignal
) -> Ending:
    scenario = scheduled.found.scenario
    if scheduled.address.fault is not None:
        raise EnvironmentFault(scheduled.address.fault)
    if reason := unexplorable(scenario):
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
        notes=(*scheduled.notes, *around, *([_NO_ROLLBACK] if fleet.rollback else []), *rehearsed.notes),
    )
    store.write_plan(folder, plan)
    exploration = Exploration(plan, replace(bounds, operations=operations), folder)
    alone = bounds.replay is not None or not bounds.rows
    states = (bounds.rows,) if alone else (0, bounds.rows)
    for place, rows in enumerate(states):
        name = f"{label}n{rows}" if rows else label
        try:
            with database.namespace(url, name, keep=scheduled.options.keep, kind=scheduled.namespace) as inside:
                _over(exploration, scheduled, work, inside, rows, show, stop)
        except IdstormError as error:
            if not place:
                raise
            said = next(iter(str(error).splitlines()), "")
            exploration.limits[f"with {rows:,} rows, nothing was tried: {said}"] = None
        explored = exploration.explored()
        left = [f"with {more:,} rows, nothing was tried" for more in states[place + 1 :]]
        store.write_explored(folder, replace(explored, limits=(*explored.limits, *left)), plan.stamp)
        if exploration.bounded:
            break
    return Ending(StormState.INTERRUPTED, "by the user") if stop.asked() else Ending()


def _over(
    exploration: Exploration,
    scheduled: ScheduledStorm,
    work: Work,
    inside: sa.URL,
    rows: int,
    show: Show,
    stop: StopSignal,
) -> None:
    """Try all schedules in a namespace, with so many rows that are there before."""
    scenario, plan, folder = scheduled.found.scenario, exploration.plan, exploration.folder
    database = DATABASES[plan.target.dialect]
    with reaching(inside):
        prepare(scheduled, plan, work, inside, folder)
        if rows:
            _fill(scheduled, plan, work, inside, folder, rows)
        with database.working_in(inside) as connection:
            if rows:
                database.analyse(connection)
            tables = tables_of(scenario, work)
            state = database.keep_state(connection, tables)
            _put_back(connection, database, state, tables)
            if database.has_triggers(connection):
                exploration.limits[_TRIGGERS] = None
    started = [state, exploration.bounds.show_values]
    with stop.gently(), Player(plan, scheduled.address.for_clients(inside), started, folder) as player:
        exploration.over(player, rows, show, stop)


def _fill(scheduled: ScheduledStorm, plan: Plan, work: Work, inside: sa.URL, folder: Path, rows: int) -> None:
    """Let the work insert this many rows that are none of the schedules': which locks are taken depends on them."""
    scenario, database, batch = scheduled.found.scenario, DATABASES[plan.target.dialect], plan.fleet.batch
    engine = open_engine(scenario, database, inside, scheduled.connection_options)

    def body() -> None:
        try:
            for first in range(1, rows + 1, batch):
                with open_session(scenario, engine) as session:
                    work.insert(session, range(first, min(first + batch, rows + 1)))
                    session.commit()
        finally:
            engine.dispose()

    with as_user_error(database, inside, "inserting the rows of --rows failed"):
        where_it_may_wait(engine, body)
    codec = Keyed.of(plan.ids.codec, work.key)
    before = database.read_census(inside, work.ids, work.token, codec, work.present)
    store.write_census(folder, "before", before, plan.stamp)


def _deleting(fleet: Fleet) -> dict[str, Any]:
    """Return what is chosen by chance in a storm, and fixed here: nothing is rolled back; who deletes, deletes second.

    A client draws a number for each of its operations, and its second one deletes what the first has inserted.
    """
    if not fleet.deletes:
        return {"rollback": 0.0}

    def deletes_second(seed: int) -> bool:
        chances = (Random(f"{seed}/{client}") for client in range(fleet.clients))
        return all((one.random(), one.random())[1] < _HALF <= one.random() for one in chances)

    return {"rollback": 0.0, "deletes": _HALF, "seed": next(filter(deletes_second, count()))}


def _settled(claims: dict[str, Claim]) -> dict[str, Claim]:
    """Return the claims that schedules can settle, those of a user's own checks among them."""
    return {name: claim for name, claim in claims.items() if name in SETTLED or claim.own is not None}


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

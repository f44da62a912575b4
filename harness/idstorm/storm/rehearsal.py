"""The rehearsal: before a storm starts, one or two operations must produce rows that can be judged.

It takes place in a throwaway namespace, and finds what the plan has to know: what ids look like, whether the work
commits by itself, and what the server can do.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass, replace
from functools import partial
from time import monotonic
from typing import Any

import sqlalchemy as sa

from idstorm.databases.base import Database
from idstorm.databases.registry import DATABASES
from idstorm.databases.rows import read_pairs
from idstorm.databases.targets import Address
from idstorm.databases.urls import reaching
from idstorm.errors import ScenarioError
from idstorm.model.awaiting import is_async
from idstorm.model.codec import codec_of
from idstorm.model.moments import zone_of
from idstorm.model.tables import make_tables
from idstorm.model.work import Work
from idstorm.record.keys import Codec
from idstorm.record.plan import Ids, Target
from idstorm.scenario import Place, Scenario
from idstorm.storm.applicability import applicable_target, left_out, looped
from idstorm.storm.deadline import ended_after, in_time
from idstorm.storm.elsewhere import sequences_elsewhere
from idstorm.storm.engine import (
    AUTOCOMMIT,
    ENDED,
    ConnectionOptions,
    as_user_error,
    make_schemas,
    open_engine,
    open_session,
    place_for,
)
from idstorm.storm.environment import environment_of
from idstorm.storm.hearing import listening
from idstorm.storm.loops import awaited, entered, in_loop, is_closing, where_it_may_wait
from idstorm.storm.overhearing import Overhearing
from idstorm.storm.returned import validate_ids
from idstorm.storm.trial import (
    Pairs,
    Rehearsal,
    agree,
    as_compared,
    look_for_typo,
    misled,
    rehearsal_of,
    right,
    still_there,
)

_MOST_FAILURES = 20  # of an operation of which the scenario says that it may fail
_MOST_REFUSALS = 2_000  # of the first row, so that a sequence that lags behind can get past the existing rows
_ALL_REFUSED = "with no other client at work, the id's own constraint refused each insert of the rehearsal"
_MOST_SENTENCES = 2  # about rows for which the rehearsal was told something wrong


@dataclass(frozen=True)
class Rehearsed:
    """What a rehearsal found."""

    target: Target
    ids: Ids
    notes: tuple[str, ...]  #: what was chosen for the scenario, and what therefore cannot be judged


@dataclass(frozen=True)
class _Stage:
    """Where a rehearsal takes place."""

    scenario: Scenario
    database: Database
    url: sa.URL  #: for idstorm's own work
    by_clients: sa.URL  #: the same place for clients, who may get there through a pooler
    engine: sa.Engine
    target: Target
    patience: float = 30.0  #: seconds that an operation may take
    zone: str = ""  #: the time zone of the engine's sessions, where it matters

    def reading(self) -> AbstractContextManager[sa.Connection]:
        """Open a connection that sees what all sessions see, separate from the engine's if that is possible."""
        return self.engine.connect() if self.scenario.local else self.database.snapshot(self.url)

    def place_for(self, function: object) -> Place:
        """Return what the scenario's own code is told about the place."""
        return place_for(function, self.database, self.by_clients, self.target)

    def pairs(self, work: Work) -> Pairs:
        """Return (id, token) of each row that all sessions see."""
        with self.reading() as connection:
            return read_pairs(connection, work.ids, work.token, work.present)

    def as_user_error(self, what: str) -> AbstractContextManager[None]:
        """Show an error as the user's own, unless the environment is to blame."""
        return as_user_error(self.database, self.by_clients, what)


def rehearse(
    scenario: Scenario,
    work: Work,
    address: Address,
    url: sa.URL,
    connection_options: ConnectionOptions,
    batch: int,
    patience: Callable[[Target], float],
) -> Rehearsed:
    """Do one or two operations of a scenario in an empty namespace, and examine the result.

    `patience` returns, for a target with known facts, the seconds during which nothing is ended that would end by
    itself. What the work does wrong is noted: the storm will show it, with its witnesses. Raises EnvironmentFault where
    the database is out of reach, NotApplicable where it lacks what is needed, and ScenarioError, with the user's own
    traceback, where the work fails.
    """
    target = applicable_target(scenario, address, url)
    with listening():  # from the first connection on
        return _rehearse_on(scenario, work, address, url, connection_options, batch, target, patience)


def _rehearse_on(
    scenario: Scenario,
    work: Work,
    address: Address,
    url: sa.URL,
    connection_options: ConnectionOptions,
    batch: int,
    target: Target,
    patience: Callable[[Target], float],
) -> Rehearsed:
    engine = open_engine(scenario, address.database, address.for_clients(url), connection_options)
    here = partial(_rehearse_with, engine, scenario, work, address, url, connection_options, batch, target, patience)
    return in_loop(here) if is_async(scenario.client) else where_it_may_wait(engine, here)


def _rehearse_with(
    engine: sa.Engine,
    scenario: Scenario,
    work: Work,
    address: Address,
    url: sa.URL,
    connection_options: ConnectionOptions,
    batch: int,
    target: Target,
    patience: Callable[[Target], float],
) -> Rehearsed:
    """Rehearse where the engine's driver can wait, if it is one that does."""
    try:
        by_clients = address.for_clients(url)
        stage = _Stage(scenario, DATABASES[target.dialect], url, by_clients, engine, target)
        with stage.as_user_error("connecting failed"), reaching(by_clients), engine.connect():
            pass
        before = facts_of(stage.database, engine, by_clients, connection_options)
        stage = replace(stage, patience=patience(replace(target, facts=before)))
        make_schemas(scenario, work, stage.database, url)
        make_tables(scenario, work, engine, stage.as_user_error, "in the rehearsal", partial(_stay_inside, stage, work))
        with reaching(by_clients):
            stage = replace(stage, zone=zone_of(engine))
        ids, sentences = _operate(work, stage, connection_options, batch)
        facts = facts_of(stage.database, engine, by_clients, connection_options)
        notes = (*work.notes, *left_out(work, target), *looped(scenario, engine), *sentences[:_MOST_SENTENCES])
        return Rehearsed(replace(target, facts=facts), ids, notes)
    finally:
        engine.dispose()


def _stay_inside(stage: _Stage, work: Work, connection: sa.Connection) -> None:
    """Raise ScenarioError where the new tables lead out of the namespace."""
    found = [] if stage.scenario.local else stage.database.leads_outside(connection)
    if not stage.database.has_schemas(stage.url):
        found += sequences_elsewhere(work.tables or stage.scenario.metadata.tables.values())
    if found:
        places = "; ".join(dict.fromkeys(found))
        raise ScenarioError(
            f"the storm would touch objects that are not its own: {places}. Let the model, or setup, make what is "
            "needed in the storm's own schema, without naming another"
        )


def facts_of(
    database: Database, engine: sa.Engine, url: sa.URL, connection_options: ConnectionOptions
) -> dict[str, Any]:
    """Return the facts that a connection of the storm finds. Raises EnvironmentFault."""
    with reaching(url), engine.connect() as connection:
        return database.facts(connection, connection_options.settings)


@contextmanager
def _telling(
    work: Work, stage: _Stage, ear: Overhearing
) -> Iterator[Callable[[Sequence[int]], tuple[Sequence[Any], Pairs]]]:
    """Yield a function that inserts a row for each token, and returns the ids told and the rows seen before COMMIT."""
    scenario = stage.scenario

    def by_session(tokens: Sequence[int]) -> tuple[Sequence[Any], Pairs]:
        with open_session(scenario, stage.engine) as session:
            with nullcontext() if scenario.local else ear.operation():
                told = validate_ids(work.insert(session, tokens), tokens)
            early = [] if scenario.local else in_time(lambda: stage.pairs(work)) or []
            session.commit()
        return told, early

    if scenario.client is None:
        yield by_session
        return
    with environment_of(scenario, stage.place_for(scenario.environment)) as given:
        manager: AbstractContextManager[Any] | AbstractAsyncContextManager[Any] = scenario.client(
            stage.place_for(scenario.client), given
        )
        with entered(manager) as client:
            yield lambda tokens: (validate_ids(awaited(client.insert(tokens)), tokens), [])


def _operate(work: Work, stage: _Stage, connection_options: ConnectionOptions, batch: int) -> tuple[Ids, list[str]]:
    """Insert one row, then as many as a storm's operation has. Returns what the plan says of the ids, and notes.

    If the first was told another row's id, there is always a second: what one row shows may be chance.
    """
    scenario, done, sentences = stage.scenario, list[Rehearsal](), list[str]()
    ear = Overhearing(stage.database, stage.database.classify, lambda: len(stage.pairs(work)), stage.engine)
    with stage.as_user_error(f"the rehearsal of one operation failed{work.hint}"), _telling(work, stage, ear) as tell:
        for count in (1, batch):
            done += _rehearse(work, stage, tell, ear, count, 1 if done else _MOST_REFUSALS)
            if not done:
                codec = codec_of(work.ids, stage.engine.dialect, [], scope=work.scope, key=work.key)
                sentences = [_ALL_REFUSED]
                break
            codec, sentences = agree(done, work, stage.engine.dialect, stage.zone, list(ear.elsewhere))
            if batch == 1 and not misled(done, codec):
                break
        look_for_typo(done, codec, work, stage.reading)
        if work.scope and done:
            with stage.reading() as connection:
                codec = as_compared(codec, work, connection)
    by_itself = any(one.early for one in done)
    if scenario.deletes and (ids := right(done, codec)):
        more, gone = _delete(work, stage, ear, codec, ids)
        sentences += more
        by_itself |= gone
    ids_of_plan = Ids(
        columns=work.id_names,
        codec=codec.planned,
        token=None if work.token is None else work.token_name,
        constraints=_unique_keys(work, stage),
        autonomous=by_itself or connection_options.isolation == AUTOCOMMIT or scenario.client is not None,
        heard=by_itself and ear.heard,
        unseen=ear.unseen,
        generator=work.generator,
        sortable=scenario.sortable,
        filled=work.filled,
    )
    return ids_of_plan, sentences


def _unique_keys(work: Work, stage: _Stage) -> tuple[str, ...]:
    """Return the unique keys of the database or, where it does not say, of the model."""
    found: tuple[str, ...] = ()
    if not stage.scenario.local:
        with suppress(sa.exc.SQLAlchemyError), stage.database.snapshot(stage.url) as connection:
            found = stage.database.keys(connection, work.id_names)
    return found or work.constraints


def _rehearse(
    work: Work,
    stage: _Stage,
    tell: Callable[[Sequence[int]], tuple[Sequence[Any], Pairs]],
    ear: Overhearing,
    count: int,
    attempts: int,
) -> list[Rehearsal]:
    """Do one operation of this many rows. Returns none where the id's own constraint refuses each attempt.

    If the scenario says that some of its operations fail, one that does is attempted again.

    If the work also has connections elsewhere, and so may write there, attempts are not repeated.
    """
    before, deadline = stage.pairs(work), monotonic() + stage.patience
    tries = _MOST_FAILURES if any(allowance.share for allowance in stage.scenario.allowances) else 1
    for attempt in range(1, max(attempts, tries) + 1):
        base = secrets.randbits(61)
        tokens = range(base, base + count)
        try:
            with ended_after(stage.patience, lambda: stage.database.quiesce(stage.url)):
                told, early = tell(tokens)
        except ENDED as error:
            refused = stage.database.classify(error, work.id_names, work.constraints).refused
            if (not refused and attempt >= tries) or (attempts > 1 and ear.elsewhere):
                raise
            if is_closing() or isinstance(error, ScenarioError):  # Ctrl-C, or an operation that had to be ended
                raise
            if refused and (attempt >= attempts or monotonic() > deadline):
                break
            continue
        after = stage.pairs(work)
        return [rehearsal_of(work, stage.engine.dialect, told, tokens, before, early, after, stage.zone)]
    return []


def _delete(work: Work, stage: _Stage, ear: Overhearing, codec: Codec, ids: list[Any]) -> tuple[list[str], bool]:
    """Delete rows of the rehearsal. Returns a sentence if any remain, and whether any were gone before COMMIT."""
    with stage.as_user_error("the rehearsal of a delete failed"):
        with open_session(stage.scenario, stage.engine) as session:
            with nullcontext() if stage.scenario.local else ear.operation():
                work.delete(session, ids)
            seen = None if stage.scenario.local else in_time(lambda: stage.pairs(work))
            gone = seen is not None and len(still_there(codec, ids, seen)) < len(ids)
            session.commit()
        kept = still_there(codec, ids, stage.pairs(work))
    return [f"the rehearsal deleted {ids!r}, but after COMMIT {kept!r} is still there"] if kept else [], gone

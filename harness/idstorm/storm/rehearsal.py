"""The rehearsal: before anything is started, one operation must round-trip its id and its token.

It takes place in a throwaway namespace, and finds what the plan has to know: what ids look like, whether the work
commits by itself, what the server can do.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, replace
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from idstorm.databases.base import Database, read_pairs
from idstorm.databases.targets import DATABASES, Address
from idstorm.databases.urls import mask, reaching
from idstorm.errors import ScenarioError
from idstorm.record.keys import Burned, Codec, Existing, codec_for
from idstorm.record.plan import Ids, Target
from idstorm.scenario import Place, Scenario
from idstorm.storm.engine import AUTOCOMMIT, Manner, open_engine, place_of, users_own
from idstorm.storm.rows import qualified
from idstorm.storm.tables import make_tables, own_pairs
from idstorm.storm.work import Work

Pairs = list[tuple[Any, int | None]]


class NotApplicable(Exception):
    """The target lacks what the scenario needs."""


@dataclass(frozen=True)
class Rehearsed:
    """What a rehearsal found."""

    target: Target
    ids: Ids
    notes: tuple[str, ...]  #: what was chosen for the scenario, and what can therefore not be judged


@dataclass(frozen=True)
class _Stage:
    """Where a rehearsal takes place."""

    scenario: Scenario
    database: Database
    url: sa.URL
    engine: sa.Engine
    place: Place

    def pairs(self, work: Work) -> Pairs:
        """Return (id, token) of each row that anybody can see: read by a connection of its own, if there is another."""
        if self.scenario.local:
            return own_pairs(work, self.engine)
        with self.database.snapshot(self.url) as connection:
            return list(read_pairs(connection, work.ids, work.token))

    def users_own(self, what: str) -> AbstractContextManager[None]:
        """Show an error as the user's own, unless the surroundings are to blame."""
        return users_own(self.database, self.url, what)


def rehearse(scenario: Scenario, work: Work, address: Address, url: sa.URL, manner: Manner, batch: int) -> Rehearsed:
    """Do one operation of a scenario in an empty namespace, and see that it comes back as it was told.

    Raises EnvironmentFault where the database is out of reach, NotApplicable where it lacks what is needed, and
    ScenarioError, with the user's own traceback, where the work fails.
    """
    target = _look(scenario, address, url)
    engine = open_engine(scenario, address.database, url, manner)
    try:
        stage = _Stage(scenario, DATABASES[target.dialect], url, engine, place_of(url, target))
        with stage.users_own("connecting failed"), reaching(url), engine.connect():
            pass
        with stage.users_own("making the tables and their rows failed"):
            make_tables(scenario, work, engine)
        ids = _operate(work, stage, manner, batch)
        facts = facts_of(stage.database, engine, url, manner)
        return Rehearsed(replace(target, facts=facts), ids, (*work.notes, *_ignored(work, target)))
    finally:
        engine.dispose()


def facts_of(database: Database, engine: sa.Engine, url: sa.URL, manner: Manner) -> dict[str, Any]:
    """Return the facts as a connection of the storm finds them. Raises EnvironmentFault."""
    with reaching(url), engine.connect() as connection:
        return database.facts(connection, manner.settings)


def told_by(ids: object, tokens: Sequence[int]) -> Sequence[Any]:
    """Return what `insert` returned, which has to be a sequence with an id for each token. Raises ScenarioError."""
    if not isinstance(ids, Sequence) or isinstance(ids, str | bytes):
        raise ScenarioError(f"insert has to return a list with an id for each token; it returned {type(ids).__name__}")
    if len(ids) != len(tokens):
        raise ScenarioError(f"insert was given {len(tokens)} tokens and returned {len(ids)} ids")
    return ids


def _look(scenario: Scenario, address: Address, url: sa.URL) -> Target:
    """Return the target as it is. Raises NotApplicable where it is not what the scenario needs."""
    with address.database.administer(url) as connection:
        database = DATABASES[address.database.actual(connection)]
        target = Target(
            name=address.name,
            dialect=database.name,
            driver=connection.dialect.driver,
            server=database.server(connection),
            url=mask(address.url),
            capabilities=tuple(sorted(database.capabilities(connection))),
        )
        missing = sorted(set(scenario.needs) - target.traits)
        if missing:
            raise NotApplicable(f"{target.dialect} has no {', '.join(missing)}")
        for name, wanted in scenario.server.get(target.dialect, {}).items():
            value = database.setting(connection, name)
            if value != wanted:
                how = f"has no {name}" if value is None else f"was started with {name}={value}"
                raise NotApplicable(f"it takes a server with {name}={wanted}, and this one {how}")
    return target


def _ignored(work: Work, target: Target) -> list[str]:
    """Return what SQLAlchemy leaves out of the id's columns here without a word."""
    asked = [column.default.name for column in work.ids if isinstance(column.default, sa.Sequence)]
    if "sequences" in target.capabilities:
        return []
    return [f"{target.dialect} has no sequences: SQLAlchemy leaves out {name} without a word" for name in asked]


@contextmanager
def environment_of(scenario: Scenario, place: Place) -> Iterator[Any]:
    """Hold up what surrounds the whole storm, and yield what its clients are told of it.

    Raises ScenarioError where that is nothing that JSON can hold.
    """
    if scenario.environment is None:
        yield None
        return
    with scenario.environment(place) as given:
        try:
            told = json.loads(json.dumps(given))
        except (TypeError, ValueError) as error:
            raise ScenarioError(f"an environment has to yield what JSON can hold: {error}") from error
        yield told


def _tell(work: Work, stage: _Stage, tokens: Sequence[int]) -> tuple[Sequence[Any], Pairs]:
    """Insert a row for each token. Returns what was told, and the rows that others saw before COMMIT."""
    scenario = stage.scenario
    if scenario.client is not None:
        with environment_of(scenario, stage.place) as given, scenario.client(stage.place, given) as client:
            return told_by(client.insert(tokens), tokens), []
    with (scenario.session or Session)(stage.engine) as session:
        told = told_by(work.insert(session, tokens), tokens)
        early = [] if scenario.local else stage.pairs(work)
        session.commit()
    return told, early


def _operate(work: Work, stage: _Stage, manner: Manner, batch: int) -> Ids:
    first = secrets.randbits(61)
    tokens, scenario = range(first, first + batch), stage.scenario
    with stage.users_own(f"the rehearsal of one operation failed{work.hint}"):
        told, early = _tell(work, stage, tokens)
        pairs = stage.pairs(work)
    matches = _matches(work, told, tokens, pairs)
    codec = _agree(matches, work)
    if scenario.deletes:
        _delete(work, stage, codec, [one for one, _ in matches])
    return Ids(
        columns=work.id_names,
        codec=codec,
        token=None if work.token is None else qualified(work.token),
        constraints=_unique_keys(work, stage),
        autonomous=(
            bool(_matches(work, told, tokens, early, strict=False))
            or manner.isolation == AUTOCOMMIT
            or scenario.client is not None
        ),
        generator=work.generator,
        sortable=scenario.sortable,
    )


def _unique_keys(work: Work, stage: _Stage) -> tuple[str, ...]:
    """Return the unique keys as the database has them; where it does not say, as the model has them."""
    found: tuple[str, ...] = ()
    if not stage.scenario.local:
        with suppress(sa.exc.SQLAlchemyError), stage.database.snapshot(stage.url) as connection:
            found = stage.database.keys(connection, work.id_names)
    return found or work.constraints


def _matches(
    work: Work, told: Sequence[Any], tokens: Sequence[int], pairs: Pairs, *, strict: bool = True
) -> list[tuple[Any, Any]]:
    """Return (id told, id stored) of each row that is there and was told an id of its own."""
    matches = []
    by_token = {token: id_ for id_, token in pairs}
    for one, token in zip(told, tokens, strict=True):
        if one is None or isinstance(one, Existing | Burned):
            continue
        if work.token is None:
            matches += [(one, id_) for id_, _ in pairs if _same(one, id_)][:1]
        elif token in by_token:
            matches.append((one, by_token[token]))
        elif strict:
            raise ScenarioError(
                f"the rehearsal was told the id {one!r}, but no row that it committed has its token in "
                f"{qualified(work.token)}"
            )
    return matches


def _same(told: Any, stored: Any) -> bool:
    try:
        codec = codec_for(told, stored)
        return codec.encode(told) == codec.encode(stored)
    except (TypeError, ValueError):
        return False


def _agree(matches: list[tuple[Any, Any]], work: Work) -> Codec:
    """Return the codec under which what was told is what is stored."""
    longest = getattr(work.ids[0].type, "length", None) if len(work.ids) == 1 else None
    if not matches:
        raise ScenarioError("the rehearsal was told the id of no row that is there: there is nothing to judge")
    codec = codec_for(*matches[0], longest)
    for one, other in matches:
        try:
            if codec.encode(one) == codec.encode(other):
                continue
        except (TypeError, ValueError, OverflowError) as error:
            names = ", ".join(work.id_names)
            raise ScenarioError(f"insert returned {one!r}, which is no id of {names}: {error}") from error
        raise ScenarioError(f"alone in its table, the rehearsal was told the id {one!r} of a row that has {other!r}")
    return codec


def _delete(work: Work, stage: _Stage, codec: Codec, ids: list[Any]) -> None:
    with stage.users_own("the rehearsal of a delete failed"):
        with (stage.scenario.session or Session)(stage.engine) as session:
            work.delete(session, ids)
            session.commit()
        left = {codec.encode(id_) for id_, _ in stage.pairs(work) if id_ is not None}
    kept = [id_ for id_ in ids if codec.encode(id_) in left]
    if kept:
        raise ScenarioError(f"the rehearsal deleted {ids!r}, but after COMMIT {kept!r} is still there")

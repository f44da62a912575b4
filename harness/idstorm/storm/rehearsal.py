"""The rehearsal: before anything is started, one operation must round-trip its id and its token.

It takes place in a throwaway namespace, and finds what the plan has to know: what ids look like, whether the work
commits by itself, what the server can do.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from idstorm.databases.base import Database, read_pairs
from idstorm.databases.targets import DATABASES, Address
from idstorm.databases.urls import mask, reaching, secrets_of
from idstorm.errors import EnvironmentFault, ScenarioError, UsageError, redact, show_users_error
from idstorm.record.keys import Codec, Existing, codec_for
from idstorm.record.plan import Ids, Target
from idstorm.scenario import Scenario
from idstorm.storm.engine import AUTOCOMMIT, Manner, open_engine
from idstorm.storm.work import Work, qualified

Pairs = list[tuple[Any, int | None]]


class NotApplicable(Exception):
    """The target lacks what the scenario needs."""


@dataclass(frozen=True)
class Rehearsed:
    """What a rehearsal found."""

    target: Target
    ids: Ids


@dataclass(frozen=True)
class _Place:
    """Where a rehearsal takes place."""

    database: Database
    url: sa.URL
    engine: sa.Engine

    def pairs(self, work: Work) -> Pairs:
        """Return (id, token) of each row that anybody can see: read by a connection of its own."""
        with self.database.snapshot(self.url) as connection:
            return list(read_pairs(connection, work.ids, work.token))

    @contextmanager
    def users_own(self, what: str) -> Iterator[None]:
        """Show an error as the user's own, unless the surroundings are to blame."""
        try:
            yield
        except UsageError:
            raise
        except Exception as error:
            words = redact(f"{what}\n{show_users_error(error)}", secrets_of(self.url))
            blame = EnvironmentFault if self.database.classify(error).environment else ScenarioError
            raise blame(words) from error


def rehearse(scenario: Scenario, work: Work, address: Address, url: sa.URL, manner: Manner, batch: int) -> Rehearsed:
    """Do one operation of a scenario in an empty namespace, and see that it comes back as it was told.

    Raises EnvironmentFault where the database is out of reach, NotApplicable where it lacks what is needed, and
    ScenarioError, with the user's own traceback, where the work fails.
    """
    engine = open_engine(scenario, address.database, url, manner)
    try:
        target = _look(address, url, engine)
        place = _Place(DATABASES[target.dialect], url, engine)
        missing = sorted(set(scenario.needs) - target.traits)
        if missing:
            raise NotApplicable(f"{target.dialect} has no {', '.join(missing)}")
        with place.users_own("making the tables and their rows failed"):
            make_tables(scenario, engine)
        ids = _operate(scenario, work, place, manner, batch)
        return Rehearsed(replace(target, facts=facts_of(place.database, engine, url, manner)), ids)
    finally:
        engine.dispose()


def make_tables(scenario: Scenario, engine: sa.Engine) -> None:
    """Make the tables of a scenario, without looking whether they exist, and what `setup` adds to them."""
    with engine.begin() as connection:
        scenario.model.metadata.create_all(connection, checkfirst=False)
        if scenario.setup is not None:
            scenario.setup(connection)


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


def _look(address: Address, url: sa.URL, engine: sa.Engine) -> Target:
    with reaching(url), engine.connect() as connection:
        database = DATABASES[address.database.actual(connection)]
        return Target(
            name=address.name,
            dialect=database.name,
            driver=engine.dialect.driver,
            server=database.server(connection),
            url=mask(address.url),
            capabilities=tuple(sorted(database.capabilities(connection))),
        )


def _operate(scenario: Scenario, work: Work, place: _Place, manner: Manner, batch: int) -> Ids:
    first = secrets.randbits(61)
    tokens = range(first, first + batch)
    with place.users_own("the rehearsal of one operation failed"):
        with (scenario.session or Session)(place.engine) as session:
            told = told_by(work.insert(session, tokens), tokens)
            early = place.pairs(work)
            session.commit()
        pairs = place.pairs(work)
    matches = _matches(work, told, tokens, pairs)
    codec = _agree(matches, work)
    if scenario.deletes:
        _delete(scenario, work, place, codec, [one for one, _ in matches])
    return Ids(
        columns=work.id_names,
        codec=codec,
        token=None if work.token is None else qualified(work.token),
        constraints=work.constraints,
        autonomous=bool(_matches(work, told, tokens, early, strict=False)) or manner.isolation == AUTOCOMMIT,
        generator=work.generator,
    )


def _matches(
    work: Work, told: Sequence[Any], tokens: Sequence[int], pairs: Pairs, *, strict: bool = True
) -> list[tuple[Any, Any]]:
    """Return (id told, id stored) of each row that is there and was told an id of its own."""
    matches = []
    by_token = {token: id_ for id_, token in pairs}
    for one, token in zip(told, tokens, strict=True):
        if one is None or isinstance(one, Existing):
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


def _delete(scenario: Scenario, work: Work, place: _Place, codec: Codec, ids: list[Any]) -> None:
    with place.users_own("the rehearsal of a delete failed"):
        with (scenario.session or Session)(place.engine) as session:
            work.delete(session, ids)
            session.commit()
        left = {codec.encode(id_) for id_, _ in place.pairs(work) if id_ is not None}
    kept = [id_ for id_ in ids if codec.encode(id_) in left]
    if kept:
        raise ScenarioError(f"the rehearsal deleted {ids!r}, but after COMMIT {kept!r} is still there")

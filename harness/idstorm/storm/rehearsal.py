"""The rehearsal: before anything is started, one operation must round-trip its id and its token.

It takes place in a throwaway namespace, and finds what the plan has to know: what ids look like, whether the work
commits by itself, what the server can do.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NoReturn

import sqlalchemy as sa
from sqlalchemy.orm import Session

from idstorm.databases.base import read_pairs
from idstorm.databases.targets import Address, secrets_of
from idstorm.errors import EnvironmentFault, ScenarioError, UsageError, redact, show_users_error
from idstorm.record.keys import Codec, Existing, codec_for
from idstorm.record.plan import Ids, Target
from idstorm.scenario import Scenario
from idstorm.storm.engine import AUTOCOMMIT, Manner, open_engine
from idstorm.storm.work import Work, qualified


class NotApplicable(Exception):
    """The target lacks what the scenario needs."""


@dataclass(frozen=True)
class Rehearsed:
    """What a rehearsal found."""

    target: Target
    ids: Ids


def rehearse(scenario: Scenario, work: Work, address: Address, url: sa.URL, manner: Manner, batch: int) -> Rehearsed:
    """Do one operation of a scenario in an empty namespace, and see that it comes back as it was told.

    Raises EnvironmentFault where the database is out of reach, NotApplicable where it lacks what is needed, and
    ScenarioError, with the user's own traceback, where the work fails.
    """
    engine = open_engine(scenario, address.database, url, manner)
    try:
        target = _look(address, url, engine, manner)
        missing = sorted(set(scenario.needs) - target.traits)
        if missing:
            raise NotApplicable(f"{target.dialect} has no {', '.join(missing)}")
        with _as_users_own("making the tables and their rows failed", url):
            make_tables(scenario, engine)
        return Rehearsed(target, _operate(scenario, work, engine, url, manner, batch))
    finally:
        engine.dispose()


def make_tables(scenario: Scenario, engine: sa.Engine) -> None:
    """Make the tables of a scenario, without looking whether they exist, and what `setup` adds to them."""
    with engine.begin() as connection:
        scenario.model.metadata.create_all(connection, checkfirst=False)
        if scenario.setup is not None:
            scenario.setup(connection)


def told_by(ids: object, tokens: Sequence[int]) -> Sequence[Any]:
    """Return what `insert` returned, which has to be a sequence with an id for each token. Raises ScenarioError."""
    if not isinstance(ids, Sequence) or isinstance(ids, str | bytes):
        raise ScenarioError(f"insert has to return a list with an id for each token; it returned {type(ids).__name__}")
    if len(ids) != len(tokens):
        raise ScenarioError(f"insert was given {len(tokens)} tokens and returned {len(ids)} ids")
    return ids


def _look(address: Address, url: sa.URL, engine: sa.Engine, manner: Manner) -> Target:
    database = address.database
    try:
        with engine.connect() as connection:
            return Target(
                name=address.name,
                dialect=database.name,
                driver=engine.dialect.driver,
                server=database.server(connection),
                url=address.name,
                capabilities=tuple(sorted(database.capabilities(connection))),
                facts=database.facts(connection, manner.settings),
            )
    except sa.exc.ArgumentError as error:
        raise UsageError(redact(str(error), secrets_of(url))) from error
    except sa.exc.SQLAlchemyError as error:
        reason = redact(str(getattr(error, "orig", None) or error), secrets_of(url))
        raise EnvironmentFault(f"{address.name} is out of reach: {reason}") from error


def _operate(scenario: Scenario, work: Work, engine: sa.Engine, url: sa.URL, manner: Manner, batch: int) -> Ids:
    commits: list[None] = []
    sa.event.listen(engine, "commit", lambda _: commits.append(None))
    first = secrets.randbits(61)
    tokens = range(first, first + batch)
    with (
        _as_users_own("the rehearsal of one operation failed", url),
        (scenario.session or Session)(engine) as session,
    ):
        told = told_by(work.insert(session, tokens), tokens)
        autonomous = bool(commits)
        session.commit()
    with engine.connect() as connection:
        pairs = list(read_pairs(connection, work.ids, work.token))
    stored = _stored(work, told, tokens, pairs)
    codec = _agree(told, stored, work)
    if scenario.deletes:
        _delete(scenario, work, engine, url, told)
    return Ids(
        columns=work.id_names,
        codec=codec,
        token=None if work.token is None else qualified(work.token),
        autonomous=autonomous or manner.isolation == AUTOCOMMIT,
        generator=work.generator,
    )


def _stored(work: Work, told: Sequence[Any], tokens: Sequence[int], pairs: list[tuple[Any, int | None]]) -> list[Any]:
    """Return the stored id of each token that was told one of its own; of any row, where rows carry no token."""
    if work.token is None:
        return [next(iter(id_ for id_, _ in pairs if str(id_) == str(one)), None) for one in told]
    by_token = {token: id_ for id_, token in pairs}
    for one, token in zip(told, tokens, strict=True):
        if one is not None and not isinstance(one, Existing) and token not in by_token:
            raise ScenarioError(
                f"the rehearsal was told the id {one!r}, but no row that it committed has its token in "
                f"{qualified(work.token)}"
            )
    return [by_token.get(token) for token in tokens]


def _agree(told: Sequence[Any], stored: Sequence[Any], work: Work) -> Codec:
    """Return the codec under which what was told is what is stored."""
    longest = getattr(work.ids[0].type, "length", None) if len(work.ids) == 1 else None
    own = [
        (one, other)
        for one, other in zip(told, stored, strict=True)
        if one is not None and not isinstance(one, Existing) and other is not None
    ]
    if not own:
        raise ScenarioError("the rehearsal was told the id of no row that is there: there is nothing to judge")
    codec = codec_for(*own[0], longest)
    for one, other in own:
        try:
            if codec.encode(one) == codec.encode(other):
                continue
        except (TypeError, ValueError) as error:
            raise ScenarioError(
                f"insert returned {one!r}, which is no id of {', '.join(work.id_names)}: {error}"
            ) from error
        raise ScenarioError(f"alone in its table, the rehearsal was told the id {one!r} of a row that has {other!r}")
    return codec


def _delete(scenario: Scenario, work: Work, engine: sa.Engine, url: sa.URL, told: Sequence[Any]) -> None:
    ids = [one for one in told if one is not None and not isinstance(one, Existing)]
    with (
        _as_users_own("the rehearsal of a delete failed", url),
        (scenario.session or Session)(engine) as session,
    ):
        work.delete(session, ids)
        session.commit()
    with engine.connect() as connection:
        left = [id_ for id_, _ in read_pairs(connection, work.ids, work.token) if id_ in ids]
    if left:
        raise ScenarioError(f"the rehearsal deleted {ids!r}, but after COMMIT {left!r} is still there")


@contextmanager
def _as_users_own(what: str, url: sa.URL) -> Any:
    try:
        yield
    except UsageError:
        raise
    except Exception as error:
        _raise(what, error, url)


def _raise(what: str, error: Exception, url: sa.URL) -> NoReturn:
    raise ScenarioError(redact(f"{what}\n{show_users_error(error)}", secrets_of(url))) from error

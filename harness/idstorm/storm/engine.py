"""How a storm opens a database: the scenario's engine, with the plan's pool, isolation and settings."""

from __future__ import annotations

from asyncio import CancelledError
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

import sqlalchemy as sa
from sqlalchemy.orm import Session

from idstorm.databases.base import Database
from idstorm.databases.urls import secrets_of
from idstorm.errors import EnvironmentFault, IdstormError, ScenarioError, UsageError, show_users_error
from idstorm.model.awaiting import ASYNC_SIDE, is_async
from idstorm.model.schema import schemas_of
from idstorm.model.work import Work
from idstorm.record.plan import Plan, Pool, Target
from idstorm.redaction import redact
from idstorm.scenario import Place, Scenario

AUTOCOMMIT = "AUTOCOMMIT"

ENDED = (Exception, CancelledError)  #: what may end an operation; in asyncio, a cancellation is no Exception


@dataclass(frozen=True)
class ConnectionOptions:
    """How a storm opens its connections."""

    pool: Pool
    isolation: str | None
    settings: Mapping[str, str]


def open_engine(
    scenario: Scenario, database: Database, url: sa.URL, connection_options: ConnectionOptions
) -> sa.Engine:
    """Return the scenario's engine, which is not connected yet; of an AsyncEngine, the Engine beneath it.

    Schemas that the model names are mapped to the namespace, where unqualified names lead.
    """
    pool = connection_options.pool
    options: dict[str, Any] = {
        "pool_size": pool.size,
        "max_overflow": pool.max_overflow,
        "pool_timeout": pool.timeout,
    }
    if connection_options.isolation is not None:
        options["isolation_level"] = connection_options.isolation
    try:
        made = (scenario.engine or sa.create_engine)(url, **options)
    except sa.exc.ArgumentError as error:
        raise UsageError(redact(str(error), secrets_of(url))) from error
    except Exception as error:
        words = redact(show_users_error(error), secrets_of(url))
        raise ScenarioError(f"making the engine failed\n{words}") from error
    engine: object = getattr(made, "sync_engine", made)  # of an AsyncEngine
    if not isinstance(engine, sa.Engine):
        raise ScenarioError(
            f"engine= of a scenario has to return an Engine or AsyncEngine of SQLAlchemy; it returned {_named(engine)}"
        )
    database.configure(
        engine, None if scenario.local else url, connection_options.settings, users=scenario.engine is not None
    )
    return translated(engine, scenario, database, url)


def open_session(scenario: Scenario, engine: sa.Engine) -> Session:
    """Return a session made by the scenario. Raises ScenarioError where it is not a Session, unlike the storm."""
    session = opening(scenario, engine)()
    if not isinstance(session, Session):
        raise ScenarioError(
            f"session= of a scenario has to return a Session or AsyncSession of SQLAlchemy; it returned "
            f"{_named(session)}"
        )
    return session


def opening(scenario: Scenario, engine: sa.Engine) -> Callable[[], Session]:
    """Return how a client opens its sessions. Of an AsyncSession, that is the Session beneath it."""
    if not engine.dialect.is_async:
        of_threads: Callable[[Any], Any] = scenario.session or Session
        return lambda: of_threads(engine)
    from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession  # which take a while, and are seldom needed

    asynchronous: Any = AsyncEngine(engine)
    of_tasks: Callable[[Any], Any] = scenario.session or AsyncSession

    def open_() -> Session:
        made: Any = of_tasks(asynchronous)
        if not isinstance(made, AsyncSession):
            if isinstance(made, Session) and made.bind is asynchronous:
                made.bind = engine
            return cast(Session, made)
        session = made.sync_session
        session.info[ASYNC_SIDE] = made
        return session

    return open_


def _named(value: object) -> str:
    return "None" if value is None else f"a value of type {type(value).__name__}"


def translated(engine: sa.Engine, scenario: Scenario, database: Database, url: sa.URL) -> sa.Engine:
    """Return an engine that maps the schemas that a model names to the namespace, unless that has schemas itself."""
    schemas = schemas_of(scenario.metadata)
    if not schemas or database.has_schemas(url):
        return engine
    return engine.execution_options(schema_translate_map=dict.fromkeys(schemas))


def make_schemas(scenario: Scenario, work: Work, database: Database, url: sa.URL) -> None:
    """Make the schemas that a model names, where the namespace has schemas; migrations make their own.

    What names no schema is looked for in the id's first: so idstorm itself reads the tables.
    """
    schemas = schemas_of(scenario.metadata)
    if schemas and database.has_schemas(url):
        table = work.ids[0].table
        first = str(getattr(table, "schema", None) or "public")
        with database.administer(url) as connection:
            database.make_schemas(connection, sorted(schemas), first, only_path=scenario.tables is not None)


@contextmanager
def as_user_error(database: Database, url: sa.URL, what: str) -> Iterator[None]:
    """Show an error as the user's own, without secrets, unless the environment is to blame."""
    try:
        yield
    except IdstormError:
        raise
    except ENDED as error:
        words = redact(f"{what}\n{show_users_error(error)}", secrets_of(url))
        code = database.classify(error)
        blame = EnvironmentFault if code.environment or code.lost else ScenarioError
        raise blame(words) from error


def place_for(function: object, database: Database, url: sa.URL, target: Target) -> Place:
    """Return what a scenario's own code is told about the place of a storm.

    Code that does not await gets a URL for threads, whatever the storm's own driver is.
    """
    return Place(
        url if is_async(function) else database.threaded(url),
        target.dialect,
        frozenset(target.capabilities),
        url.get_driver_name(),
        database.schema_in(url),
        url.database,
        partial(database.by, url),
    )


def connection_options_of(plan: Plan) -> ConnectionOptions:
    """Return the connection_options that a plan prescribes."""
    return ConnectionOptions(plan.pool, plan.isolation, plan.settings)

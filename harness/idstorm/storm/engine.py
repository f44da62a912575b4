"""How a storm opens a database: the scenario's engine, with the plan's pool, isolation and settings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from idstorm.databases.base import Database
from idstorm.databases.urls import secrets_of
from idstorm.errors import EnvironmentFault, IdstormError, ScenarioError, UsageError, show_users_error
from idstorm.internals import sequences_of
from idstorm.record.plan import Plan, Pool, Target
from idstorm.redaction import redact
from idstorm.scenario import Place, Scenario

AUTOCOMMIT = "AUTOCOMMIT"


@dataclass(frozen=True)
class ConnectionOptions:
    """How a storm opens its connections."""

    pool: Pool
    isolation: str | None
    settings: Mapping[str, str]


def open_engine(
    scenario: Scenario, database: Database, url: sa.URL, connection_options: ConnectionOptions
) -> sa.Engine:
    """Return the scenario's engine, which is not connected yet.

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
        engine = (scenario.engine or sa.create_engine)(url, **options)
    except sa.exc.ArgumentError as error:
        raise UsageError(redact(str(error), secrets_of(url))) from error
    except Exception as error:
        words = redact(show_users_error(error), secrets_of(url))
        raise ScenarioError(f"making the engine failed\n{words}") from error
    if not isinstance(engine, sa.Engine):
        raise ScenarioError(
            f"engine= of a scenario has to return an Engine of SQLAlchemy, as create_engine does; it returned "
            f"{_named(engine)}{_threads(engine)}"
        )
    database.configure(
        engine, None if scenario.local else url, connection_options.settings, users=scenario.engine is not None
    )
    return translated(engine, scenario)


def open_session(scenario: Scenario, engine: sa.Engine) -> Session:
    """Return a session made by the scenario. Raises ScenarioError where it is not a Session, unlike the storm."""
    if scenario.session is None:
        return Session(engine)
    session = scenario.session(engine)
    if not isinstance(session, Session):
        raise ScenarioError(
            f"session= of a scenario has to return a Session of SQLAlchemy; it returned "
            f"{_named(session)}{_threads(session)}"
        )
    return session


def _named(value: object) -> str:
    return "None" if value is None else f"a value of type {type(value).__name__}"


def _threads(value: object) -> str:
    """Return what to do about an object that is meant for asyncio."""
    asyncio = type(value).__module__.startswith("sqlalchemy.ext.asyncio")
    return ": the clients of a storm are threads, so use the class without Async" if asyncio else ""


def translated(engine: sa.Engine, scenario: Scenario) -> sa.Engine:
    """Return an engine that maps the schemas that a model names to the namespace."""
    schemas = _schemas(scenario.metadata)
    return engine.execution_options(schema_translate_map=dict.fromkeys(schemas)) if schemas else engine


def _schemas(metadata: sa.MetaData) -> set[str]:
    """Return every schema that a model names, for tables, and for types and sequences, whose schema may differ."""
    named: list[Any] = [*metadata.tables.values(), *sequences_of(metadata)]
    for column in (column for table in metadata.tables.values() for column in table.columns):
        inner = [getattr(column.type, name, None) for name in ("impl", "impl_instance", "item_type")]
        named += [column.default, column.onupdate, column.type, *inner]
    return {schema for one in named if isinstance(schema := getattr(one, "schema", None), str)}


@contextmanager
def as_user_error(database: Database, url: sa.URL, what: str) -> Iterator[None]:
    """Show an error as the user's own, without secrets, unless the environment is to blame."""
    try:
        yield
    except IdstormError:
        raise
    except Exception as error:
        words = redact(f"{what}\n{show_users_error(error)}", secrets_of(url))
        code = database.classify(error)
        blame = EnvironmentFault if code.environment or code.lost else ScenarioError
        raise blame(words) from error


def place_of(url: sa.URL, target: Target) -> Place:
    """Return what a scenario's own code is told about the place of a storm."""
    return Place(url, target.dialect, frozenset(target.capabilities))


def connection_options_of(plan: Plan) -> ConnectionOptions:
    """Return the connection_options that a plan prescribes."""
    return ConnectionOptions(plan.pool, plan.isolation, plan.settings)

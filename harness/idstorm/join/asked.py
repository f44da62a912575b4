"""What is listened for: a mapped class, its id, and the physical table that it leads to on a connection."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapper

from idstorm.databases.targets import DATABASES, database_of, with_threads
from idstorm.errors import EnvironmentFault, ScenarioError
from idstorm.record.plan import Target
from idstorm.scenario import Scenario
from idstorm.scenario.claims import resolve_claims
from idstorm.storm.rows import qualified
from idstorm.storm.work import constraints_of, generator_of, id_columns

_PRIVATE = "idstorm-private"


@dataclass(frozen=True)
class Place:
    """Which physical table a connection sees."""

    schema: str | None
    life: str  #: another one as soon as ids may begin anew
    private: str | None  #: names the connection, if no other sees the same table


@dataclass(frozen=True)
class Asked:
    """A mapped class whose inserts are listened for."""

    model: type
    scenario: Scenario
    ids: tuple[sa.Column[Any], ...]
    keys: tuple[str, ...]  #: the attributes that hold the id
    plain: bool  #: the id is one integer, which is sent to the database as it is
    names: tuple[str, ...]  #: of the constraints on the id

    @property
    def name(self) -> tuple[type, tuple[str, ...]]:
        """What tells it from others: the class and the attributes of its id."""
        return self.model, self.keys

    @classmethod
    def of(cls, asked: type | Scenario) -> Asked:
        """Return what a mapped class, or a scenario of one, asks for. Raises ScenarioError for anything else."""
        scenario = asked if isinstance(asked, Scenario) else Scenario(asked)
        mapper: Mapper[Any] | None = sa.inspect(scenario.model, raiseerr=False)
        if mapper is None:
            raise ScenarioError(f"{asked!r} is no mapped class and no Scenario of one")
        ids = id_columns(scenario, mapper)
        return cls(
            model=scenario.model,
            scenario=scenario,
            ids=ids,
            keys=tuple(mapper.get_property_by_column(column).key for column in ids),
            plain=len(ids) == 1 and type(ids[0].type) in (sa.Integer, sa.BigInteger, sa.SmallInteger),
            names=constraints_of(ids),
        )

    def reader(self, connection: sa.Connection) -> Callable[[Any], Any]:
        """Return what reads the id of an instance that was flushed, as the database is sent it; None: not told."""
        if self.plain:
            (key,) = self.keys
            return lambda made: made.__dict__.get(key)
        dialect = connection.dialect
        senders = [column.type.dialect_impl(dialect).bind_processor(dialect) for column in self.ids]

        def read(made: Any) -> Any:
            values = [made.__dict__.get(key) for key in self.keys]
            if None in values:
                return None
            sent = [send(value) if send else value for send, value in zip(senders, values, strict=True)]
            return sent[0] if len(sent) == 1 else sent

        return read

    def place(self, connection: sa.Connection) -> Place:
        """Return which physical table this connection sees: one look, within its transaction."""
        table = self.ids[0].table
        assert isinstance(table, sa.Table)
        schemas = connection.get_execution_options().get("schema_translate_map") or {}
        schema = schemas.get(table.schema, table.schema)
        physical = database_of(connection).physical(connection.connection, table.name, schema)
        if physical is not None and not physical.private:
            return Place(physical.schema, physical.life, None)
        # A fork has a copy of the memory.
        private = connection.info.setdefault((_PRIVATE, os.getpid()), secrets.token_hex(8))
        return Place(schema if physical is None else physical.schema, "", private)

    def describe(self, connection: sa.Connection, place: Place) -> dict[str, Any]:
        """Return what there is to know of the physical table, as JSON can hold it, with the URL's password."""
        url = with_threads(connection.engine.url)
        target = _look(url)
        generator = generator_of(self.ids) if self.scenario.generated else None
        return {
            "model": self.model.__name__ + "".join(f".{key}" for key in self.keys if self.scenario.id is not None),
            "target": asdict(target),
            "url": url.render_as_string(hide_password=False),
            "table": self.ids[0].table.name,
            **asdict(place),
            "columns": [column.name for column in self.ids],
            "names": [qualified(column) for column in self.ids],
            "constraints": list(self.names),
            "generator": None if generator is None else asdict(generator),
            "sortable": self.scenario.sortable,
            "claims": {check: asdict(claim) for check, claim in resolve_claims(self.scenario.claims, target).items()},
        }

    def refusal(self, connection: sa.Connection, error: BaseException) -> str | None:
        """Return the error's code, if a constraint of the id itself refused a row."""
        code = database_of(connection).classify(error, [qualified(column) for column in self.ids], self.names)
        return code.name if code.refused else None


def may_autocommit(connection: sa.Connection) -> bool:
    """Return whether each statement is a transaction, unless somebody says BEGIN aloud."""
    if connection.get_execution_options().get("isolation_level") == "AUTOCOMMIT":
        return True
    try:
        detect: Any = connection.dialect.detect_autocommit_setting
        return bool(detect(connection.connection.dbapi_connection))
    except (AttributeError, NotImplementedError):  # an older SQLAlchemy, or a driver that does not tell
        return False


def commits_at_once(connection: sa.Connection) -> bool:
    """Return whether what was just sent was a transaction of its own, or may have been."""
    if not may_autocommit(connection):
        return False
    return not getattr(connection.connection.driver_connection, "in_transaction", False)  # SQLite's drivers know


def proves_rollback(connection: sa.Connection, error: BaseException) -> bool:
    """Return whether an error is proof that COMMIT took no effect."""
    return database_of(connection).classify(error).rolled_back


@cache
def _look(url: sa.URL) -> Target:
    """Return the target that a URL leads to, looked at by a connection of its own."""
    database = DATABASES[url.get_backend_name()]
    masked = url.render_as_string(hide_password=True)
    try:
        with database.administer(url) as connection:
            database = DATABASES[database.actual(connection)]
            return Target(
                name=database.name,
                dialect=database.name,
                driver=connection.dialect.driver,
                server=database.server(connection),
                url=masked,
                capabilities=tuple(sorted(database.capabilities(connection))),
            )
    except (EnvironmentFault, sa.exc.SQLAlchemyError):  # connections are made in a way that only the suite knows
        return Target(database.name, database.name, url.get_driver_name(), "", masked)

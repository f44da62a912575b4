"""What is listened for: a mapped class, its id, and the physical table that it leads to on a connection."""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapper

from idstorm.databases.registry import DATABASES
from idstorm.databases.targets import database_at, database_of, with_threads
from idstorm.databases.urls import mask
from idstorm.errors import EnvironmentFault, ScenarioError
from idstorm.findings.checks import held_by_default
from idstorm.join.keyring import remember
from idstorm.record.code import Code
from idstorm.record.plan import Claim, Target
from idstorm.scenario import Scenario
from idstorm.scenario.claims import resolve_claims
from idstorm.storm.rows import qualified
from idstorm.storm.work import constraints_of, generator_of, id_columns

Name = tuple[type, tuple[str, ...]]
"""Of what is asked for: a mapped class and the attributes of its id."""

_PRIVATE, _OPENED = "idstorm-private", "idstorm-opened"
_SHARED_MEMORY = re.compile("^file:.*(memory.*cache=shared|cache=shared.*memory|vfs=memdb)")


@dataclass(frozen=True)
class Place:
    """Which physical table a connection sees."""

    schema: str | None
    life: str  #: another one as soon as ids may begin anew
    private: str | None  #: names the connection, or the process, if no other sees the same table
    database: str = ""  #: tells it from all others, of which some may have the same URL
    file: str | None = None  #: of the database, where it is one
    known: bool = True  #: False: nobody could look


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
    def name(self) -> Name:
        """What tells it from others: the class and the attributes of its id."""
        return self.model, self.keys

    @classmethod
    def of(cls, asked: type | Scenario) -> Asked:
        """Return what a mapped class, or a scenario of one, asks for. Raises ScenarioError for anything else."""
        scenario = asked if isinstance(asked, Scenario) else Scenario(asked)
        mapper: Mapper[Any] | None = sa.inspect(scenario.model, raiseerr=False)
        if mapper is None:
            raise ScenarioError(f"{asked!r} is neither a mapped class nor a Scenario of one")
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

    def standing(self, connection: sa.Connection) -> tuple[str, str | None] | None:
        """Return what decides where the table's name leads to, if asking for that takes less long than a look."""
        current = database_of(connection).standing(connection.connection)
        return None if current is None else (current, self._schema(connection))

    def place(self, connection: sa.Connection) -> Place:
        """Return which physical table this connection sees: one look, within its transaction."""
        schema = self._schema(connection)
        physical = database_of(connection).physical(connection.connection, self._table.name, schema)
        if physical is None or physical.private:
            return Place(schema if physical is None else physical.schema, "", _private(connection))
        database = physical.database
        if physical.file is not None:  # as it was when it was opened: another may have taken its place since
            database = connection.info.setdefault((_OPENED, physical.file), database)
        return Place(physical.schema, physical.life, None, database, physical.file)

    @property
    def _table(self) -> sa.Table:
        table = self.ids[0].table
        assert isinstance(table, sa.Table)
        return table

    def _schema(self, connection: sa.Connection) -> str | None:
        schemas = connection.get_execution_options().get("schema_translate_map") or {}
        schema: str | None = schemas.get(self._table.schema, self._table.schema)
        return schema

    def describe(self, connection: sa.Connection, place: Place) -> dict[str, Any]:
        """Return what there is to know of the physical table, as JSON can hold it, without a secret.

        The URL leads to the same file from wherever it is followed.
        """
        url = with_threads(connection.engine.url)
        if place.file is not None:
            url = url.set(database=place.file).difference_update_query(["uri", "mode", "cache", "vfs"])
        target = _look(url)
        generator = generator_of(self.ids) if self.scenario.generated else None
        return {
            "model": self.model.__name__ + "".join(f".{key}" for key in self.keys if self.scenario.id is not None),
            "target": asdict(target),
            "url": remember(url),
            "table": self._table.name,
            "schema": place.schema,
            "life": place.life,
            "private": place.private,
            "database": place.database,
            "known": place.known,
            "columns": [column.name for column in self.ids],
            "names": [qualified(column) for column in self.ids],
            "constraints": list(self.names),
            "generator": None if generator is None else asdict(generator),
            "sortable": self.scenario.sortable,
            "claims": {check: asdict(claim) for check, claim in _claims(self.scenario, target).items()},
        }

    def code(self, connection: sa.Connection, error: BaseException) -> Code:
        """Return what an error says of an insert that it ended."""
        found = database_of(connection).classify(error, [qualified(column) for column in self.ids], self.names)
        if isinstance(error, sa.exc.DBAPIError) and not isinstance(error.orig, connection.dialect.loaded_dbapi.Error):
            return Code(found.name)  # of another database, which the session has, too
        return Code(found.name, refused=found.refused, raced=found.raced, recognised=found.recognised)


def _claims(scenario: Scenario, target: Target) -> dict[str, Claim]:
    """Return the claims of a scenario of which a suite's own sessions are the clients: suites assert refusals."""
    holds = [check for check in held_by_default() if check != "accepted"]
    return resolve_claims(scenario.claims, target, holds)


def unseen() -> Place:
    """Return the place of a table of which nobody knows which it is."""
    return Place(None, "", secrets.token_hex(8), known=False)


def _private(connection: sa.Connection) -> str:
    """Return a name for what one connection sees, or for memory that the connections of a process share.

    A fork has a copy of the memory.
    """
    url = connection.engine.url
    words = f"{url.database}?{'&'.join(f'{name}={value}' for name, value in url.query.items())}"
    if _SHARED_MEMORY.search(words):
        return f"{os.getpid()}:{url.database}"
    token: str = connection.info.setdefault((_PRIVATE, os.getpid()), secrets.token_hex(8))
    return token


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
    database = database_at(url)
    masked = mask(url)
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

"""What is listened for: a mapped class, its id, and the physical table that it resolves to on a connection."""

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

from idstorm.databases.targets import database_at, database_of, target_behind
from idstorm.databases.urls import mask
from idstorm.errors import EnvironmentFault, ScenarioError
from idstorm.findings.checks import held_by_default
from idstorm.join.keyring import remember
from idstorm.model.rows import qualified
from idstorm.model.work import constraints_of, generator_of, id_columns
from idstorm.record.code import Code
from idstorm.record.plan import Claim, Target
from idstorm.scenario import Scenario
from idstorm.scenario.claims import resolve_claims

Name = tuple[type, tuple[str, ...]]
"""A mapped class and the attributes of its id."""

_PRIVATE, _OPENED = "idstorm-private", "idstorm-opened"
_SHARED_MEMORY = re.compile("^file:.*(memory.*cache=shared|cache=shared.*memory|vfs=memdb)")


@dataclass(frozen=True)
class TableView:
    """Which physical table a connection sees."""

    schema: str | None
    life: str  #: changes when ids may have restarted
    private: str | None  #: the connection or process, if no other sees the same table
    database: str = ""  #: identifies the database; a URL does not
    file: str | None = None  #: the database's file, if it is a file
    known: bool = True  #: False: it could not be looked up


@dataclass(frozen=True)
class Watched:
    """A mapped class whose inserts are listened for."""

    model: type
    scenario: Scenario
    ids: tuple[sa.Column[Any], ...]
    keys: tuple[str, ...]  #: the attributes that hold the id
    plain: bool  #: the id is one integer, which is sent to the database unchanged
    names: tuple[str, ...]  #: the names of the constraints on the id

    @property
    def name(self) -> Name:
        """What identifies it: the class and the attributes of its id."""
        return self.model, self.keys

    @classmethod
    def of(cls, watched: type | Scenario) -> Watched:
        """Make one from a mapped class or a scenario of one. Raises ScenarioError for anything else."""
        scenario = watched if isinstance(watched, Scenario) else Scenario(watched)
        mapper: Mapper[Any] | None = sa.inspect(scenario.mapped, raiseerr=False)
        if mapper is None:
            raise ScenarioError(f"{watched!r} is neither a mapped class nor a Scenario of one")
        if unknown := [name for name in ("scope", "key", "present") if getattr(scenario, name) is not None]:
            raise ScenarioError(
                f"{' and '.join(unknown)} of a scenario cannot be judged of sessions that are joined: "
                "join a scenario without, whose id is all the columns that tell its rows apart"
            )
        ids = id_columns(scenario, mapper)
        return cls(
            model=scenario.mapped,
            scenario=scenario,
            ids=ids,
            keys=tuple(mapper.get_property_by_column(column).key for column in ids),
            plain=len(ids) == 1 and type(ids[0].type) in (sa.Integer, sa.BigInteger, sa.SmallInteger),
            names=constraints_of(ids),
        )

    def reader(self, connection: sa.Connection) -> Callable[[Any], Any]:
        """Return a function that reads a flushed instance's id in the form sent to the database; None: not told."""
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
        """Return what decides which table the name resolves to, if asking for that is faster than a lookup."""
        current = database_of(connection).standing(connection.connection)
        return None if current is None else (current, self._schema(connection))

    def place(self, connection: sa.Connection) -> TableView:
        """Return which physical table this connection sees, by one lookup within its transaction."""
        schema = self._schema(connection)
        physical = database_of(connection).physical(connection.connection, self._table.name, schema)
        if physical is None or physical.private:
            return TableView(schema if physical is None else physical.schema, "", _private(connection))
        database = physical.database
        if physical.file is not None:  # the file that was opened: another may have replaced it since
            database = connection.info.setdefault((_OPENED, physical.file), database)
        return TableView(physical.schema, physical.life, None, database, physical.file)

    @property
    def _table(self) -> sa.Table:
        table = self.ids[0].table
        assert isinstance(table, sa.Table)
        return table

    def _schema(self, connection: sa.Connection) -> str | None:
        schemas = connection.get_execution_options().get("schema_translate_map") or {}
        schema: str | None = schemas.get(self._table.schema, self._table.schema)
        return schema

    def describe(self, connection: sa.Connection, place: TableView) -> dict[str, Any]:
        """Return all that is known of the physical table, as JSON can hold it, without secrets.

        If the database is a file, its URL has an absolute path.
        """
        url = database_of(connection).threaded(connection.engine.url)
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
        """Return the code of an error that ended an insert."""
        found = database_of(connection).classify(error, [qualified(column) for column in self.ids], self.names)
        if isinstance(error, sa.exc.DBAPIError) and not isinstance(error.orig, connection.dialect.loaded_dbapi.Error):
            return Code(found.name)  # from another database that the session also uses
        return Code(found.name, refused=found.refused, raced=found.raced, recognised=found.recognised)


def _claims(scenario: Scenario, target: Target) -> dict[str, Claim]:
    """Return the claims where a suite's own sessions are the clients: suites provoke refusals to assert them."""
    holds = [check for check in held_by_default() if check != "accepted"]
    return resolve_claims(scenario.claims, target, holds)


def unseen() -> TableView:
    """Return the place of a table that is not known."""
    return TableView(None, "", secrets.token_hex(8), known=False)


def _private(connection: sa.Connection) -> str:
    """Return a name for what one connection sees, or for memory that a process's connections share.

    A fork has its own copy of the memory.
    """
    url = connection.engine.url
    words = f"{url.database}?{'&'.join(f'{name}={value}' for name, value in url.query.items())}"
    if _SHARED_MEMORY.search(words):
        return f"{os.getpid()}:{url.database}"
    token: str = connection.info.setdefault((_PRIVATE, os.getpid()), secrets.token_hex(8))
    return token


def may_autocommit(connection: sa.Connection) -> bool:
    """Return whether each statement is a transaction, unless there is an explicit BEGIN."""
    if connection.get_execution_options().get("isolation_level") == "AUTOCOMMIT":
        return True
    try:
        detect: Any = connection.dialect.detect_autocommit_setting
        return bool(detect(connection.connection.dbapi_connection))
    except (AttributeError, NotImplementedError):  # an older SQLAlchemy, or a driver that does not say
        return False


def commits_at_once(connection: sa.Connection) -> bool:
    """Return whether the last statement was, or may have been, a transaction by itself."""
    if not may_autocommit(connection):
        return False
    return not getattr(connection.connection.driver_connection, "in_transaction", False)  # SQLite's drivers know


def proves_rollback(connection: sa.Connection, error: BaseException) -> bool:
    """Return whether an error is proof that COMMIT took no effect."""
    return database_of(connection).classify(error).rolled_back


@cache
def _look(url: sa.URL) -> Target:
    """Return the target that a URL leads to, looked at through a new connection."""
    database = database_at(url)
    try:
        with database.administer(url) as connection:
            return target_behind(database, connection, url)
    except (EnvironmentFault, sa.exc.SQLAlchemyError):  # only the suite knows how to connect
        return Target(database.name, database.name, url.get_driver_name(), "", mask(url))

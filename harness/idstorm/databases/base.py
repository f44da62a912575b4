"""What a database is to a storm. Each has a file of its own that fills this in."""

from __future__ import annotations

import secrets
from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import sqlalchemy as sa

from idstorm.databases.bystanders import Bystanders
from idstorm.databases.chain import Found, errors_of_drivers, remember
from idstorm.databases.committing import Statements
from idstorm.databases.namespaces.making import Namespaces
from idstorm.databases.namespaces.names import Quiet
from idstorm.databases.private.recipe import Recipe
from idstorm.databases.rows import in_namespace, read_pairs, read_rows
from idstorm.databases.uniques import owned, uniques
from idstorm.databases.urls import fitting, mask, reaching, secrets_of
from idstorm.errors import EnvironmentFault, ScenarioError, UsageError
from idstorm.record.capacity import Capacity
from idstorm.record.census import Census
from idstorm.record.keys import Codec
from idstorm.redaction import redact


@dataclass(frozen=True)
class ErrorCode:
    """What a driver's error means for the operation that it ended."""

    name: str  #: the same for all errors of the same cause
    refused: bool = False  #: a row was refused by the id's own constraint
    rolled_back: bool = False  #: proof that the transaction did not commit, even where COMMIT had been sent
    raced: bool = False  #: the database itself ended the operation, because of others at the same time
    recognised: bool = True  #: False: whether the id's own constraint refused the row is not known
    wrapped: bool = False  #: the driver's error was found in the chain of another: more may have been done in between
    works_own: bool = False  #: the work raised it, or what the work calls: there is no driver's error in its chain
    environment: bool = False  #: neither the work nor the database is at fault: disk full, read-only, out of reach
    lost: bool = False  #: there was a connection, and it is gone


@dataclass(frozen=True)
class Physical:
    """The table that a name leads to on one connection."""

    schema: str | None  #: where another connection finds it
    life: str  #: another one as soon as the table is made anew, or emptied in a way that begins its ids anew
    private: bool = False  #: no other connection can see it
    database: str = ""  #: the same for all that see this database, however their URLs spell it, and for no other
    file: str | None = None  #: the database's file, where it is one: an absolute path


class CensusUnreadable(EnvironmentFault):
    """The census could not be read, or does not agree with the table's own count."""


class Database(Namespaces):
    """One database: its capabilities, error codes, facts, namespace and census."""

    name: ClassVar[str]
    schemes: ClassVar[tuple[str, ...]]
    """How bare URLs of it begin."""
    drivers: ClassVar[tuple[str, ...]]
    """The drivers that a bare URL may get, the best one first, by SQLAlchemy's names."""
    backends: ClassVar[tuple[str, ...]]
    """What SQLAlchemy calls the dialects that reach it, the one for bare URLs first."""
    modules: ClassVar[Mapping[str, str]] = {}
    """The modules of drivers that are not called as SQLAlchemy calls the driver."""
    packages: ClassVar[Mapping[str, str]] = {}
    """What `pip install` is given to bring a driver, where that is not the module's name."""
    raising: ClassVar[tuple[str, ...]] = ()
    """The packages whose errors come from its drivers."""
    how_to_get: ClassVar[str] = ""
    """What a reader may do to have one, besides giving the URL of one: `install …`."""
    recipe: ClassVar[Recipe | None] = None
    """How a private server of it is made, if that can be."""
    pads_blanks: ClassVar[bool] = True
    """A CHAR column fills its values up with blanks."""
    converts_zones: ClassVar[bool] = False
    """Moments are converted between those with a zone and those without, by the zone of the session."""
    unfit: ClassVar[Mapping[str, str]] = {}
    """The drivers that cannot be made use of, each with the reason."""
    serverless: ClassVar[bool] = False
    """It is a file: no server can be out of reach, and to ask for it is to make it."""
    astray: ClassVar[str] = "the server, or what stands before it, ignores where the URL leads; connect to it directly"
    """What to do where a connection is not in the namespace that its URL names."""
    settings: ClassVar[Mapping[str, tuple[str, ...] | None]] = {}
    """What `--set` may change, with the values that it may have; None: anything."""
    statements: ClassVar[Statements]
    """What its statements mean for a transaction."""

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        remember(cls.raising)

    def check_url(self, url: sa.URL) -> None:
        """Raise UsageError for a URL that cannot be stormed, whatever is there."""
        return

    @abstractmethod
    def prove(self, connection: Any, url: sa.URL) -> bool:
        """Return whether a driver's connection is in the namespace that a storm's URL leads into."""

    @abstractmethod
    def prepare(self, connection: Any, settings: Mapping[str, str]) -> None:
        """Let a driver's new connection follow these settings, whatever is rolled back on it later."""

    @abstractmethod
    def capabilities(self, connection: sa.Connection) -> frozenset[str]:
        """Return what this server can do."""

    @abstractmethod
    def facts(self, connection: sa.Connection, settings: Mapping[str, str]) -> dict[str, Any]:
        """Return what decides how ids are handed out here, and the versions involved.

        `Habits.told()` is among it, where generators do more than counting.
        """

    def lock_timeout(self, facts: Mapping[str, Any]) -> float:
        """Return for how many seconds a statement waits for a lock at most, by the facts; 0: no timeout is set."""
        return 0.0

    @abstractmethod
    def server(self, connection: sa.Connection) -> str:
        """Return the version of the server, as it says."""

    @abstractmethod
    def read_error(self, found: Found, ids: Sequence[str], names: Sequence[str]) -> ErrorCode | None:
        """Return what a driver's error means, or None for one that is not of this database's drivers.

        `ids` are the id's columns as `table.column`, `names` the unique keys that are known, as `Unique` writes them.
        """

    def keys(self, connection: sa.Connection, ids: Sequence[str]) -> tuple[str, ...]:
        """Return the unique keys that are there, as `Unique` writes them: those that no model has among them.

        None where the catalogue does not help, or cannot be read: what the model knows has to do.
        """
        return ()

    def committed(self, connection: Any) -> bool:
        """Return whether a statement that may commit can have done so, by what its driver's connection says now."""
        return True

    def in_transaction(self, connection: Any) -> bool | None:
        """Return whether a driver's connection has a transaction open, without asking the server; None: not known."""
        return None

    def quiesce(self, url: sa.URL) -> Quiet:
        """Wait for the sessions of the namespace, then end them, and give up what they had prepared."""
        name = self.name_in(url)
        if name is None:
            return Quiet(False)
        try:
            with self.administer(url) as connection:
                return self._quiesce(connection, name)
        except (sa.exc.SQLAlchemyError, EnvironmentFault) as error:
            words = redact(str(getattr(error, "orig", None) or error).strip(), secrets_of(url))
            return Quiet(False, unseen=f"whether its sessions had ended: {words}")

    def _quiesce(self, connection: sa.Connection, name: str) -> Quiet:
        raise NotImplementedError

    def bystanders(self, connection: sa.Connection) -> Bystanders:
        """Return who else a storm on this server concerns."""
        return Bystanders()

    def leads_outside(self, connection: sa.Connection) -> list[str]:
        """Return what of the tables in the namespace that a connection is in leads out of it, in words."""
        return []

    def privileges(self, url: sa.URL, *, two_phase: bool) -> list[str]:
        """Return, as statements, what a storm needs to be allowed to do, besides connecting."""
        return []

    @contextmanager
    def snapshot(self, url: sa.URL) -> Iterator[sa.Connection]:
        """Open a connection in a fresh transaction that sees one snapshot, from its first read on."""
        engine = sa.create_engine(url, poolclass=sa.NullPool, isolation_level="REPEATABLE READ")
        try:
            with engine.connect() as connection:
                yield connection
        finally:
            engine.dispose()

    def setting(self, connection: sa.Connection, name: str) -> str | None:
        """Return a setting of the server itself as it says it, or None where it has no such setting."""
        return None

    def capacity(
        self, connection: sa.Connection, table: str, column: str, sequence: str | None, *, down: bool
    ) -> Capacity | None:
        """Return how far a column, and what fills it, can go; None where the column is not an integer.

        `sequence` is the one that the model names, `down` tells that the ids descend.
        """
        return None

    def last_of(self, type_: str, *, down: bool) -> int | None:
        """Return the last value of an integer type, in the database's words; None where widths mean nothing."""
        return None

    @abstractmethod
    def physical(self, connection: Any, table: str, schema: str | None) -> Physical | None:
        """Return which table a name leads to on a driver's connection; None where that is not known.

        It takes part in the transaction that is under way, and must not end it.
        """

    def standing(self, connection: Any) -> str | None:
        """Return what a session may change of where names lead to, on a driver's connection.

        None: to ask for that costs no less than `physical`.
        """
        return None

    def actual(self, connection: sa.Connection) -> str:
        """Return the name of the database that the server says it is."""
        return self.name

    def named_by(self, dialect: sa.Dialect) -> str:
        """Return the name of the database that SQLAlchemy's dialect has found itself to be connected to."""
        return self.name

    def zone(self, connection: sa.Connection) -> str:
        """Return the time zone in which a session takes moments without one; "" where none is needed."""
        return ""

    def administering(self, url: sa.URL) -> sa.URL:
        """Return the URL for idstorm's own work, which leads to the same database."""
        return url

    @contextmanager
    def administer(self, url: sa.URL) -> Iterator[sa.Connection]:
        """Open a connection for idstorm's own work, each statement a transaction.

        Raises EnvironmentFault, or UsageError for a driver that does not do what SQLAlchemy asks of it.
        """
        engine = sa.create_engine(self.administering(url), poolclass=sa.NullPool, isolation_level="AUTOCOMMIT")
        try:
            with reaching(url), fitting(url):
                connection = engine.connect()
            try:
                yield connection
            finally:
                with suppress(sa.exc.SQLAlchemyError):  # it was lost: what it was for has been done, or has failed
                    connection.close()
        finally:
            engine.dispose()

    def configure(
        self, engine: sa.Engine, url: sa.URL | None, settings: Mapping[str, str], *, users: bool = False
    ) -> None:
        """Let every new connection follow these settings, and prove that it is in the namespace of the storm's URL.

        An engine of the user's making can lead elsewhere by itself; one of ours does only if something in between does.
        Transactions in two phases are given names that begin with the namespace's: so they are known again.
        """
        name = None if url is None else self.name_in(url)
        if name is not None:
            engine.dialect.create_xid = lambda: f"{name}_{secrets.token_hex(8)}"  # type: ignore[method-assign]

        @sa.event.listens_for(engine, "connect")
        def on_connect(connection: Any, _: Any) -> None:
            if url is not None and not self.prove(connection, url):
                if users:
                    raise ScenarioError(
                        "the engine of the scenario does not lead where its URL does: into the storm's own"
                    )
                raise EnvironmentFault(f"{mask(url)} does not lead into the storm's own namespace: {self.astray}")
            self.prepare(connection, settings)

    def check_settings(self, settings: Mapping[str, str]) -> None:
        """Raise UsageError for a setting that does not exist here, or cannot have this value."""
        for name, value in settings.items():
            if name not in self.settings:
                known = ", ".join(self.settings) or "none"
                raise UsageError(f"--set {name}: {self.name} has no such setting; there are {known}")
            allowed = self.settings[name]
            if allowed is not None and value.lower() not in allowed:
                raise UsageError(f"--set {name}={value}: it may be {', '.join(allowed)}")

    def classify(self, error: BaseException, ids: Sequence[str] = (), names: Sequence[str] = ()) -> ErrorCode:
        """Return what any error means that ended an operation, by the driver's error that is nearest in its chain.

        Of several, where it is a group, a refusal counts most, then what is not recognised. An error without a driver's
        in its chain is the work's own, and no refusal; whether that is so behind an HTTP client is not known here, so
        `works_own` tells it. A driver's error that no file of `codes` lists is not recognised.
        """
        codes = [
            replace(code, wrapped=True, rolled_back=False) if found.wrapped else code
            for found in errors_of_drivers(error)
            for code in [self.read_error(found, ids, names) or ErrorCode(_named(found.error), recognised=False)]
        ]
        if codes:
            return min(codes, key=lambda code: (not code.refused, code.recognised))
        if isinstance(error, sa.exc.TimeoutError):
            return ErrorCode("sqlalchemy:3o7r the pool had no connection in time")
        hidden = isinstance(error, sa.exc.PendingRollbackError)  # an earlier error was swallowed
        return ErrorCode(_named(getattr(error, "orig", None) or error), recognised=not hidden, works_own=not hidden)

    def is_own(self, constraint: str, names: Sequence[str]) -> bool | None:
        """Return whether a constraint that an application names is the id's own; None where that is not known.

        It may have its table before it (`orders.PRIMARY`), or be columns, as SQLite names them (`orders.a, orders.b`).
        """
        known, (table, _, name) = uniques(tuple(names)), constraint.strip("`\"'").rpartition(".")
        columns = [(one, ", ".join(f"{one.table}.{column}" for column in one.columns)) for one in known]
        by_columns = {one.own for one, written in columns if written == constraint}
        return by_columns.pop() if len(by_columns) == 1 else owned(known, name, table or None)

    def read_ids(self, url: sa.URL, columns: Sequence[sa.ColumnClause[Any]], database: str) -> list[Any]:
        """Return the ids of a table in one snapshot, in no order, as the driver gives them.

        `database` is the one that `physical` told of. Raises CensusUnreadable, also where the URL leads to another one.
        """
        table = columns[0].table
        assert isinstance(table, sa.TableClause)
        try:
            with self.snapshot(url) as connection:
                found = self.physical(connection.connection, table.name, table.schema)
                if found is not None and found.database != database:
                    raise CensusUnreadable("the URL leads to another database than the sessions were in")
                rows = read_rows(connection, columns)
        except CensusUnreadable:
            raise
        except Exception as error:  # SQLAlchemy's, or the driver's own
            words = redact(_words_of(error), secrets_of(url))
            raise CensusUnreadable(f"the table could not be read: {words}") from error
        return [row[0] for row in rows] if len(columns) == 1 else rows

    def read_census(
        self, url: sa.URL, ids: Sequence[sa.Column[Any]], token: sa.Column[Any] | None, codec: Codec
    ) -> Census:
        """Return the (id, token) pairs of a table in one snapshot.

        An id that does not read back, or is no id of this codec, is kept as `odd`. Raises CensusUnreadable where
        reading fails, or where the rows are not as many as the table counts.
        """
        _, columns, carrier = in_namespace(ids, token)
        plain = carrier is not None and codec.kind == "int64" and _are_plain(columns, carrier)
        with suppress(CensusUnreadable):  # what the fast way fails at, the plain one may not
            if plain:
                return self._counted_census(url, ids, token, codec, fast=True)
        return self._counted_census(url, ids, token, codec, fast=False)

    def _counted_census(
        self, url: sa.URL, ids: Sequence[sa.Column[Any]], token: sa.Column[Any] | None, codec: Codec, *, fast: bool
    ) -> Census:
        try:
            with self.snapshot(url) as connection:
                table, columns, carrier = in_namespace(ids, token)
                counts = [sa.func.count(column) for column in (*columns, *([] if carrier is None else [carrier]))]
                counted, *known = connection.execute(sa.select(sa.func.count(), *counts).select_from(table)).one()
                census = None
                if fast and carrier is not None and all(number == counted for number in known):
                    census = self._fast_census(connection, columns[0], carrier, codec)
                if census is None:
                    census = Census.of(codec, read_pairs(connection, ids, token))
        except Exception as error:  # a driver's, a type's, a value's: in any case the run goes on
            raise CensusUnreadable(f"the census could not be read: {_words_of(error)}") from error
        if len(census) != counted:
            raise CensusUnreadable(f"the census has {len(census)} rows where the table counts {counted}")
        return census

    def _fast_census(
        self, connection: sa.Connection, id_: sa.ColumnClause[Any], token: sa.ColumnClause[Any], codec: Codec
    ) -> Census | None:
        """Return the census of integers without a NULL by a way that the driver is fast at; None if there is none."""
        return None


def _words_of(error: Exception) -> str:
    """Return what an error says, named where it is not a driver's: that of a KeyError is no more than the key."""
    original = getattr(error, "orig", None)
    return str(original).strip() if original is not None else f"{type(error).__name__}: {error}"


def _named(error: BaseException) -> str:
    module = type(error).__module__.partition(".")[0]
    return f"{'python' if module == 'builtins' else module}:{type(error).__name__}"


def _are_plain(ids: Sequence[sa.ColumnClause[Any]], token: sa.ColumnClause[Any]) -> bool:
    plain = (sa.Integer, sa.BigInteger, sa.SmallInteger)
    return len(ids) == 1 and type(ids[0].type) in plain and isinstance(token.type, sa.Integer)

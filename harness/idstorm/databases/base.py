"""What a storm needs from a database. Each database implements this in its own file."""

from __future__ import annotations

import secrets
from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Any, ClassVar

import sqlalchemy as sa

from idstorm.databases.bystanders import Bystanders
from idstorm.databases.chain import Found, errors_of_drivers, remember
from idstorm.databases.committing import Statements
from idstorm.databases.drivers import best_driver
from idstorm.databases.error_code import ErrorCode
from idstorm.databases.namespaces.making import Namespaces
from idstorm.databases.namespaces.names import Quiet
from idstorm.databases.private.recipe import Recipe
from idstorm.databases.stepped import Stepped
from idstorm.databases.uniques import owned, uniques
from idstorm.databases.urls import fitting, mask, reaching, words_of
from idstorm.errors import EnvironmentFault, ScenarioError, UsageError
from idstorm.record.capacity import Capacity
from idstorm.record.survey import Survey

_SHARED = "sqlalchemy:isce several clients used one Session at the same time: give each operation one of its own"
"""https://docs.sqlalchemy.org/en/20/errors.html#error-isce"""
_FLUSHING = "Session is already flushing"  # what the same misuse is told if it is seen later, without a code


class Database(Namespaces, Stepped):
    """One database: its capabilities, error codes, facts, namespace and census."""

    name: ClassVar[str]
    schemes: ClassVar[tuple[str, ...]]
    """The schemes of its bare URLs."""
    drivers: ClassVar[tuple[str, ...]]
    """The drivers that a bare URL may get, the best first, by SQLAlchemy's names."""
    backends: ClassVar[tuple[str, ...]]
    """SQLAlchemy's names of the dialects that reach it, the one for bare URLs first."""
    asyncio_drivers: ClassVar[tuple[str, ...]] = ()
    """The drivers for asyncio by which it has been stormed, by SQLAlchemy's names."""
    modules: ClassVar[Mapping[str, str]] = {}
    """The modules of drivers whose module is not named as SQLAlchemy names the driver."""
    packages: ClassVar[Mapping[str, str]] = {}
    """What to `pip install` for a driver, where that is not the module's name."""
    raising: ClassVar[tuple[str, ...]] = ()
    """The packages whose errors come from its drivers."""
    how_to_get: ClassVar[str] = ""
    """How a user can get one, besides giving the URL of one: `install …`."""
    recipe: ClassVar[Recipe | None] = None
    """How to make a private server of it, if that is possible."""
    pads_blanks: ClassVar[bool] = True
    """A CHAR column pads its values with blanks."""
    converts_zones: ClassVar[bool] = False
    """It converts moments with a time zone to moments without one, and back, by the session's zone."""
    unfit: ClassVar[Mapping[str, str]] = {}
    """The drivers that cannot be used, each with the reason."""
    serverless: ClassVar[bool] = False
    """It is a file: no server can be out of reach, and opening it creates it."""
    astray: ClassVar[str] = "the server, or what stands before it, ignores where the URL leads; connect to it directly"
    """What to do where a connection is not in the namespace that its URL names."""
    settings: ClassVar[Mapping[str, tuple[str, ...] | None]] = {}
    """The settings that `--set` may change, each with its allowed values; None: any value."""
    statements: ClassVar[Statements]
    """What its statements mean for a transaction."""

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        remember(cls.raising)

    def check_url(self, url: sa.URL) -> None:
        """Raise UsageError for a URL that can never be stormed, without connecting."""
        return

    @abstractmethod
    def prove(self, connection: Any, url: sa.URL) -> bool:
        """Return whether a driver's connection is in the namespace that a storm's URL names."""

    @abstractmethod
    def prepare(self, connection: Any, settings: Mapping[str, str]) -> None:
        """Apply these settings to a driver's new connection, so that no later rollback undoes them."""

    @abstractmethod
    def capabilities(self, connection: sa.Connection) -> frozenset[str]:
        """Return what this server can do."""

    @abstractmethod
    def facts(self, connection: sa.Connection, settings: Mapping[str, str]) -> dict[str, Any]:
        """Return what decides how ids are generated here, and the versions involved.

        Includes `Habits.told()` where generators do more than count.
        """

    def lock_timeout(self, facts: Mapping[str, Any]) -> float:
        """Return the longest that a statement waits for a lock, in seconds, by the facts; 0: no timeout is set."""
        return 0.0

    @abstractmethod
    def server(self, connection: sa.Connection) -> str:
        """Return the version that the server reports."""

    @abstractmethod
    def read_error(self, found: Found, ids: Sequence[str], names: Sequence[str]) -> ErrorCode | None:
        """Return what a driver's error means, or None for an error from another database's driver.

        `ids` are the id's columns as `table.column`, `names` the known unique keys, as `Unique` writes them.
        """

    def keys(self, connection: sa.Connection, ids: Sequence[str]) -> tuple[str, ...]:
        """Return the unique keys that exist, as `Unique` writes them, including those that no model has.

        Empty where the catalogue does not help, or cannot be read: the model's keys have to do.
        """
        return ()

    def committed(self, connection: Any) -> bool:
        """Return whether a statement that may commit can have done so, by the state of its driver's connection."""
        return True

    def in_transaction(self, connection: Any) -> bool | None:
        """Return whether a driver's connection has an open transaction, without asking the server; None: unknown."""
        return None

    def quiesce(self, url: sa.URL) -> Quiet:
        """Wait for the sessions of the namespace, then end them, and roll back what they had prepared."""
        name = self.name_in(url)
        if name is None:
            return Quiet(False)
        try:
            with self.administer(url) as connection:
                return self._quiesce(connection, name)
        except (sa.exc.SQLAlchemyError, EnvironmentFault) as error:
            return Quiet(False, unseen=f"whether its sessions had ended: {words_of(error, url)}")

    def _quiesce(self, connection: sa.Connection, name: str) -> Quiet:
        raise NotImplementedError

    def bystanders(self, connection: sa.Connection) -> Bystanders:
        """Return who else a storm on this server affects."""
        return Bystanders()

    def leads_outside(self, connection: sa.Connection) -> list[str]:
        """Return, in words, what in the tables of the connection's namespace leads out of it."""
        return []

    def privileges(self, url: sa.URL, *, two_phase: bool, kind: str | None = None) -> list[str]:
        """Return the statements that grant what a storm in a namespace of this kind needs, besides connecting."""
        return []

    def setting(self, connection: sa.Connection, name: str) -> str | None:
        """Return a setting of the server itself, as it reports it, or None where it has no such setting."""
        return None

    def capacity(
        self, connection: sa.Connection, table: str, column: str, sequence: str | None, *, down: bool
    ) -> Capacity | None:
        """Return how far a column and its generator can go; None where the column is not an integer.

        `sequence` is the one that the model names; `down` says that the ids descend.
        """
        return None

    def last_of(self, type_: str, *, down: bool) -> int | None:
        """Return the last value of an integer type, named as the database does; None where widths mean nothing."""
        return None

    def standing(self, connection: Any) -> str | None:
        """Return the state by which a session can change what names resolve to, on a driver's connection.

        None: asking for it costs as much as `physical`.
        """
        return None

    def actual(self, connection: sa.Connection) -> str:
        """Return which database the server says it is, by name."""
        return self.name

    def named_by(self, dialect: sa.Dialect) -> str:
        """Return which database SQLAlchemy's dialect has found itself connected to, by name."""
        return self.name

    def zone(self, connection: sa.Connection) -> str:
        """Return the time zone that a session assumes for moments without one; "" where none is needed."""
        return ""

    def threaded(self, url: sa.URL) -> sa.URL:
        """Take the best other driver that is installed, where the URL names one for asyncio."""
        if not url.get_dialect().is_async:
            return url
        return url.set(drivername=f"{self.backends[0]}+{best_driver(self.drivers, self.modules)}")

    def administering(self, url: sa.URL) -> sa.URL:
        """Return the URL for idstorm's own work, which leads to the same database."""
        return self.threaded(url)

    @contextmanager
    def administer(self, url: sa.URL) -> Iterator[sa.Connection]:
        """Open a connection for idstorm's own work, on which each statement is a transaction.

        Raises EnvironmentFault, or UsageError where the driver does not do what SQLAlchemy asks of it.
        """
        with self._connected(url, self.administering(url)) as connection:
            yield connection

    @contextmanager
    def auditing(self, url: sa.URL) -> Iterator[sa.Connection]:
        """Open a connection for `survey`: it cannot write, and waits no longer than a second for a lock.

        Raises what `administer` raises, and UsageError where the URL does not lead to a database that is there.
        """
        with self.administer(url) as connection:
            yield connection

    def survey(self, connection: sa.Connection, *, scan: bool) -> Survey:
        """Return what `idstorm audit` judges, read on a connection of `auditing`, each table in its own statement.

        `scan`: read a whole table where no index leads to its furthest id. Raises UsageError where this database cannot
        be audited.
        """
        raise UsageError(f"{self.name} cannot be audited: its class {type(self).__name__} does not define `survey`")

    @contextmanager
    def _connected(self, url: sa.URL, to: sa.URL) -> Iterator[sa.Connection]:
        """Open a connection on which each statement is a transaction. Messages name the user's own `url`."""
        engine = sa.create_engine(to, poolclass=sa.NullPool, isolation_level="AUTOCOMMIT")
        self.ease(engine)
        try:
            with reaching(url), fitting(url):
                connection = engine.connect()
            try:
                yield connection
            finally:
                with suppress(sa.exc.SQLAlchemyError):  # it was lost: its work has been done, or has failed
                    connection.close()
        finally:
            engine.dispose()

    def configure(
        self, engine: sa.Engine, url: sa.URL | None, settings: Mapping[str, str], *, users: bool = False
    ) -> None:
        """Apply these settings to every new connection, and prove that it is in the namespace of the storm's URL.

        A user's own engine may lead elsewhere; one of ours does so only if something in between redirects it.
        Two-phase transactions get names that begin with the namespace's, by which they are recognised later.
        """
        self.ease(engine)
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
        """Return what an error that ended an operation means, by the nearest driver's error in its chain.

        Where a group has several, a refusal counts most, then an unrecognised error. An error without a driver's error
        in its chain is the work's own, and not a refusal. Behind an HTTP client it may be one, which is not known here:
        `works_own` marks the case. A driver's error that no `codes` file lists is not recognised.
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
        if isinstance(error, sa.exc.InvalidRequestError) and (error.code == "isce" or _FLUSHING in str(error)):
            return ErrorCode(_SHARED, works_own=True)
        hidden = isinstance(error, sa.exc.PendingRollbackError)  # an earlier error was swallowed
        return ErrorCode(_named(getattr(error, "orig", None) or error), recognised=not hidden, works_own=not hidden)

    def is_own(self, constraint: str, names: Sequence[str]) -> bool | None:
        """Return whether a constraint that an application names is the id's own; None where that is not known.

        The table may precede it (`orders.PRIMARY`), or it may be columns, as in SQLite (`orders.a, orders.b`).
        """
        known, (table, _, name) = uniques(tuple(names)), constraint.strip("`\"'").rpartition(".")
        columns = [(one, ", ".join(f"{one.table}.{column}" for column in one.columns)) for one in known]
        by_columns = {one.own for one, written in columns if written == constraint}
        return by_columns.pop() if len(by_columns) == 1 else owned(known, name, table or None)


def _named(error: BaseException) -> str:
    module = type(error).__module__.partition(".")[0]
    return f"{'python' if module == 'builtins' else module}:{type(error).__name__}"

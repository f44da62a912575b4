"""The namespaces of PostgreSQL: a schema for each storm, alone on the search path, or a database of its own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from functools import partial
from typing import Any

import sqlalchemy as sa

from idstorm.databases.asking import ask
from idstorm.databases.base import Database
from idstorm.databases.namespaces.holding import holding
from idstorm.databases.namespaces.names import Namespace, Quiet, name_of
from idstorm.databases.postgresql import codes, own_databases, quiescing, schemas
from idstorm.databases.postgresql.marks import take
from idstorm.errors import EnvironmentFault, ScenarioError

TAKE_OPTIONS = ("psycopg", "psycopg2")  # drivers of libpq, whose URLs may set what a session starts with


class PostgreSQLNamespaces(Database):
    """What PostgreSQL implements for namespaces."""

    kinds = ("schema", "database")

    def kind_for(self, url: sa.URL) -> str:
        """A driver that takes no options cannot be led into a schema."""
        return "schema" if url.get_driver_name().partition("_")[0] in TAKE_OPTIONS else "database"

    @contextmanager
    def namespace(self, url: sa.URL, label: str, *, keep: bool = False, kind: str | None = None) -> Iterator[sa.URL]:
        """Make what carries idstorm's mark, and lead every connection only into it."""
        name, kind = name_of(label), kind or self.kind_for(url)
        made = self._schema if kind == "schema" else self._database
        with made(url, name, keep=keep) as inside:
            yield inside

    @contextmanager
    def _schema(self, url: sa.URL, name: str, *, keep: bool) -> Iterator[sa.URL]:
        inside = schemas.leading_into(url, name)
        with self.administer(url) as connection:
            with self._allowed(url, "schema"):
                schemas.make(connection, name, keep=keep)
            with (
                nullcontext() if keep else self.cleared(url, inside, name),
                holding(connection, partial(self.administer, url), partial(take, name=name)),
            ):
                yield inside

    @contextmanager
    def _database(self, url: sa.URL, name: str, *, keep: bool) -> Iterator[sa.URL]:
        """From before it is there until its mark is on it, nothing but this can drop it: no other knows its name."""
        inside = own_databases.leading_into(url, name)
        holder = own_databases.holding_in(self.threaded(inside))
        with self.administer(url) as connection:
            if own_databases.is_there(connection, name):
                raise EnvironmentFault(f"there is a database {name} already")
            like = own_databases.furnishing_of(connection)
        with nullcontext() if keep else self.cleared(url, inside, name):
            with self.administer(url) as connection, self._allowed(url, "database"):
                own_databases.create(connection, name)
            with self.administer(holder) as own:
                take(own, name)
                own_databases.furnish(own, name, like, keep=keep)
                with holding(own, partial(self.administer, holder), partial(take, name=name)):
                    yield inside

    @contextmanager
    def _allowed(self, url: sa.URL, kind: str) -> Iterator[None]:
        """Name the missing privilege, if that is why something cannot be made."""
        try:
            yield
        except sa.exc.ProgrammingError as error:
            if codes.state_of(error.orig) != codes.PRIVILEGE:
                raise
            (missing,) = self.privileges(url, two_phase=False, kind=kind)
            raise EnvironmentFault(f"{url.username} may not make a {kind} in {url.database}: {missing}") from error

    def differing(self, url: sa.URL, inside: sa.URL) -> list[str]:
        """Compare settings and extensions of a database of the storm's own with those of the URL's."""
        if own_databases.database_of(inside) is None:
            return []
        with self.administer(url) as one, self.administer(inside) as other:
            theirs, ours = own_databases.furnishing_of(one), own_databases.furnishing_of(other)
        return [f"the storm's own database lacks {what}, which {url.database} has" for what in ours.lacking(theirs)]

    def inside(self, url: sa.URL, name: str) -> sa.URL:
        """The search path is an option of the connection; a database is part of the URL."""
        with self.administer(url) as connection:
            of = own_databases if own_databases.is_there(connection, name) else schemas
        inside: sa.URL = of.leading_into(url, name)
        return inside

    def name_in(self, url: sa.URL) -> str | None:
        """Read it from the search path, or from the URL's database."""
        return schemas.schema_of(url) or own_databases.database_of(url)

    def schema_in(self, url: sa.URL) -> str | None:
        """Read it from the search path."""
        return schemas.schema_of(url)

    def has_schemas(self, url: sa.URL) -> bool:
        """A database of the storm's own has."""
        return own_databases.database_of(url) is not None

    def make_schemas(
        self, connection: sa.Connection, names: Sequence[str], first: str, *, only_path: bool = False
    ) -> None:
        """Make them, and set the search path of the database."""
        own_databases.make_schemas(connection, names, first, only_path=only_path)

    def by(self, url: sa.URL, driver: str) -> tuple[sa.URL, dict[str, Any]]:
        """Return how another driver gets to the same namespace.

        asyncpg takes as arguments what other URLs say. Raises ScenarioError where a driver cannot be told all of it.
        https://magicstack.github.io/asyncpg/current/api/index.html#connection
        """
        scheme = f"{url.get_backend_name()}+{driver}"
        if driver == url.get_driver_name():
            return url, {}
        if driver.partition("_")[0] in TAKE_OPTIONS:
            return self.threaded(url).set(drivername=scheme), {}
        told = schemas.settings_of(url)
        if driver != "asyncpg" and schemas.schema_of(url) is not None:
            raise ScenarioError(f"{driver} cannot be led into a schema: storm with --namespace database")
        arguments: dict[str, Any] = {"server_settings": told} if told else {}
        for name, theirs, kind in (("sslmode", "ssl", str), ("connect_timeout", "timeout", float)):
            if name in url.query:
                arguments[theirs] = kind(str(url.query[name]))
        rest = url.difference_update_query(["options", "application_name", "sslmode", "connect_timeout"])
        left = [*(rest if driver == "asyncpg" else url).query]
        if left:
            raise ScenarioError(f"{driver} does not take {left[0]}, which the URL of the storm has")
        return rest.set(drivername=scheme), arguments

    def namespaces(self, url: sa.URL) -> list[Namespace]:
        """Return the schemas and databases with idstorm's mark, or a name in its pattern."""
        with self.administer(url) as connection:
            return [*schemas.listed(connection), *own_databases.listed(connection)]

    @contextmanager
    def locked(self, url: sa.URL, name: str) -> Iterator[bool]:
        """Take the advisory lock: of a database, in itself."""
        with self.administer(url) as connection:
            if not own_databases.is_there(connection, name):
                yield take(connection, name)
                return
        with self.administer(own_databases.holding_in(self.threaded(own_databases.leading_into(url, name)))) as own:
            yield take(own, name)

    def drop_namespace(self, url: sa.URL, name: str) -> None:
        """Drop a schema and everything in it, with a limit on the wait for locks, or a database."""
        with self.administer(url) as connection:
            of = own_databases if own_databases.is_there(connection, name) else schemas
            of.drop(connection, name)

    def prove(self, connection: Any, url: sa.URL) -> bool:
        """Ask for the current schema, which is NULL where the search path leads nowhere, or for the database."""
        where = "current_schema()" if schemas.schema_of(url) else "current_database()"
        return str(ask(connection, f"SELECT {where}")) == self.name_in(url)

    def privileges(self, url: sa.URL, *, two_phase: bool, kind: str | None = None) -> list[str]:
        """Making a schema takes one: its owner, the user or the role set in the URL's options, may do all in it."""
        quote = url.get_dialect()().identifier_preparer.quote
        who = schemas.role_of(url) or url.username or "you"
        if (kind or self.kind_for(url)) == "database":
            return [f"ALTER ROLE {quote(who)} CREATEDB"]
        return [f"GRANT CREATE ON DATABASE {quote(url.database or 'postgres')} TO {quote(who)}"]

    def _quiesce(self, connection: sa.Connection, name: str) -> Quiet:
        return quiescing.quiesce(connection, name)

"""The namespaces of MySQL and MariaDB: a database for each storm."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from typing import Any, ClassVar

import sqlalchemy as sa

from idstorm.databases.asking import ask
from idstorm.databases.base import Database
from idstorm.databases.mysql import codes, databases
from idstorm.databases.namespaces.holding import holding
from idstorm.databases.namespaces.names import PREFIX, Namespace, Quiet, name_of
from idstorm.errors import EnvironmentFault


class MySQLNamespaces(Database):
    """What MySQL implements for namespaces."""

    @contextmanager
    def namespace(self, url: sa.URL, label: str, *, keep: bool = False, kind: str | None = None) -> Iterator[sa.URL]:
        """Make a database that carries idstorm's mark."""
        name = name_of(label)
        inside = self.inside(url, name)
        with self.administer(url) as connection:
            if not databases.take(connection, name):
                raise EnvironmentFault(f"another session has the lock of {name}")
            with self._allowed(url):
                databases.make(connection, name)
            with nullcontext() if keep else self.cleared(url, inside, name):
                with self._allowed(url):
                    databases.mark(connection, name, keep=keep)
                with holding(connection, partial(self.administer, url), partial(databases.take, name=name)):
                    yield inside

    @contextmanager
    def _allowed(self, url: sa.URL) -> Iterator[None]:
        """Name the missing privilege, if that is why a database cannot be made."""
        try:
            yield
        except sa.exc.DBAPIError as error:
            if codes.number_of(error.orig) not in codes.PRIVILEGE:
                raise
            missing, *_ = self.privileges(url, two_phase=False)
            raise EnvironmentFault(f"{url.username} may not make a database: {missing}") from error

    def inside(self, url: sa.URL, name: str) -> sa.URL:
        """The database is part of the URL."""
        return databases.leading_into(url, name)

    def name_in(self, url: sa.URL) -> str | None:
        """The URL's database, if it is a storm's."""
        return url.database if url.database is not None and url.database.startswith(PREFIX) else None

    def namespaces(self, url: sa.URL) -> list[Namespace]:
        """Return the databases with idstorm's mark, or a name in its pattern."""
        with self.administer(url) as connection:
            return databases.listed(connection)

    @contextmanager
    def locked(self, url: sa.URL, name: str) -> Iterator[bool]:
        """Take the lock that has the database's name."""
        with self.administer(url) as connection:
            yield databases.take(connection, name)

    def drop_namespace(self, url: sa.URL, name: str) -> None:
        """Drop a database, its mark last, with a limit on the wait for locks."""
        with self.administer(url) as connection:
            databases.drop(connection, name)

    def prove(self, connection: Any, url: sa.URL) -> bool:
        """Ask for the current database."""
        return str(ask(connection, "SELECT DATABASE()")) == url.database

    def privileges(self, url: sa.URL, *, two_phase: bool, kind: str | None = None) -> list[str]:
        """Making a database takes one; seeing others' sessions and prepared transactions takes one more each."""
        user = url.get_dialect()().identifier_preparer.quote(url.username or "you")
        needed = [f"GRANT ALL ON `idstorm\\_%`.* TO {user}", f"GRANT PROCESS ON *.* TO {user}"]
        return [
            *needed,
            *([f"GRANT {self.sees_prepared} ON *.* TO {user}"] if two_phase and self.sees_prepared else []),
        ]

    sees_prepared: ClassVar[str | None] = "XA_RECOVER_ADMIN"  #: the privilege that lists prepared transactions

    def _quiesce(self, connection: sa.Connection, name: str) -> Quiet:
        return databases.quiesce(connection, name)

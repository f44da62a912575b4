"""What each database implements for namespaces, which are made for a storm and removed after it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import Any, ClassVar

import sqlalchemy as sa

from idstorm.databases.namespaces.names import Namespace, Quiet
from idstorm.databases.urls import words_of
from idstorm.errors import EnvironmentFault, IdstormError


class LeftBehind(EnvironmentFault):
    """A namespace could not be removed."""


class Namespaces(ABC):
    """The namespaces of a database."""

    kinds: ClassVar[tuple[str, ...]] = ("database",)
    """What a namespace may be, the least costly first."""

    @abstractmethod
    def namespace(
        self, url: sa.URL, label: str, *, keep: bool = False, kind: str | None = None
    ) -> AbstractContextManager[sa.URL]:
        """Make an empty namespace, yield the URL that leads into it, and remove it afterwards unless it is kept.

        `kind` is one of the `kinds`, by default the first that the URL's driver can be led into. A lock is held all the
        while, so that no other process removes it.
        Raises EnvironmentFault where the database is out of reach, or naming the privilege that is missing, and
        LeftBehind where only the removal of the namespace failed.
        """

    def schema_in(self, url: sa.URL) -> str | None:
        """Return the schema that the URL of a namespace leads into; None where it leads into a database or a file."""
        return None

    def has_schemas(self, url: sa.URL) -> bool:
        """Return whether the namespace that a URL leads into has schemas of its own."""
        return False

    def make_schemas(
        self, connection: sa.Connection, names: Sequence[str], first: str, *, only_path: bool = False
    ) -> None:
        """Make schemas in a namespace that has some, and let sessions to come look for tables in `first` first.

        `only_path`: something else will make them.
        """
        raise NotImplementedError

    def by(self, url: sa.URL, driver: str) -> tuple[sa.URL, dict[str, Any]]:
        """Return how another driver gets to the same namespace: a URL, and arguments of its connect function.

        Raises ScenarioError where it cannot be led there.
        """
        return url.set(drivername=f"{url.get_backend_name()}+{driver}"), {}

    def differing(self, url: sa.URL, inside: sa.URL) -> list[str]:
        """Return sentences on what a namespace does not have of what the URL's own sessions find."""
        return []

    @abstractmethod
    def inside(self, url: sa.URL, name: str) -> sa.URL:
        """Return the URL that leads into a namespace and nowhere else, whatever the given URL names."""

    @abstractmethod
    def name_in(self, url: sa.URL) -> str | None:
        """Return the namespace that a storm's URL leads into; None for a URL that is not a storm's."""

    @abstractmethod
    def namespaces(self, url: sa.URL) -> list[Namespace]:
        """Return the namespaces of any run that look like idstorm's, with what is known of each."""

    @abstractmethod
    def locked(self, url: sa.URL, name: str) -> AbstractContextManager[bool]:
        """Hold a namespace's lock. Yields False where another session has it."""

    @abstractmethod
    def drop_namespace(self, url: sa.URL, name: str) -> None:
        """Drop a namespace and everything in it."""

    def reclaim(self, url: sa.URL, name: str) -> bool:
        """Drop a namespace that was left behind, and end its sessions. Returns False where a run has its lock."""
        with self.locked(url, name) as had:
            if had:
                self.quiesce(self.inside(url, name))
                self.drop_namespace(url, name)
            return had

    @abstractmethod
    def quiesce(self, url: sa.URL) -> Quiet:
        """Wait until nothing of the storm is at work any more, and end what still is.

        Only what is known to be the storm's is ended: by a name that it gave, or by where it is at work.
        """

    @contextmanager
    def cleared(self, url: sa.URL, inside: sa.URL, name: str) -> Iterator[None]:
        """Remove a namespace afterwards, even after a failure. Raises LeftBehind where only the removal fails."""
        try:
            yield
        except BaseException:
            with suppress(LeftBehind):
                self._clear(url, inside, name)
            raise
        self._clear(url, inside, name)

    def _clear(self, url: sa.URL, inside: sa.URL, name: str) -> None:
        try:
            try:
                self.quiesce(inside)
            finally:
                self.drop_namespace(url, name)
        except (sa.exc.SQLAlchemyError, IdstormError) as error:
            raise LeftBehind(
                f"{name} could not be dropped ({words_of(error, url)}): `idstorm doctor --clean` will find it"
            ) from error

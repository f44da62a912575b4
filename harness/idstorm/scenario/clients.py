"""What a scenario may supply besides a model: its own clients, environments and pollers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from sqlalchemy import URL, Connection

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection


@dataclass(frozen=True)
class Place:
    """The place where a storm runs, for code that does not use the harness's own sessions."""

    url: URL = field(repr=False)
    """Leads into the storm's own namespace, password included. Code that does not await gets a driver for threads."""
    dialect: str
    capabilities: frozenset[str]
    driver: str = ""
    """The driver of the storm, by SQLAlchemy's name. `url` may have another."""
    schema: str | None = None
    """The storm's own schema, where it has one."""
    database: str | None = None
    """The database that it is in, or the file."""
    _by: Callable[[str], tuple[URL, dict[str, Any]]] | None = field(default=None, repr=False, compare=False)

    def by(self, driver: str) -> tuple[URL, dict[str, Any]]:
        """Return a URL by another driver, and what its connect function is to be given besides.

        `create_engine(url, connect_args=arguments)` leads into the storm's own namespace. Raises ScenarioError where
        that driver cannot be led there.
        """
        assert self._by is not None, "it is the place of a storm"
        return self._by(driver)


class Inserter(Protocol):
    """A client that a scenario supplies."""

    def insert(self, tokens: Sequence[int], /) -> Sequence[Any]:
        """Insert a row for each token, and return when they are committed, as `Scenario.insert` does.

        Raises Refused where certainly nothing was done; any other exception leaves it unknown. Where it was raised from
        an error of a driver (``raise … from error``), that error tells whether the id's own constraint refused the row.
        """


class AsyncInserter(Protocol):
    """A client of asyncio that a scenario supplies."""

    async def insert(self, tokens: Sequence[int], /) -> Sequence[Any]:
        """Do what `Inserter.insert` does."""


class Refused(Exception):
    """Certainly nothing was done. Raised by a scenario's own client, with the reason.

    `constraint` names the constraint that refused the row, or its columns (``"user.id"``, ``"tenant, number"``), and is
    empty where none did. Where it is left out, an error of a driver from which this one was raised is read instead.
    With neither, whether the id's own constraint refused the row is not known, and the check `accepted` says so.
    """

    def __init__(self, *reason: object, constraint: str | None = None) -> None:
        super().__init__(*reason)
        self.constraint = constraint


class NotYet(Exception):
    """Raised by a scenario's own poll: the table holds rows that cannot be read yet, for this reason.

    Such a poll counts as empty. The last poll of a storm is retried for a bounded time. If it still raises this then,
    `visible` is unknown, with the reason.
    """


Poll = Callable[[Connection, Any, bool], tuple[Collection[Any], Any]]
AsyncPoll: TypeAlias = "Callable[[AsyncConnection, Any, bool], Awaitable[tuple[Collection[Any], Any]]]"
Environment = Callable[[Place], AbstractContextManager[Any] | AbstractAsyncContextManager[Any]]
Clients = Callable[[Place, Any], AbstractContextManager[Inserter] | AbstractAsyncContextManager["AsyncInserter"]]

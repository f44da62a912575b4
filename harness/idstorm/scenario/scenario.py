"""`Scenario`: a model, the work that inserts into it, and what is claimed to hold."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import TYPE_CHECKING, Any, TypeAlias

from sqlalchemy import Column as SqlColumn
from sqlalchemy import ColumnElement, Connection, Engine, MetaData, Table, inspect
from sqlalchemy.orm import InstrumentedAttribute, Session

from idstorm.errors import ScenarioError
from idstorm.extensions import dialects
from idstorm.record.keyed import Key
from idstorm.scenario.claims import Claims, overlap
from idstorm.scenario.clients import AsyncPoll, Clients, Environment, Place, Poll
from idstorm.scenario.conditions import Failing, known_traits
from idstorm.scenario.core import class_of

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

Insert = Callable[[Session, Sequence[int]], Sequence[Any]]
AsyncInsert: TypeAlias = "Callable[[AsyncSession, Sequence[int]], Awaitable[Sequence[Any]]]"
Delete = Callable[[Session, Sequence[Any]], object]
AsyncDelete: TypeAlias = "Callable[[AsyncSession, Sequence[Any]], Awaitable[object]]"
Column = str | InstrumentedAttribute[Any] | SqlColumn[Any]
Servers = Mapping[str, Mapping[str, str]]


@dataclass(frozen=True)
class Scenario:
    """A model, the work that inserts into it, and the claims that should hold.

    Only the model is required. Raises ScenarioError for what cannot be a scenario.
    """

    model: type[Any] | Table
    """The mapped class, or a Table that has none. The tables created are its own and those that it refers to; all of
    its MetaData for a scenario with its own code, since that may touch any of them."""
    id: Column | Sequence[Column] | None = None
    """The column, or columns, whose values are judged. Default: the primary key."""
    scope: Column | Sequence[Column] | None = None
    """The column, or columns, within which the id is counted: a tenant, a year. Besides them, the id is one column of
    numbers. `insert` returns a tuple of these values, the scope's first. Checks that compare numbers do so within each
    scope, and `starts_at` expects each to count 1, 2, 3."""
    key: Key | None = None
    """`key(id)`: what is counted in an id that hides it: a number, or a tuple of its scope and the number, such as
    (2026, 17) for "JV-2026-00017". It is called with ids as clients are told them, and as the table gives them back."""
    sortable: bool = False
    """The ids are not numbers, but are meant to sort in the order of their creation, for `ordered`."""
    generated: bool = True
    """All ids come from the database's generator. False: the work chooses some of them itself."""
    token: Column | ColumnElement[Any] | None = None
    """The column that carries the token, or the place in a JSON column, such as `Order.details["ref"]`. Default: the
    column named `token`, else one that can carry it, else none."""
    insert: Insert | AsyncInsert | None = None
    """`insert(session, tokens)`: the work of one transaction, a row for each token. Returns, in the same order, the id,
    or None (certainly no row), `Existing(id)` (another token's row), or `Burned(id)` (a row that was given up inside
    the transaction). The harness commits. Work that commits by itself is allowed, but its errors then leave unknown
    what was done. An `async def` gets an AsyncSession, if the driver is one for asyncio. Default: `add_all` and
    `flush`."""
    delete: Delete | AsyncDelete | None = None
    """`delete(session, ids)`: delete rows whose inserts were acknowledged to this client. Default: one DELETE by id."""
    present: ColumnElement[bool] | InstrumentedAttribute[bool] | None = None
    """A condition on columns of the id's table, such as `Order.deleted_at.is_(None)`: only rows that meet it count as
    there. A `delete` may then mark its rows instead of removing them. Default: all rows."""
    batch: int = 1
    """Tokens for each call of `insert`."""
    least: int = 0
    """Rows that a storm has to attempt to show what is claimed. If fewer are asked for, it attempts this many."""
    deletes: float = 0.0
    """The fraction of the operations that delete."""
    rollback: float = 0.0
    """The fraction of the inserting operations that are rolled back after their ids were seen."""
    engine: Callable[..., Engine | AsyncEngine] | None = None
    """`engine(url, **pool)`: how a worker builds its engine. Default: `create_engine`."""
    session: Callable[[Any], Session | AsyncSession] | None = None
    """How a client opens the session of each operation, given the Engine, or the AsyncEngine, if its driver is one for
    asyncio. Default: `Session`, or `AsyncSession`."""
    isolation: str | None = None
    """The isolation level of the sessions. Default: the database's."""
    connections: int = 1
    """Connections that one client needs at once."""
    think: tuple[float, float] = (0.0, 0.0)
    """Least and most seconds for which a transaction is held open between its insert and its COMMIT."""
    reader: bool | Poll | AsyncPoll = False
    """Whether a reader polls the table for newer rows during the storm, for `visible`. True: for ids beyond the
    furthest seen. `poll(connection, last, final)` returns the (id, token) of the rows that are new to it, and the value
    that it gets as `last` the next time; that is None the first time. `final`: all is quiet, no more rows will come.
    Raises `NotYet` if the table holds rows that it cannot read before something else has ended. An async one gets an
    AsyncConnection, if the driver is one for asyncio."""
    client: Clients | None = None
    """`client(place, environment)`: a context manager, entered by each client in its own thread, for work that does
    not go through a session (HTTP, a bare driver). Its `insert(tokens)` returns when the rows are committed. An async
    one is entered by each client in its own task, and its `insert` may be async."""
    environment: Environment | None = None
    """`environment(place)`: a context manager around the rehearsal, and another around the whole storm, in the parent
    (an application server, say). An async one has an event loop of its own all the while.
    What it yields goes to `client` as JSON; the strings in its list `notes`, if it has one, go into the report."""
    interlude: Callable[[Place], object] | None = None
    """`interlude(place)`: called once, or awaited, in the middle of the storm, while all clients pause between two
    operations."""
    local: bool = False
    """The database lives in a process: its only worker creates the tables and takes the census, by one engine."""
    server: Servers = field(default_factory=dict)
    """By dialect, the settings that a server must have been started with. A private one is started with them."""
    tables: Callable[[Connection], object] | None = None
    """`tables(connection)`: brings an empty namespace to its schema, by migrations, say; what it does is committed.
    Default: the tables are created from the model's MetaData."""
    setup: Callable[[Connection], object] | None = None
    """Called once in each namespace, the rehearsal's and then the storm's, after the tables are made and before the
    clients start; what it does is committed. It may find things there already that outlive one (a role, a file).
    """
    failing: float | Failing | Sequence[Failing] = 0.0
    """The share of the operations that may fail, apart from what the database ends because of a race. Where half or
    more fail, and the scenario does not say so, `pressure` is unknown: such a storm proves little. `Failing` adds why
    and where."""
    headroom: float = 0.5
    """The fraction of the ids that may be used up, in the column's range and in the generator's."""
    needs: Collection[str] = ()
    """Capabilities without which the scenario does not apply."""
    claims: Sequence[Claims] = ()
    """The claims. A check that no claim mentions keeps its default."""

    def __post_init__(self) -> None:
        if isinstance(self.model, Table):
            object.__setattr__(self, "model", class_of(self.model))
        if not isinstance(self.model, type) or not hasattr(self.model, "__mapper__"):
            raise ScenarioError(f"the model of a scenario has to be a mapped class, not {self.model!r}")
        if self.least < 0:
            raise ScenarioError("least of a scenario has to be a number of rows: 0 or more")
        if self.batch < 1 or self.connections < 1:
            raise ScenarioError("batch and connections of a scenario have to be at least 1")
        if not 0 <= self.think[0] <= self.think[1]:
            raise ScenarioError("think of a scenario has to be a range of seconds: the least first")
        for allowance in self.allowances:
            if not 0 <= allowance.share < 1:
                raise ScenarioError("failing of a scenario has to be a fraction: at least 0 and less than 1")
        if not 0 < self.headroom <= 1:
            raise ScenarioError("headroom of a scenario has to be a fraction: more than 0 and at most 1")
        if not 0 <= self.deletes < 1 or not 0 <= self.rollback < 1:
            raise ScenarioError("deletes and rollback of a scenario have to be fractions: at least 0 and less than 1")
        self._check_who_works()
        if isinstance(self.needs, str):
            raise ScenarioError(f"needs={self.needs!r} is a string: write needs={{{self.needs!r}}}")
        known_traits(self.needs, "needs")
        for one, other in combinations(self.claims, 2):
            both = set(one.checks) & set(other.checks)
            if both and one.specificity == other.specificity and overlap(one, other):
                raise ScenarioError(f"two equally specific claims are made about {', '.join(sorted(both))}")

    @property
    def allowances(self) -> tuple[Failing, ...]:
        """The shares that may fail, and where."""
        if isinstance(self.failing, Failing):
            return (self.failing,)
        return (Failing(self.failing),) if isinstance(self.failing, int | float) else tuple(self.failing)

    @property
    def mapped(self) -> type[Any]:
        """The mapped class, where the model is a Table as well."""
        assert isinstance(self.model, type)
        return self.model

    @property
    def metadata(self) -> MetaData:
        """The MetaData of all tables that are created."""
        table = inspect(self.mapped).local_table
        assert isinstance(table, Table)
        return table.metadata

    def _check_who_works(self) -> None:
        own = ("insert", "delete", "deletes", "rollback", "session")
        given = [name for name in own if getattr(self, name)] + (["think"] if self.think[1] else [])
        if self.client is not None and given:
            raise ScenarioError(f"a scenario with its own client has no use for {', '.join(given)}")
        if self.environment is not None and self.client is None:
            raise ScenarioError("the environment of a scenario is for its client, and it has none")
        if self.local and (self.client is not None or self.interlude is not None or self.reader):
            raise ScenarioError(
                "a local scenario cannot be reached from outside: it has no client, interlude or reader"
            )
        for dialect in self.server:
            if dialect not in dialects():
                raise ScenarioError(
                    f"server names {dialect!r}, which is not a dialect; there are {', '.join(dialects())}"
                )

"""What a scenario is made of: an author's single import.

    from idstorm.scenario import Row, Scenario, breaks, unique

A scenario is a mapped model, the work that inserts into it, and what is claimed to hold. The docstring of its module is
its essay: `idstorm list` and `idstorm show` print it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any, Protocol

from sqlalchemy import URL, BigInteger, Connection, Engine, MetaData, Table, inspect
from sqlalchemy import Column as SqlColumn
from sqlalchemy.orm import DeclarativeBase, InstrumentedAttribute, Mapped, Session, mapped_column

from idstorm.errors import ScenarioError, show_users_error
from idstorm.record.keys import Burned, Existing
from idstorm.record.outcome import Stance
from idstorm.record.plan import CAPABILITIES, DIALECTS, Claim, Target
from idstorm.record.verdict import CHECKS, DEFAULT_HOLDS

__all__ = [
    "Burned",
    "Claims",
    "Existing",
    "Place",
    "Refused",
    "Row",
    "Scenario",
    "accepted",
    "breaks",
    "durable",
    "explained",
    "faithful",
    "gapless",
    "headroom",
    "holds",
    "may_break",
    "ordered",
    "pressure",
    "single_use",
    "starts_at",
    "unique",
    "visible",
]

pressure, unique, single_use, accepted = "pressure", "unique", "single_use", "accepted"
durable, faithful, starts_at, gapless = "durable", "faithful", "starts_at", "gapless"
explained, ordered, visible, headroom = "explained", "ordered", "visible", "headroom"

Facts = Mapping[str, Any]
When = Collection[str] | Callable[[Facts], bool]
Insert = Callable[[Session, Sequence[int]], Sequence[Any]]
Delete = Callable[[Session, Sequence[Any]], object]
Column = str | InstrumentedAttribute[Any] | SqlColumn[Any]
Servers = Mapping[str, Mapping[str, str]]


@dataclass(frozen=True)
class Place:
    """Where a storm takes place, for what does not go through the harness's own sessions."""

    url: URL = field(repr=False)  #: leads into the storm's own namespace, password included
    dialect: str
    capabilities: frozenset[str]


class Inserter(Protocol):
    """A client of a scenario's own."""

    def insert(self, tokens: Sequence[int], /) -> Sequence[Any]:
        """Insert a row for each token, and return when they are committed, as `Scenario.insert` does.

        Raises Refused where certainly nothing was done; any other exception leaves it unknown.
        """


class Refused(Exception):
    """Certainly nothing was done. Raised by a client of a scenario's own, with the reason."""


Poll = Callable[[Connection, Any, bool], tuple[Collection[Any], Any]]
Environment = Callable[[Place], AbstractContextManager[Any]]
Clients = Callable[[Place, Any], AbstractContextManager[Inserter]]


class _Base(DeclarativeBase):
    pass


_metadata: dict[str, MetaData] = {}


class Row(_Base):
    """A declarative base that brings the column `token`, and keeps the tables of each module apart.

    Without a `__tablename__` the table is named like the class, in lower case.
    """

    __abstract__ = True

    token: Mapped[int | None] = mapped_column(BigInteger, sort_order=1_000)

    def __init_subclass__(cls, **options: Any) -> None:
        own = vars(cls)
        if not own.get("__abstract__"):
            if "metadata" not in own:
                cls.metadata = _metadata.setdefault(cls.__module__, MetaData())
            if not hasattr(cls, "__tablename__") and "__table__" not in own:
                cls.__tablename__ = cls.__name__.lower()
        super().__init_subclass__(**options)


@dataclass(frozen=True)
class Claims:
    """What is claimed of some checks, and where. Made by `holds`, `may_break` and `breaks`."""

    stance: Stance
    checks: tuple[str, ...]
    why: str
    when: frozenset[str] | Callable[[Facts], bool] | None

    def __post_init__(self) -> None:
        if not self.checks:
            raise ScenarioError(f"{self.stance}() names no check")
        for check in self.checks:
            if check not in CHECKS:
                raise ScenarioError(
                    f"{self.stance}() names {check!r}, which is no check; there are {', '.join(CHECKS)}"
                )
        if pressure in self.checks and self.stance is not Stance.HOLDS:
            raise ScenarioError("pressure is what every other verdict stands on: it cannot be claimed away")
        if isinstance(self.when, frozenset):
            _known_traits(self.when, "when")

    @property
    def specificity(self) -> int:
        """Of two claims that apply, the one with the higher number wins."""
        match self.when:
            case None:
                return 0
            case frozenset() as traits:
                return 2 if traits & set(DIALECTS) else 1
        return 3

    def applies(self, target: Target) -> bool:
        """Whether the claim is made for this target."""
        match self.when:
            case None:
                return True
            case frozenset() as traits:
                return bool(traits & target.traits)
            case predicate:
                try:
                    return bool(predicate(target.facts))
                except Exception as error:
                    raise ScenarioError(f"a claim's predicate failed\n{show_users_error(error)}") from error


def _claims(stance: Stance, checks: tuple[str, ...], why: str, when: When | None) -> Claims:
    if isinstance(when, str):
        raise ScenarioError(f"when={when!r} is a string: write when={{{when!r}}}")
    return Claims(stance, checks, why, when if when is None or callable(when) else frozenset(when))


def holds(*checks: str, why: str = "", when: When | None = None) -> Claims:
    """Claim that these checks hold: where one is broken, the storm fails.

    `when` limits a claim to targets with any of these capabilities or dialects, or whose facts satisfy a predicate.
    """
    return _claims(Stance.HOLDS, checks, why, when)


def may_break(*checks: str, why: str, when: When | None = None) -> Claims:
    """Claim that these checks may break, lawfully: shown, and passed either way."""
    return _claims(Stance.MAY_BREAK, checks, why, when)


def breaks(*checks: str, why: str, when: When | None = None) -> Claims:
    """Claim that these checks break under pressure: passed with a witness, inconclusive without."""
    return _claims(Stance.BREAKS, checks, why, when)


@dataclass(frozen=True)
class Scenario:
    """A model, the work that inserts into it, and the claims that should hold.

    Only the model is required. Raises ScenarioError for what cannot be a scenario.
    """

    model: type[Any]
    """The mapped class. The tables that are made are those of its MetaData."""
    id: Column | Sequence[Column] | None = None
    """The column, or columns, whose values are judged. Default: the primary key."""
    sortable: bool = False
    """The ids are no numbers, but are meant to sort in the order in which they are made, for `ordered`."""
    generated: bool = True
    """The ids come from the database's generator alone. False: the work chooses some of them itself."""
    token: Column | None = None
    """The column that carries the token. Default: the one named `token`, else one that can carry it, else none."""
    insert: Insert | None = None
    """`insert(session, tokens)`: the work of one transaction, a row for each token. Returns, in the same order, the id,
    or None (certainly no row), `Existing(id)` (another token's row), or `Burned(id)` (a row that was given up inside
    the transaction). The harness commits; work that commits by itself is allowed, but its errors then leave it unknown
    what was done. Default: `add_all` and `flush`."""
    delete: Delete | None = None
    """`delete(session, ids)`: delete rows that this client was acknowledged. Default: one DELETE by id."""
    batch: int = 1
    """Tokens for each call of `insert`."""
    deletes: float = 0.0
    """The fraction of the operations that delete."""
    rollback: float = 0.0
    """The fraction of the inserting operations that are rolled back after their ids were seen."""
    engine: Callable[..., Engine] | None = None
    """`engine(url, **pool)`: how a worker builds its engine. Default: `create_engine`."""
    session: Callable[[Engine], Session] | None = None
    """How a client opens the session of each operation. Default: `Session`."""
    isolation: str | None = None
    """The isolation level of the sessions. Default: the database's."""
    connections: int = 1
    """Connections that one client needs at once."""
    think: tuple[float, float] = (0.0, 0.0)
    """Seconds, least and most, for which a transaction is held open between its insert and its COMMIT."""
    reader: bool | Poll = False
    """Whether somebody polls the table for newer rows all the while, for `visible`. True: for ids beyond the furthest
    seen. `poll(connection, last, final)` returns the (id, token) of the rows that are new to it, and what it is to be
    told as `last` the next time; it is None the first time. `final`: all is quiet, nothing more will come."""
    client: Clients | None = None
    """`client(place, environment)`: a context manager, entered by each client in its own thread, for work that does
    not go through a session (HTTP, a bare driver). Its `insert(tokens)` returns when the rows are committed."""
    environment: Environment | None = None
    """`environment(place)`: a context manager around the whole storm, in the parent (an application server, say).
    What it yields goes to `client` as JSON; the strings in its list `notes`, if it has one, go into the report."""
    interlude: Callable[[Place], object] | None = None
    """`interlude(place)`: called once in the middle of the storm, while all clients stand still between two
    operations."""
    local: bool = False
    """The database lives in a process: its one worker makes the tables and takes the census, by the same engine."""
    server: Servers = field(default_factory=dict)
    """By dialect, what a server must have been started with, name by name. A private one is started with it."""
    setup: Callable[[Connection], object] | None = None
    """Called once, after the tables are made and before the clients start; what it does is committed."""
    headroom: float = 0.5
    """The fraction of the ids that may be used up, of the column's range and of the generator's."""
    needs: Collection[str] = ()
    """Capabilities without which the scenario means nothing."""
    claims: Sequence[Claims] = ()
    """What is claimed. A check that no claim mentions keeps its default."""

    def __post_init__(self) -> None:
        if not isinstance(self.model, type) or not hasattr(self.model, "__mapper__"):
            raise ScenarioError(f"the model of a scenario has to be a mapped class, not {self.model!r}")
        if self.batch < 1 or self.connections < 1:
            raise ScenarioError("batch and connections of a scenario are at least 1")
        if not 0 <= self.think[0] <= self.think[1]:
            raise ScenarioError("think of a scenario is a range of seconds: the least first")
        if not 0 < self.headroom <= 1:
            raise ScenarioError("headroom of a scenario is a fraction: more than 0 and at most 1")
        if not 0 <= self.deletes < 1 or not 0 <= self.rollback < 1:
            raise ScenarioError("deletes and rollback of a scenario are fractions: at least 0 and less than 1")
        self._check_who_works()
        if isinstance(self.needs, str):
            raise ScenarioError(f"needs={self.needs!r} is a string: write needs={{{self.needs!r}}}")
        _known_traits(self.needs, "needs")
        for one, other in combinations(self.claims, 2):
            both = set(one.checks) & set(other.checks)
            if both and one.specificity == other.specificity and _overlap(one, other):
                raise ScenarioError(f"two equally specific claims are made about {', '.join(sorted(both))}")

    @property
    def metadata(self) -> MetaData:
        """What holds all tables that are made."""
        table = inspect(self.model).local_table
        assert isinstance(table, Table)
        return table.metadata

    def _check_who_works(self) -> None:
        own = ("insert", "delete", "deletes", "rollback", "session")
        given = [name for name in own if getattr(self, name)] + (["think"] if self.think[1] else [])
        if self.client is not None and given:
            raise ScenarioError(f"a scenario with a client of its own has no use for {', '.join(given)}")
        if self.environment is not None and self.client is None:
            raise ScenarioError("the environment of a scenario is for its client, which it has not")
        if self.local and (self.client is not None or self.interlude is not None or self.reader):
            raise ScenarioError(
                "nothing outside its process can reach a local scenario: no client, interlude or reader"
            )
        for dialect in self.server:
            if dialect not in DIALECTS:
                raise ScenarioError(f"server names {dialect!r}, which is no dialect; there are {', '.join(DIALECTS)}")


def _overlap(one: Claims, other: Claims) -> bool:
    if isinstance(one.when, frozenset) and isinstance(other.when, frozenset):
        return bool(one.when & other.when)
    return True


def _known_traits(words: Collection[str], where: str) -> None:
    for word in words:
        if word not in CAPABILITIES and word not in DIALECTS:
            known = ", ".join((*DIALECTS, *CAPABILITIES))
            raise ScenarioError(f"{where} names {word!r}, which is no dialect or capability; there are {known}")


def resolve_claims(scenario: Scenario, target: Target) -> dict[str, Claim]:
    """Return the claim about each check that counts on this target. Raises ScenarioError where two would."""
    resolved = {check: Claim(Stance.HOLDS if check in DEFAULT_HOLDS else Stance.MAY_BREAK) for check in CHECKS}
    chosen: dict[str, Claims] = {}
    for claims in scenario.claims:
        for check in claims.checks if claims.applies(target) else ():
            rival = chosen.get(check)
            if rival is not None and rival.specificity == claims.specificity:
                raise ScenarioError(f"two equally specific claims about {check} apply to {target.dialect}")
            if rival is None or rival.specificity < claims.specificity:
                chosen[check] = claims
                resolved[check] = Claim(claims.stance, claims.why, named=True)
    return resolved

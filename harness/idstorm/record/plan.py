"""The plan: everything that one storm needs to know, frozen, serialisable, without secrets.

A worker gets its plan on stdin, and beside it only the URL, whose password is never part of a plan.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from idstorm.findings.results import Stance
from idstorm.record.keys import Codec
from idstorm.record.shapes import read_as
from idstorm.record.stamp import Stamp

CAPABILITIES = {
    "auto_increment": "AUTO_INCREMENT columns: a counter that belongs to the table",
    "identity": "GENERATED … AS IDENTITY columns",
    "integer_widths": "SMALLINT, INTEGER and BIGINT are columns of different widths",
    "isolation_levels": "READ COMMITTED and REPEATABLE READ, besides SERIALIZABLE",
    "lost_updates_refused": "by default, a row that changed since a transaction read it cannot be updated by it",
    "returning": "INSERT … RETURNING hands back the id",
    "rowid_reuse": "without a keyword that forbids it, the id of a deleted row can be handed out again",
    "schemas": "tables of the same name can be kept apart",
    "sequences": "CREATE SEQUENCE",
    "threads": "each client has a thread of its own, which it may block; with a driver for asyncio it is a task",
    "session_sequence_cache": "each session keeps a cache of its own for a cached sequence",
    "two_phase": "a transaction can be prepared first and committed later",
}
"""What a database may be able to do, with what each word means."""


_MOST_CLIENTS = 1 << 16  # more than any storm has
_LARGEST_BATCH, _LARGEST_JOINED = 100_000, 1_000_000  # rows: of --batch, and of a flush of a joined session
_LONGEST_TEXT = 128  # bytes that a key keeps of it
_LARGEST_RECORD = 1 << 22  # words, which a reader has in memory even where nothing but its header is on disk


@dataclass(frozen=True)
class Target:
    """One database to storm, as it was found."""

    name: str  #: the word or the masked URL that the user gave
    dialect: str
    driver: str
    server: str
    url: str  #: masked: if it has a password, it cannot be used to connect
    capabilities: tuple[str, ...] = ()
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def traits(self) -> frozenset[str]:
        """The words that a scenario's `needs` and `when` are matched against."""
        return frozenset((*self.capabilities, self.dialect))


@dataclass(frozen=True)
class Fleet:
    """The clients, their work and its duration. Exactly one of `inserts` and `seconds` is set."""

    processes: int = 2
    clients: int = 8  #: in total, spread over the processes
    batch: int = 1  #: rows of one operation
    seed: int = 0
    inserts: int | None = None  #: rows attempted, in total
    seconds: float | None = None
    rollback: float = 0.0  #: fraction of the inserting operations that are rolled back on purpose
    deletes: float = 0.0  #: fraction of the operations that delete
    think: tuple[float, float] = (0.0, 0.0)  #: seconds between insert and COMMIT, least and most

    def of_worker(self, worker: int) -> range:
        """The clients of this worker: numbers that run on over all workers."""
        share, more = divmod(self.clients, self.processes)
        first = worker * share + min(worker, more)
        return range(first, first + share + (worker < more))

    def inserts_of(self, client: int) -> int | None:
        """The rows that this client attempts, or None where time is the limit."""
        if self.inserts is None:
            return None
        share, more = divmod(self.inserts, self.clients)
        return share + (client < more)


@dataclass(frozen=True)
class Pool:
    """The pool of connections of each worker."""

    size: int
    max_overflow: int = 0
    timeout: float = 30.0  #: seconds


@dataclass(frozen=True)
class Generator:
    """What the model asks of the generator of its ids."""

    start: int = 1
    increment: int = 1


@dataclass(frozen=True)
class Ids:
    """The ids that are judged."""

    columns: tuple[str, ...]  #: `table.column` each
    codec: Codec
    token: str | None  #: `table.column`, or None where no column could carry a token
    constraints: tuple[str, ...] = ()  #: the unique keys of all tables, as `databases` writes them
    autonomous: bool = False  #: the work commits by itself, or runs under AUTOCOMMIT
    heard: bool = False  #: it commits by itself, and each COMMIT is heard and counted with its operation
    unseen: bool = False  #: it takes no connection that can be seen
    generator: Generator | None = None  #: None: the ids, or some of them, come from elsewhere
    sortable: bool = False  #: no numbers, but they are meant to sort in the order in which they are made
    filled: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Each key that holds the id, by its name in errors, with those of its members that idstorm itself filled."""

    @property
    def numeric(self) -> bool:
        """Whether the ids are integers that fit 64 bits."""
        return self.codec.kind in ("int64", "uint64")

    @property
    def readable(self) -> bool:
        """Whether a reader can ask for those beyond the last that it has seen."""
        return self.numeric or self.sortable or (self.codec.scope > 0 and not self.codec.keyed)

    @property
    def counted(self) -> bool:
        """Whether the ids are such integers, or are counted by one within a scope."""
        return self.numeric or self.codec.counted


@dataclass(frozen=True)
class Tokens:
    """The numbers that name the rows of a storm: client `c` draws from `base + c * span`."""

    base: int
    span: int = 1 << 32  #: tokens of each client

    def first(self, client: int) -> int:
        """The first token of this client; the others follow by ones."""
        return self.base + client * self.span


@dataclass(frozen=True)
class OwnCheck:
    """What is known about a user's own check without its code."""

    meaning: str
    origin: str  #: module and name of its function
    file: str  #: where that is written
    figures: dict[str, str]  #: with their units


@dataclass(frozen=True)
class Claim:
    """A scenario's claim about one check, resolved for a target."""

    stance: Stance
    why: str = ""
    named: bool = False  #: the scenario made it; False: the default
    own: OwnCheck | None = None  #: it is a user's own check


@dataclass(frozen=True)
class Plan:
    """One storm: a scenario on a target, with the claims that will be judged."""

    run: str
    storm: str
    scenario: str
    reference: str  #: how a worker finds the scenario
    path: tuple[str, ...]  #: what comes first on sys.path
    target: Target
    fleet: Fleet
    pool: Pool
    ids: Ids
    tokens: Tokens
    claims: dict[str, Claim]
    patience: float = 30.0  #: seconds after which the storm is ended if no operation has ended in the meantime
    isolation: str | None = None
    settings: dict[str, str] = field(default_factory=dict)
    interlude: bool = False  #: all clients pause in the middle
    reader: bool = False  #: a reader polls the table for newer rows during the storm
    looks_back: bool = False  #: by a poll of the scenario's own, which may come back to what it has passed
    failing: float = 0.0  #: the share of the operations that may fail, according to the scenario
    headroom: float = 0.5  #: the fraction of the ids that may be used up
    forecast: float | None = None  #: expected rows a second, to estimate how long the ids will last
    joined: bool = False  #: the clients are sessions that a test suite opened
    not_judged: dict[str, str] = field(default_factory=dict)  #: checks that do not apply here, each with the reason
    notes: tuple[str, ...] = ()  #: what was chosen for the scenario, and what cannot be judged as a result

    @property
    def stamp(self) -> Stamp:
        """What every file of the storm carries."""
        return Stamp(self.run, self.storm, self.tokens.base)

    def to_json(self) -> dict[str, Any]:
        """Return the plan as JSON's own types. Fields unknown to older versions are left out unless they are needed."""
        plan = asdict(self)
        for claim in plan["claims"].values():
            if claim["own"] is None:
                del claim["own"]
        for name in ("scope", "keyed"):
            if not plan["ids"]["codec"][name]:
                del plan["ids"]["codec"][name]
        return plan

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Plan:
        """Return the plan that `to_json` wrote. Raises ValueError for anything else, or for impossible values."""
        path = data.get("path")
        plan = read_as(cls, {**data, "path": [path] if isinstance(path, str) else path})
        if absurd := next(plan._absurd(), None):
            raise ValueError(f"no storm has {absurd}")
        return plan

    def _absurd(self) -> Iterator[str]:
        """Yield values that would keep a reader busy forever, or do not fit its columns."""
        fleet, ids, tokens = self.fleet, self.ids, self.tokens
        for name, number, most in (
            ("fleet.processes", fleet.processes, _MOST_CLIENTS),
            ("fleet.clients", fleet.clients, _MOST_CLIENTS),
            ("fleet.batch", fleet.batch, _LARGEST_JOINED if self.joined else _LARGEST_BATCH),
            ("tokens.span", tokens.span, 1 << 32),
        ):
            if not 1 <= number <= most:
                yield f"{name} of {number}"
        if ids.codec.text > _LONGEST_TEXT:
            yield f"ids.codec.text of {ids.codec.text}"
        if fleet.batch * ids.codec.words > _LARGEST_RECORD:
            yield f"fleet.batch of {fleet.batch} with keys of {ids.codec.words} words"
        if tokens.base < 0 or tokens.base + fleet.clients * tokens.span >= 1 << 63:
            yield f"tokens.base of {tokens.base}"
        if fleet.inserts is not None and fleet.inserts < 0:
            yield f"fleet.inserts of {fleet.inserts}"
        if ids.generator is not None and not 0 < abs(ids.generator.increment) < 1 << 62:
            yield f"an increment of {ids.generator.increment}"
        if ids.generator is not None and abs(ids.generator.start) > 1 << 64:
            yield f"a start of {ids.generator.start}"
        if not ids.columns:
            yield "an id without a column"

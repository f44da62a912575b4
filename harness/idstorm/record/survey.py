"""What `idstorm audit` reads of a database: its generators, the columns that they serve, and what is odd around them.

Names are as a statement of that database would write them, so that they can be found again. A limit is the last value
in the generator's direction.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import StrEnum

_QUOTED = re.compile(r'`(?:[^`]|``)+`|"(?:[^"]|"")+"')
_PLAIN = re.compile(r'`[A-Za-z_]\w*`|"[a-z_][a-z0-9_]*"')


def shown(text: str) -> str:
    """Return names without the quotes that only a statement needs."""
    return _QUOTED.sub(lambda match: match[0][1:-1] if _PLAIN.fullmatch(match[0]) else match[0], text)


@dataclass(frozen=True)
class Remedy:
    """What mends something. It is shown, never run."""

    statement: str
    lock: str  #: which lock it takes, and what that means for others


@dataclass(frozen=True)
class Unread:
    """Something that an audit was to read and could not."""

    what: str
    why: str
    grant: str | None = None  #: the smallest privilege that is missing, as a statement


@dataclass(frozen=True)
class Generator:
    """What hands out ids."""

    name: str
    kind: str  #: in the database's words: sequence, identity, AUTO_INCREMENT, rowid
    first: int  #: the end from which it goes to `last`
    last: int
    start: int  #: the first value that it ever hands out
    step: int = 1
    type: str | None = None  #: of the generator itself, where it has one
    cache: int = 1  #: values that are drawn at a time and kept in memory
    usual_cache: int = 1  #: what a generator has unless it is asked for more
    cycles: bool = False  #: past its limit it begins at its other end
    owned: bool = True  #: it belongs to a column, and is dropped with it
    position: int | None = None  #: the last value that it handed out; None: none yet, or `unread`
    unread: Unread | None = None
    widen: Remedy | None = None
    settle: Remedy | None = None  #: what gives it an owner, or stops it from cycling

    @property
    def sign(self) -> int:
        """1 if it counts up, -1 if it counts down."""
        return 1 if self.step > 0 else -1

    @property
    def following(self) -> int | None:
        """The next value that it will hand out; None where that could not be read."""
        if self.unread is not None:
            return None
        return self.start if self.position is None else self.position + self.step


@dataclass(frozen=True)
class Column:
    """A column whose values are generated."""

    table: str
    name: str
    type: str
    limit: int | None  #: None: its values are not integers, or not those that the generator hands out
    indexed: bool = True  #: an index begins with it, so that its furthest value is a single look-up
    receives: str | None = None  #: the subscription that fills its table
    furthest: int | None = None  #: max(id), or min(id) of ids that count down; None: no rows, or `unread`
    unread: Unread | None = None
    uncompared: str | None = None  #: why its furthest value was not asked for
    widen: Remedy | None = None
    mend: Remedy | None = None  #: what brings the generator to the furthest value, and never back

    @property
    def id(self) -> str:
        """Table and column, as they are shown."""
        return shown(f"{self.table}.{self.name}")


@dataclass(frozen=True)
class Id:
    """A generator and a column that it serves; None: it is known to serve none."""

    generator: Generator
    column: Column | None = None
    lead: int = 0
    """How many values the furthest row was ahead of the generator, in two readings in turn: the lesser of the two."""

    @property
    def name(self) -> str:
        """The column, or else the generator, as they are shown."""
        return shown(self.generator.name) if self.column is None else self.column.id


def lead_of(generator: Generator, furthest: int | None) -> int:
    """Return how many values a generator has to hand out until it is past the furthest row; 0 if it is, or unknown.

    A generator that is used up may remain at its last value instead of passing it, which is no lead. One that cycles is
    meant to be where it was before.
    """
    following, sign = generator.following, generator.sign
    if generator.cycles or following is None or furthest is None or furthest * sign < following * sign:
        return 0
    if furthest == generator.last and following * sign >= generator.last * sign:
        return 0
    return (furthest - following) * sign // abs(generator.step) + 1


@dataclass(frozen=True)
class Reference:
    """A foreign key's column of another type than the key that it refers to."""

    column: str
    type: str
    limit: int
    key: str
    key_type: str
    key_limit: int
    widen: Remedy


@dataclass(frozen=True)
class Keyless:
    """A table without a primary key."""

    table: str
    remedy: Remedy | None  #: None: it has to be made again


@dataclass(frozen=True)
class Unguarded:
    """A column that no unique index has."""

    table: str
    name: str
    type: str
    remedy: Remedy | None


class Runs(StrEnum):
    """What runs a program when a row is inserted."""

    TRIGGER = "trigger"
    DEFAULT = "default"


@dataclass(frozen=True)
class Program:
    """A trigger's or a default's source."""

    runs: Runs
    name: str
    table: str
    source: str


@dataclass(frozen=True)
class Stride:
    """A setting of the server by which ids advance by more than one, or do not begin at one."""

    name: str
    value: int


@dataclass(frozen=True)
class Survey:
    """What an audit read of one database."""

    tables: int = 0  #: how many it looked at
    ids: tuple[Id, ...] = ()
    references: tuple[Reference, ...] = ()
    keyless: tuple[Keyless, ...] = ()
    unguarded: tuple[Unguarded, ...] = ()
    programs: tuple[Program, ...] = ()
    subscriptions: tuple[str, ...] = ()
    strides: tuple[Stride, ...] = ()
    unread: tuple[Unread, ...] = field(default=())  #: besides generators and columns

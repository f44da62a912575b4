"""The limits of a table's ids: their column's type, its generator, and the columns that refer to it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Reference:
    """A column that refers to the ids, and so has to hold them too."""

    column: str  #: `table.column`
    type: str  #: in the database's words
    limit: int  #: the last value that fits, in the generator's direction


@dataclass(frozen=True)
class Capacity:
    """What a server reports of a column and its generator. Limits are the last value in the generator's direction."""

    column: str  #: the column's type, in the database's words
    column_limit: int
    generator: str  #: what hands the ids out, in the database's words
    generator_limit: int
    position: int | None = None  #: the last value that was handed out; None: there is no generator, or it was not used
    cache: int = 1  #: values that are drawn at a time and kept in memory
    generator_first: int | None = None  #: the end from which the generator goes to its limit; None: it was not recorded
    cycles: bool = False  #: past its limit the generator begins at its other end
    references: tuple[Reference, ...] = ()

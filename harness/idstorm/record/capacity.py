"""How far the ids of a table can go: the type of their column, and the generator that fills it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Capacity:
    """What a server says of a column and its generator. Limits are the last value in the generator's direction."""

    column: str  #: the column's type, in the database's words
    column_limit: int
    generator: str  #: what hands the ids out, in the database's words
    generator_limit: int
    position: int | None = None  #: the last value that was handed out, as far as the server knows it
    cache: int = 1  #: values that are drawn at a time and kept in memory

    @property
    def limit(self) -> int:
        """Whichever of the two ends first."""
        return min(self.column_limit, self.generator_limit, key=abs)

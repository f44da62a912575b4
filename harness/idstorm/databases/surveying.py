"""Reading positions and furthest rows for an audit: the order that makes "behind" certain, for every database alike.

A position is read after the furthest row, since generators advance outside transactions: a row that is inserted
meanwhile has drawn its id before. What still looks behind is read once more after a pause: a restore writes rows first
and sets its sequences afterwards.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Protocol

from idstorm.record.survey import Column, Generator, Id, Unread, lead_of

LOCKED = "skipped: locked"  #: why something is unread that another session has locked for longer than a second
WAIT = 1.0  #: seconds that an audit waits for a lock

_PAUSE = 0.5  # seconds between two readings


class Reader(Protocol):
    """Reads from one database, each time in a statement that is a transaction."""

    def furthest(self, column: Column, *, down: bool) -> int | Unread | None:
        """Return the greatest value of a column, or the least if `down`; None where there is none."""

    def positions(self, generators: Sequence[Generator]) -> Mapping[str, int | Unread | None]:
        """Return the last value that each generator handed out, by its name; None where it handed out none yet."""


def measure(ids: Iterable[Id], reader: Reader, *, scan: bool) -> tuple[Id, ...]:
    """Return ids with their positions and furthest rows. `scan`: also where that reads a whole table."""
    first = [_with_lead(one) for one in _read(ids, reader, scan=scan)]
    ahead = [one for one in first if one.lead]
    if ahead:
        time.sleep(_PAUSE)
        second = {(one.name, one.generator.name): one for one in map(_with_lead, _read(ahead, reader, scan=scan))}
        for place, one in enumerate(first):
            if (again := second.get((one.name, one.generator.name))) is not None:
                first[place] = replace(again, lead=min(one.lead, again.lead))
    return tuple(first)


def _read(ids: Iterable[Id], reader: Reader, *, scan: bool) -> list[Id]:
    reached = [
        one if one.column is None else replace(one, column=_furthest(one.column, one.generator, reader, scan=scan))
        for one in ids
    ]
    asked = {one.generator.name: one.generator for one in reached if one.generator.unread is None}
    positions = reader.positions(list(asked.values()))
    return [replace(one, generator=_at(one.generator, positions)) for one in reached]


def _furthest(column: Column, generator: Generator, reader: Reader, *, scan: bool) -> Column:
    if column.unread is not None:
        return column
    if column.limit is None or not (column.indexed or scan):
        return replace(column, compared=False)
    found = reader.furthest(column, down=generator.sign < 0)
    return replace(column, unread=found) if isinstance(found, Unread) else replace(column, furthest=found)


def _at(generator: Generator, positions: Mapping[str, int | Unread | None]) -> Generator:
    found = positions.get(generator.name)
    return replace(generator, unread=found) if isinstance(found, Unread) else replace(generator, position=found)


def _with_lead(one: Id) -> Id:
    return replace(one, lead=0 if one.column is None else lead_of(one.generator, one.column.furthest))

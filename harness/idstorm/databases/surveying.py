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

    def furthest(self, ids: Sequence[Id]) -> Sequence[int | Unread | None]:
        """Return the furthest value of each id's column, in its generator's direction; None where there is none."""

    def positions(self, generators: Sequence[Generator]) -> Mapping[str, int | Unread | None]:
        """Return the last value that each generator handed out, by its name; None where it handed out none yet."""


def measure(ids: Iterable[Id], reader: Reader, *, scan: bool) -> tuple[Id, ...]:
    """Return ids with their positions and furthest rows. `scan`: also where that reads a whole table."""
    first = _read(ids, reader, scan=scan)
    ahead = [one for one in first if one.lead]
    if ahead:
        time.sleep(_PAUSE)
    again = {_key(one): one for one in (_read(ahead, reader, scan=scan) if ahead else ())}
    return tuple(
        one if (later := again.get(_key(one))) is None else replace(later, lead=min(one.lead, later.lead))
        for one in first
    )


def _read(ids: Iterable[Id], reader: Reader, *, scan: bool) -> list[Id]:
    found = [replace(one, column=_asked(one.column, scan=scan)) for one in ids]
    asked = [
        one for one in found if one.column is not None and one.column.uncompared is None and one.column.unread is None
    ]
    values = dict(zip(map(_key, asked), reader.furthest(asked), strict=True))
    generators = {one.generator.name: one.generator for one in found if one.generator.unread is None}
    positions = reader.positions(list(generators.values()))
    return [_with_lead(_reached(one, values), positions) for one in found]


def _key(one: Id) -> tuple[str, str]:
    return one.name, one.generator.name


def _asked(column: Column | None, *, scan: bool) -> Column | None:
    """Return a column as one that is not compared, where that would take a scan."""
    if column is None or column.uncompared is not None or column.indexed or scan:
        return column
    return replace(column, uncompared="no index begins with it: --scan reads the table")


def _reached(one: Id, values: Mapping[tuple[str, str], int | Unread | None]) -> Id:
    if one.column is None or _key(one) not in values:
        return one
    value = values[_key(one)]
    column = one.column
    column = replace(column, unread=value) if isinstance(value, Unread) else replace(column, furthest=value)
    return replace(one, column=column)


def _with_lead(one: Id, positions: Mapping[str, int | Unread | None]) -> Id:
    value, generator = positions.get(one.generator.name), one.generator
    generator = replace(generator, unread=value) if isinstance(value, Unread) else replace(generator, position=value)
    lead = 0 if one.column is None else lead_of(generator, one.column.furthest)
    return replace(one, generator=generator, lead=lead)

"""Unique keys: which of them are the id's own, and how an error names them."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import sqlalchemy as sa

_EXCLUSION = "exclude_constraint"  # the name in PostgreSQL's dialect, which is not imported just for this
_PART = r'("(?:[^"]|"")*"|\w+)'
_WRITTEN = re.compile(rf"(~?){_PART}\.{_PART}\((.*)\)( with triggers)?")


@dataclass(frozen=True)
class Unique:
    """A key that keeps rows apart: a primary key, a unique constraint or index, or an exclusion constraint.

    A plan holds it as text: `invoice.invoice_pkey(id)`, with a `~` before one that is not the id's own.
    """

    table: str
    name: str  #: as errors give it; a key that may have several names is listed once for each
    columns: tuple[str, ...]
    own: bool  #: it is on the id's columns
    triggers: bool = False  #: the table has triggers: a statement on it may fail in another table

    def __str__(self) -> str:
        columns = ",".join(map(_quoted, self.columns))
        own, triggers = "" if self.own else "~", " with triggers" if self.triggers else ""
        return f"{own}{_quoted(self.table)}.{_quoted(self.name)}({columns}){triggers}"

    @classmethod
    def of(cls, text: str) -> Unique:
        """Parse what `str` wrote. Raises ValueError for anything else."""
        written = _WRITTEN.fullmatch(text)
        if written is None:
            raise ValueError(f"{text!r} is not a unique key")
        other, table, name, columns, triggers = written.groups()
        parts = tuple(map(_plain, re.findall(_PART, columns)))
        return cls(_plain(table), _plain(name), parts, own=not other, triggers=triggers is not None)


def guards(columns: Collection[str], ids: Collection[str]) -> bool:
    """Return whether a key on these columns is the id's own.

    It is if it includes the whole id: UNIQUE (tenant, number) refuses a number that is taken within a tenant. It also
    is if the id includes the whole key: two rows with the same id break it too, and it refuses nothing but a part of
    the id. A key with a part of the id and another column refuses rows for other reasons.
    """
    key, whole = set(columns), set(ids)
    return bool(key) and (key >= whole or key <= whole)


@lru_cache
def uniques(names: tuple[str, ...]) -> tuple[Unique, ...]:
    """Return the keys that a plan names."""
    return tuple(map(Unique.of, names))


def owned(known: Iterable[Unique], name: str, table: str | None = None) -> bool | None:
    """Return whether the key of this name is the id's own; None where none is known, or both kinds have the name.

    MySQL numbers unnamed keys: `tenant`, `tenant_2`. Which is which depends on an unknown order.
    """
    stem = re.sub(r"_\d+$", "", name)
    there = [one for one in known if table is None or one.table.lower() == table.lower()]
    exact = {one.own for one in there if one.name.lower() == name.lower()}
    found = exact or {one.own for one in there if one.name.lower() == stem.lower()}
    return found.pop() if len(found) == 1 else None


Key = tuple[str, str, Sequence[str], bool]
"""Table, name, columns, and whether the table has triggers."""


def modelled(metadata: sa.MetaData) -> list[Key]:
    """Return the keys of all tables of a model, each under every name that errors may give it.

    MySQL says PRIMARY, and names an unnamed key after its first column. PostgreSQL makes names from table and columns.
    A model does not know whether a table has triggers.
    """
    keys = list[Key]()
    for table in metadata.tables.values():
        unique = [one for one in table.constraints if one.__visit_name__ in ("unique_constraint", _EXCLUSION)]
        found: list[Any] = [table.primary_key, *unique, *(index for index in table.indexes if index.unique)]
        for key in found:
            columns = [column.name for column in key.columns]
            given = str(key.name) if isinstance(key.name, str) else None
            if key is table.primary_key:
                names = ["PRIMARY", given or f"{table.name}_pkey"]
            else:
                ending = "excl" if key.__visit_name__ == _EXCLUSION else "key"
                names = [given] if given else ["_".join([table.name, *columns, ending]), *columns[:1]]
            keys += [(table.name, name, columns, False) for name in names if columns]
    return keys


def written(columns: Sequence[str], keys: Iterable[Key]) -> tuple[str, ...]:
    """Return keys in the form that a plan holds. `columns` are the id's, as `table.column`."""
    table, ids = columns[0].rpartition(".")[0], [column.rpartition(".")[2] for column in columns]
    return tuple(
        sorted(
            str(Unique(place, name, tuple(key), place == table and guards(key, ids), triggers))
            for place, name, key, triggers in keys
        )
    )


def _quoted(part: str) -> str:
    return part if re.fullmatch(r"\w+", part) else '"' + part.replace('"', '""') + '"'


def _plain(part: str) -> str:
    return part[1:-1].replace('""', '"') if part.startswith('"') else part

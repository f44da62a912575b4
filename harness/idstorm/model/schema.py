"""The tables that a model needs."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapper

from idstorm.internals import sequences_of
from idstorm.scenario import Scenario


def tables_of(scenario: Scenario, mapper: Mapper[Any]) -> tuple[sa.Table, ...] | None:
    """Return the tables to make: the model's own and those that they refer to, even indirectly.

    None, which means all of the MetaData, for a scenario with its own code: which tables that uses is not known.
    """
    own = (
        scenario.insert,
        scenario.delete,
        scenario.client,
        scenario.tables,
        scenario.setup,
        scenario.interlude,
        scenario.engine,
        scenario.session,
        scenario.reader if callable(scenario.reader) else None,
    )
    if any(one is not None for one in own):
        return None
    needed = dict.fromkeys(table for table in mapper.tables if isinstance(table, sa.Table))
    waiting = list(needed)
    while waiting:
        for other in _referred_to(waiting.pop()):
            if other not in needed:
                needed[other] = None
                waiting.append(other)
    return tuple(needed)


def schemas_of(metadata: sa.MetaData) -> set[str]:
    """Return every schema that a model names, for tables, and for types and sequences, whose schema may differ."""
    named: list[Any] = [*metadata.tables.values(), *sequences_of(metadata)]
    for column in (column for table in metadata.tables.values() for column in table.columns):
        inner = [getattr(column.type, name, None) for name in ("impl", "impl_instance", "item_type")]
        named += [column.default, column.onupdate, column.type, *inner]
    return {schema for one in named if isinstance(schema := getattr(one, "schema", None), str)}


def _referred_to(table: sa.Table) -> list[sa.Table]:
    tables = []
    for key in table.foreign_keys:
        try:
            tables.append(key.column.table)
        except sa.exc.NoReferenceError:  # no table of that name is mapped: making this one will say so
            continue
    return [one for one in tables if isinstance(one, sa.Table)]

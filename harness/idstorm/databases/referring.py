"""The columns that refer to an id, and have to hold it as well."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import sqlalchemy as sa

from idstorm.record.capacity import Reference


def references_to(
    connection: sa.Connection, query: str, names: Mapping[str, str | None], last_of: Callable[[str], int | None]
) -> tuple[Reference, ...]:
    """Return the columns that a query names, each with its type, where `last_of` knows the last value of that type."""
    return tuple(
        Reference(column, type_, last)
        for column, type_ in connection.execute(sa.text(query), names)
        if (last := last_of(type_)) is not None
    )

"""Sequences in other schemas that a model's own SQL draws from, which a catalogue may not show."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

import sqlalchemy as sa

from idstorm.model.rows import qualified

_DRAWS = re.compile(r"(?:(?:next|set)val\s*\(\s*|next\s+value\s+for\s+)'?([\w$\"`]+\s*\.\s*[\w$\"`]+)", re.IGNORECASE)


def sequences_elsewhere(tables: Iterable[sa.Table]) -> list[str]:
    """Return, in words, the defaults of these tables that draw from a sequence named with its schema.

    A SQLAlchemy `Sequence` may have a schema, since that is mapped to the storm's own.
    """
    return [
        f"the default of {qualified(column)} leads to {found[1]}"
        for table in tables
        for column in table.columns
        for text in _texts(column)
        if (found := _DRAWS.search(text))
    ]


def _texts(column: sa.Column[Any]) -> Iterator[str]:
    for default in (column.default, column.server_default, column.onupdate, column.server_onupdate):
        made = getattr(default, "arg", None)
        if isinstance(made, str):
            yield made
        elif isinstance(made, sa.ClauseElement):
            try:
                yield str(made.compile(compile_kwargs={"literal_binds": True}))
            except (sa.exc.SQLAlchemyError, NotImplementedError):  # a value that has no literal draws from nothing
                yield str(made)

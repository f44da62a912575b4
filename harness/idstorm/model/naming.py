"""How databases name the constraints of a table in their messages."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa


def names_of(key: sa.PrimaryKeyConstraint | sa.UniqueConstraint | sa.Index) -> tuple[str, ...]:
    """Return the names of a key in messages, exactly as they appear: quoted, or as a list of columns (SQLite).

    For an unnamed key, PostgreSQL makes a name from table and columns, and MySQL and MariaDB take the first column's.
    """
    assert key.table is not None
    table, columns = str(key.table.name), [column.name for column in key.columns]
    if isinstance(key, sa.PrimaryKeyConstraint):
        names = ["PRIMARY", str(key.name or f"{table}_pkey")]
    else:
        names = [str(key.name)] if key.name else ["_".join([table, *columns, "key"]), columns[0]]
    quoted = (form for name in names for form in (f'"{name}"', f"'{name}'", f"'{table}.{name}'"))
    return (*quoted, ", ".join(f"{table}.{column}" for column in columns))


def checks_of(columns: Iterable[sa.Column[Any]]) -> list[str]:
    """Return the model's CHECK constraints that concern these columns."""
    checks = []
    for table in dict.fromkeys(column.table for column in columns):
        names = [column.name for column in columns if column.table is table]
        for one in table.constraints if isinstance(table, sa.Table) else ():
            if isinstance(one, sa.CheckConstraint) and not getattr(one, "_type_bound", False):
                text = str(one.sqltext)
                if any(name in text for name in names):
                    checks.append(f"{one.name or table.name}: CHECK ({text})")
    return sorted(checks)

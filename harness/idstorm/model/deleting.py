"""How rows are deleted if the scenario has no delete of its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Mapper, Session

from idstorm.model.awaiting import awaiting
from idstorm.model.rows import token_as_stored
from idstorm.scenario.scenario import AsyncDelete, Delete


class DeleteRows(Protocol):
    """Deletes rows by their ids. If tokens are given, other rows that have one of the ids are left alone."""

    def __call__(self, session: Session, ids: Sequence[Any], tokens: Sequence[int] | None = None, /) -> object: ...


def own_delete(delete: Delete | AsyncDelete) -> DeleteRows:
    """Return the scenario's own way, which takes only ids."""
    call = awaiting(delete)
    return lambda session, ids, tokens=None: call(session, ids)


def default_delete(
    mapper: Mapper[Any], ids: tuple[sa.Column[Any], ...], token: sa.ColumnElement[Any] | None
) -> DeleteRows:
    """Return a function that deletes rows from all tables of the model, referring tables first.

    If two rows have the same id, only one of them is to be deleted. Rows are found by their ids, and the tokens choose
    among them, since few tables have an index on tokens. Only if an id leads to another row is its own looked for by
    token alone.
    """
    table, chosen = ids[0].table, _one_or_tuple(ids)
    joined = [one for one in mapper.tables if isinstance(one, sa.Table)]
    ordered = reversed(sa.schema.sort_tables(joined)) if len(joined) > 1 else ()
    keys = {one: _one_or_tuple(_key_in(mapper, one)) for one in ordered}

    def delete_where(session: Session, rows: sa.ColumnElement[bool]) -> int:
        if len(joined) == 1:
            return int(session.execute(sa.delete(table).where(rows)).rowcount)  # type: ignore[attr-defined]
        found = [tuple(row) for row in session.execute(sa.select(*_key_in(mapper, table)).where(rows))]
        for one, key in keys.items():
            session.execute(sa.delete(one).where(key.in_([row[0] if len(row) == 1 else row for row in found])))
        return len(found)

    def delete(session: Session, values: Sequence[Any], tokens: Sequence[int] | None = None, /) -> None:
        by_id = chosen.in_([_as_stored(ids, value) for value in values])
        if token is None or tokens is None:
            delete_where(session, by_id)
            return
        by_token = token.in_([token_as_stored(token)(one) for one in tokens])
        if delete_where(session, by_id & by_token) < len(tokens):
            delete_where(session, by_token)

    return delete


def _one_or_tuple(columns: Sequence[sa.Column[Any]]) -> Any:
    return columns[0] if len(columns) == 1 else sa.tuple_(*columns)


def _key_in(mapper: Mapper[Any], table: sa.FromClause) -> list[sa.Column[Any]]:
    """Return the columns in one of the model's tables that are its primary key."""
    properties = [mapper.get_property_by_column(column) for column in mapper.primary_key]
    return [column for one in properties for column in one.columns if column.table is table]


def _as_stored(columns: Sequence[sa.Column[Any]], value: Any) -> Any:
    """Return an id in the form that its columns take, if a client was told it as text."""
    if len(columns) > 1:
        return tuple(_as_stored([column], part) for column, part in zip(columns, value, strict=True))
    wanted = columns[0].type.python_type
    return wanted(value) if isinstance(value, str) and wanted in (int, UUID) else value

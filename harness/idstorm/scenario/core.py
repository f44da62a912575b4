"""Tables of SQLAlchemy Core, for which an application has no mapped class."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Table
from sqlalchemy.exc import ArgumentError
from sqlalchemy.orm import registry

from idstorm.errors import ScenarioError


def class_of(table: Table) -> type[Any]:
    """Return a class that is mapped to a table. Raises ScenarioError where the table has no primary key."""
    try:
        return registry(metadata=table.metadata).map_imperatively(type(table.name, (), {}), table).class_
    except ArgumentError as error:
        raise ScenarioError(
            f"the table {table.name} has no primary key, and rows are told apart by one: name one in its Table"
        ) from error

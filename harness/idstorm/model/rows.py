"""Rows of a user's own model, made from its mapping alone."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapper

from idstorm.errors import ScenarioError
from idstorm.model.filling import Filling, filling_of, has_constant_default, plain_type
from idstorm.model.instances import Maker
from idstorm.model.parents import Parents


class Rows:
    """Makes instances of a mapped class that can be inserted.

    `prepared` says that the scenario's `setup` makes the rows that defaults of foreign keys refer to.
    Raises ScenarioError, naming every column for which there is no value.
    """

    def __init__(
        self, model: type[Any], mapper: Mapper[Any], token: sa.Column[Any] | None, *, prepared: bool = False
    ) -> None:
        fillings = _fillings(mapper, token, prepared=prepared)
        self.parents = Parents((target for filling in fillings for target in filling.parents.values()), mapper.registry)
        refused = {column: why for filling in fillings for column, why in filling.refused.items()}
        _refuse(model, refused | self.parents.refused)
        self.columns = tuple(column for filling in fillings for column in filling.columns)
        self._constants = {_key(mapper, column): value for one in fillings for column, value in one.constants.items()}
        self._varying = {_key(mapper, column): vary for one in fillings for column, vary in one.varying.items()}
        self._targets = {_key(mapper, column): target for one in fillings for column, target in one.parents.items()}
        self._token = None if token is None else _key(mapper, token)
        self._token_of = int if token is None else token_as_stored(token)
        keys = (*self._constants, *self._varying, *self._targets, *([self._token] if self._token else []))
        self._maker = Maker(mapper, keys)

    @property
    def notes(self) -> tuple[str, ...]:
        """What was chosen, in sentences."""
        filled = [f"filled for the model: {', '.join(map(qualified, self.columns))}"] if self.columns else []
        tables = ", ".join(table.name for table in self.parents.tables)
        return (*filled, *([f"made for its foreign keys: a row in {tables}"] if tables else []))

    def make_parents(self, connection: sa.Connection) -> None:
        """Make the parents' rows, to which all rows made afterwards will refer."""
        self.parents.make(connection)
        self._adopt()

    def find_parents(self, connection: sa.Connection) -> None:
        """Read the parents' rows that another process has made."""
        self.parents.find(connection)
        self._adopt()

    def _adopt(self) -> None:
        self._constants |= {key: self.parents.key(target) for key, target in self._targets.items()}

    def row(self, token: int) -> Any:
        """Return an instance that carries this token."""
        values = self._constants.copy()
        for key, vary in self._varying.items():
            values[key] = vary()
        if self._token is not None:
            values[self._token] = self._token_of(token)
        return self._maker.make(values)


def qualified(column: sa.Column[Any]) -> str:
    """Return a column's name, preceded by its table's."""
    return f"{column.table.name}.{column.name}"


def token_as_stored(token: sa.ColumnElement[Any]) -> type[str] | type[int]:
    """Return the type to which a token is converted for its column."""
    return str if isinstance(plain_type(token.type), sa.String) else int


def _fillings(mapper: Mapper[Any], token: sa.Column[Any] | None, *, prepared: bool) -> list[Filling]:
    """Return what to fill in for each table of the model, apart from what the mapper sets itself."""
    given: dict[Any, bool] = {mapper.polymorphic_on: False, mapper.version_id_col: False, token: True}
    for attribute in mapper.column_attrs:  # with joined tables, the key of one is the key of all
        given |= dict.fromkeys(attribute.columns[:-1], True)
    if prepared:
        referring = (column for column in mapper.columns if isinstance(column, sa.Column) and column.foreign_keys)
        given |= {column: False for column in referring if has_constant_default(column)}
    columns = {column: differs for column, differs in given.items() if isinstance(column, sa.Column)}
    return [filling_of(table, columns) for table in mapper.tables if isinstance(table, sa.Table)]


def _refuse(model: type[Any], refused: dict[sa.Column[Any], str]) -> None:
    if not refused:
        return
    reasons = "".join(f"\n  {qualified(column)}: {why}" for column, why in refused.items())
    raise ScenarioError(
        f"{model.__name__} cannot be filled without knowing more about it:{reasons}\n"
        "Write a file with a scenario of your own, Scenario(model=…, insert=…), whose insert(session, tokens) makes a "
        "row for each token and returns their ids"
    )


def _key(mapper: Mapper[Any], column: sa.Column[Any]) -> str:
    return str(mapper.get_property_by_column(column).key)

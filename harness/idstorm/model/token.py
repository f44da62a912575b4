"""Where a row carries its token: in a column, or at a place in a JSON column."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import InstrumentedAttribute, Mapper

from idstorm.errors import ScenarioError
from idstorm.model.filling import plain_type
from idstorm.model.naming import checks_of
from idstorm.scenario.scenario import Column, Scenario

_LENGTH = 20  #: digits of the largest token, and one to spare
_MOST = 255  #: characters that are read: what follows a token may not be cut off


def token_of(scenario: Scenario, mapper: Mapper[Any], ids: tuple[sa.Column[Any], ...]) -> sa.ColumnElement[Any] | None:
    """Return what reads a row's token back, or None where nothing can carry one. Raises ScenarioError."""
    table = ids[0].table
    if scenario.token is not None:
        given = scenario.token
        if isinstance(given, str | InstrumentedAttribute | sa.Column):
            token: sa.ColumnElement[Any] = column_of(mapper, given)
        else:
            token = _at_place(given, scenario)
        if carrier_of(token).table is not table:
            raise ScenarioError(
                f"the token is in {carrier_of(token).table.name}, the id in {table.name}: they must be in one table"
            )
        return token
    beside = [
        column
        for column in table.columns
        if column in mapper.columns.values()
        and column not in ids
        and not column.primary_key
        and not column.foreign_keys
        and not _is_made_elsewhere(column, mapper)
    ]
    named = next((column for column in beside if column.name == "token"), None)
    if named is not None or scenario.insert is not None:
        return named  # the user's own insert does not know of any other column
    return next((column for column in beside if _carries_token(column) and not _is_guarded(column, mapper)), None)


def _is_made_elsewhere(column: sa.Column[Any], mapper: Mapper[Any]) -> bool:
    """Return whether the mapper or the database itself sets a column: a version, a discriminator, a computed value."""
    made = column.server_default is not None and not isinstance(column.server_default, sa.DefaultClause)
    return made or column is mapper.version_id_col or column is mapper.polymorphic_on


def _is_guarded(column: sa.Column[Any], mapper: Mapper[Any]) -> bool:
    """Return whether a CHECK, or the model's own `validates`, may refuse a token, or rewrite it."""
    return bool(checks_of([column])) or mapper.get_property_by_column(column).key in mapper.validators


def _carries_token(column: sa.Column[Any]) -> bool:
    if isinstance(column.type, sa.TypeDecorator) and _changes_values(column.type):
        return False
    plain = plain_type(column.type)
    if isinstance(plain, sa.String) and not isinstance(plain, sa.Enum):
        return plain.length is None or plain.length >= _LENGTH
    return isinstance(plain, sa.BigInteger)


def _changes_values(type_: sa.TypeDecorator[Any]) -> bool:
    own, none = type(type_), sa.TypeDecorator
    return any(getattr(own, name) is not getattr(none, name) for name in ("process_bind_param", "process_result_value"))


def carrier_of(token: sa.ColumnElement[Any]) -> sa.Column[Any]:
    """Return the column that holds the token, or holds the JSON with the token."""
    return next(one for one in sa.sql.visitors.iterate(token) if isinstance(one, sa.Column))


def _at_place(given: sa.ColumnElement[Any], scenario: Scenario) -> sa.ColumnElement[Any]:
    """Return the text at a place in a JSON column. Raises ScenarioError."""
    if not isinstance(given, sa.BinaryExpression) or not isinstance(given.type, sa.JSON):
        raise ScenarioError(
            "token of a scenario is a column, or a place in a JSON column, such as Order.details['ref']"
        )
    if scenario.insert is None and scenario.client is None:
        raise ScenarioError(
            f"idstorm cannot make the JSON of {scenario.mapped.__name__} that carries the token: give the scenario an "
            "insert that does"
        )
    return sa.cast(given.as_string(), sa.String(_MOST))  # a number or a text; the cast makes all databases say text


def column_of(mapper: Mapper[Any], given: Column) -> sa.Column[Any]:
    """Return the column of the model that is meant. Raises ScenarioError."""
    if isinstance(given, sa.Column):
        given = mapper.get_property_by_column(given).key if given in mapper.columns.values() else given.name
    key = given if isinstance(given, str) else given.key
    if key not in mapper.columns:
        raise ScenarioError(
            f"{mapper.class_.__name__} has no column {key}; there are {', '.join(mapper.columns.keys())}"
        )
    column = mapper.columns[key]
    assert isinstance(column, sa.Column)
    return column

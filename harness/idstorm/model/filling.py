"""Values for the columns that an insert into a user's own table must have.

One value for each type is enough; values that have to differ between rows are counted. A library of realistic data
would only add weight: no one reads these rows, and no library knows a table's own constraints.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from itertools import count
from typing import Any
from uuid import UUID, uuid4

import sqlalchemy as sa

_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
_ROWS_OF_A_WORKER = 1 << 26
_LONGEST_NUMBER = 7  # digits, enough to count the rows of 32 workers
_LITERAL = re.compile(r"\s*(-?[0-9.]+|'[^']*'(::[\w ]+)?|true|false)\s*", re.IGNORECASE)
_DAY = datetime(2026, 1, 1, tzinfo=UTC)
_BY_NAME: dict[str, Any] = {
    "INET": "192.0.2.1",
    "CIDR": "192.0.2.0/24",
    "MACADDR": "08:00:2b:01:02:03",
    "TSVECTOR": "idstorm",
    "HSTORE": {},
    "YEAR": 2026,
}

Varying = Callable[[], Any]


class Unfillable(Exception):
    """There is no value for a column; the message says why."""


@dataclass(frozen=True)
class Filling:
    """What goes into the columns of one table: a value for all rows, one that varies, or a parent's key."""

    constants: dict[sa.Column[Any], Any]
    varying: dict[sa.Column[Any], Varying]
    parents: dict[sa.Column[Any], sa.Column[Any]]
    refused: dict[sa.Column[Any], str]  #: columns for which there is no value, and why

    @property
    def columns(self) -> tuple[sa.Column[Any], ...]:
        """All columns that are filled."""
        return (*self.constants, *self.varying, *self.parents)


def filling_of(table: sa.Table, given: Mapping[sa.Column[Any], bool] | None = None, *, once: bool = False) -> Filling:
    """Return what an insert into this table must have.

    `given` are columns that are filled elsewhere, and whether their values differ between rows. If rows are made only
    `once`, nothing has to differ. Nullable columns stay NULL. Columns with a default, or filled by the database, are
    left alone, unless nothing else in a key can differ.
    """
    given, filling = given or {}, Filling({}, {}, {}, {})
    required = [column for column in table.columns if column not in given and _is_required(column)]
    varying = [] if once else _to_vary(table, required, given)
    for column in dict.fromkeys((*required, *varying)):
        try:
            if column.foreign_keys:
                filling.parents[column] = _parent_of(column, unique=column in varying)
            elif column in varying:
                filling.varying[column] = _varying(column)
            else:
                filling.constants[column] = _constant(column.type)
        except Unfillable as reason:
            filling.refused[column] = str(reason)
    return filling


def _is_required(column: sa.Column[Any]) -> bool:
    if column.foreign_keys and has_constant_default(column):
        return True  # the row that the default refers to does not exist
    made = (column.default, column.server_default, column.computed, column.identity)
    assert isinstance(column.table, sa.Table)
    return not column.nullable and all(one is None for one in made) and column is not column.table.autoincrement_column


def _to_vary(
    table: sa.Table, required: list[sa.Column[Any]], given: Mapping[sa.Column[Any], bool]
) -> list[sa.Column[Any]]:
    """Return the columns that must differ between rows: at least one of each key that would not differ anyway."""
    varying: list[sa.Column[Any]] = []
    for key in keys_of(table):
        columns = list(key.columns)
        if any(given.get(one, one in varying or _differs(one, one in required)) for one in columns):
            continue
        ours = sorted((one for one in columns if one not in given), key=lambda one: one not in required)
        best = next((one for one in ours if _can_vary(one)), None)
        varying += [best] if best is not None else ours[:1]
    return varying


def _differs(column: sa.Column[Any], required: bool) -> bool:
    """Return whether each row gets a different value, or NULL, if the column is not filled."""
    return not required and not has_constant_default(column)


def has_constant_default(column: sa.Column[Any]) -> bool:
    """Return whether a column has the same value in all rows that do not set it."""
    if column.default is not None:
        return bool(column.default.is_scalar)
    given = getattr(column.server_default, "arg", None)
    return isinstance(given, str) or (isinstance(given, sa.TextClause) and _LITERAL.fullmatch(given.text) is not None)


def _can_vary(column: sa.Column[Any]) -> bool:
    try:
        return not column.foreign_keys and _varying(column) is not None
    except Unfillable:
        return False


def keys_of(table: sa.Table) -> list[sa.PrimaryKeyConstraint | sa.UniqueConstraint | sa.Index]:
    """Return the keys of a table, shorter ones first: columns that vary for them may serve the longer ones too."""
    keys: list[Any] = [table.primary_key]
    keys += [one for one in table.constraints if isinstance(one, sa.UniqueConstraint)]
    keys += [one for one in table.indexes if one.unique]
    return sorted((key for key in keys if key.columns), key=lambda key: len(key.columns))


def _parent_of(column: sa.Column[Any], *, unique: bool) -> sa.Column[Any]:
    key = next(iter(column.foreign_keys))
    try:
        target = key.column
    except sa.exc.NoReferenceError as error:
        raise Unfillable(
            f"it refers to {key.target_fullname}, which nothing maps: import the module that does"
        ) from error
    if unique:
        raise Unfillable(f"each row needs a row of {target.table.name} of its own")
    if target.table is column.table:
        raise Unfillable("it refers to another row of the same table, and there is no first one")
    return target


def plain_type(type_: sa.types.TypeEngine[Any]) -> sa.types.TypeEngine[Any]:
    """Return the stored type under any decorators."""
    while isinstance(type_, sa.TypeDecorator):
        type_ = type_.impl_instance
    return type_


def _constant(type_: sa.types.TypeEngine[Any]) -> Any:
    """Return a value of this type. Raises Unfillable."""
    plain = plain_type(type_)
    named = _BY_NAME.get(type(plain).__name__)
    if named is not None:
        return named
    match plain:
        case sa.Enum():
            return next(iter(plain.enum_class)) if plain.enum_class else plain.enums[0]
        case sa.Boolean():
            return False
        case sa.Numeric() | sa.Float():
            return Decimal(1) if plain.asdecimal else 1.0
        case sa.Integer():
            return 1
        case sa.DateTime():
            return _DAY if plain.timezone else _DAY.replace(tzinfo=None)
        case sa.Date():
            return date(2026, 1, 1)
        case sa.Time():
            return time(12)
        case sa.Interval():
            return timedelta(1)
        case sa.String():
            return "idstorm"[: plain.length]
        case sa.LargeBinary():
            return b"idstorm"[: plain.length]
        case sa.Uuid():
            return _uuid(plain, UUID(int=1))
        case sa.ARRAY():
            return []
        case sa.JSON():
            return {}
    raise Unfillable(f"no value of the type {type(type_).__name__} is known")


def _varying(column: sa.Column[Any]) -> Varying:
    """Return a function that makes a value for each row. Raises Unfillable."""
    plain, numbers = plain_type(column.type), _numbers()
    match plain:
        case sa.Uuid():
            return lambda: _uuid(plain, uuid4())
        case sa.SmallInteger() | sa.Enum() | sa.Boolean():
            raise Unfillable(f"it has to differ from row to row, and a {type(plain).__name__} has too few values")
        case sa.Integer():
            return lambda: next(numbers)
        case sa.Numeric() if plain.precision is None or plain.precision - (plain.scale or 0) > 9:
            return lambda: Decimal(next(numbers))
        case sa.DateTime():
            start = _constant(plain)
            return lambda: start + timedelta(seconds=next(numbers))
        case sa.String() if plain.length is None or plain.length >= _LONGEST_NUMBER:
            return lambda: _text(next(numbers))
        case sa.LargeBinary() if plain.length is None or plain.length >= _LONGEST_NUMBER:
            return lambda: _text(next(numbers)).encode()
    raise Unfillable(f"it has to differ from row to row, and no way is known for {column.type!r}")


def _numbers() -> Iterator[int]:
    """Count the rows of this process. Each process has its own range."""
    return count(1 + int(os.environ.get("IDSTORM_WORKER", "0")) * _ROWS_OF_A_WORKER)


def _text(number: int) -> str:
    """Return a number in base 36."""
    digits = ""
    while number:
        number, digit = divmod(number, len(_DIGITS))
        digits = _DIGITS[digit] + digits
    return digits


def _uuid(type_: sa.Uuid[Any], value: UUID) -> UUID | str:
    return value if type_.as_uuid else str(value)

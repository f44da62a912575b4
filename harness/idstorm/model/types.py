"""The layers of a column's type, and whether any of them changes the values that are read."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa

Decorators = list[sa.TypeDecorator[Any]]


def layers(type_: sa.types.TypeEngine[Any], dialect: sa.Dialect) -> tuple[Decorators, sa.types.TypeEngine[Any]]:
    """Return the decorators of a type, the outermost first, and this database's variant of the type under them."""
    decorators, plain = Decorators(), type_.dialect_impl(dialect)
    while isinstance(plain, sa.TypeDecorator):
        decorators.append(plain)
        plain = plain.impl_instance.dialect_impl(dialect)
    return decorators, plain


def gives_back_its_own(decorators: Iterable[sa.TypeDecorator[Any]]) -> bool:
    """Return whether one of these types converts the values read, so that any value may come back."""
    return any(
        type(one).process_result_value is not sa.TypeDecorator.process_result_value
        or type(one).result_processor is not sa.TypeDecorator.result_processor
        for one in decorators
    )


def sent_by(decorators: Iterable[sa.TypeDecorator[Any]], value: Any, dialect: sa.Dialect) -> Any:
    """Return a value as these types convert it before it is stored. Raises their own errors."""
    for one in decorators:
        if type(one).process_bind_param is not sa.TypeDecorator.process_bind_param:
            value = one.process_bind_param(value, dialect)
    return value

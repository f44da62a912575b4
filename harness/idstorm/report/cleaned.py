"""A stored run may hold untrusted text: none of it may move a cursor, or pass for a line of idstorm's own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from enum import Enum
from typing import Any, TypeVar

from idstorm.report.text import visible

_Anything = TypeVar("_Anything")


def cleaned(value: _Anything) -> _Anything:
    """Return a report, or a part of one, with the control characters of its texts escaped."""
    result: _Anything = _clean(value)
    return result


def _clean(value: Any) -> Any:
    match value:
        case Enum():
            return value
        case str():
            return visible(value)
        case Mapping():
            return {_clean(key): _clean(one) for key, one in value.items()}
        case tuple() | list():
            return type(value)(map(_clean, value))
    if is_dataclass(value) and not isinstance(value, type):
        return replace(value, **{field.name: _clean(getattr(value, field.name)) for field in fields(value)})
    return value

"""JSON into frozen dataclasses, by their annotations: anything else in an untrusted file is refused."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from enum import Enum
from functools import cache
from types import NoneType, UnionType
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

_Shape = TypeVar("_Shape")


def read_as(shape: type[_Shape], data: object) -> _Shape:
    """Return the dataclass that `asdict` made this of, tuples as JSON's lists. Raises ValueError for anything else."""
    value: _Shape = _read(shape, data, shape.__name__)
    return value


def _read(shape: Any, data: object, where: str) -> Any:
    origin = get_origin(shape)
    if shape is Any:
        return data
    if origin in (Union, UnionType):
        return _read_union(get_args(shape), data, where)
    if origin is tuple and isinstance(data, list | tuple):
        return _read_tuple(get_args(shape), data, where)
    if origin in (dict, Mapping) and isinstance(data, Mapping):
        return {key: _read(get_args(shape)[1], value, f"{where}.{key}") for key, value in data.items()}
    if isinstance(shape, type):
        if is_dataclass(shape) and isinstance(data, Mapping):
            return _read_fields(shape, data, where)
        if issubclass(shape, Enum) and isinstance(data, str):
            return shape(data)
        if shape is float and type(data) is int:
            return float(data)
        if type(data) is shape:  # a bool is not an int here
            return data
    raise ValueError(f"{where} is not as idstorm writes it")


def _read_union(shapes: tuple[Any, ...], data: object, where: str) -> Any:
    if data is None and NoneType in shapes:
        return None
    (shape,) = (one for one in shapes if one is not NoneType)
    return _read(shape, data, where)


def _read_tuple(shapes: tuple[Any, ...], data: list[Any] | tuple[Any, ...], where: str) -> tuple[Any, ...]:
    if len(shapes) == 2 and shapes[1] is ...:
        shapes = (shapes[0],) * len(data)
    if len(shapes) != len(data):
        raise ValueError(f"{where} is not as idstorm writes it")
    return tuple(_read(shape, one, where) for shape, one in zip(shapes, data, strict=True))


def _read_fields(shape: Any, data: Mapping[str, Any], where: str) -> Any:
    hints, known = _hints(shape), {field.name: field for field in fields(shape)}
    if unknown := data.keys() - known.keys():
        raise ValueError(f"{where} has no {min(unknown)}")
    for name, field in known.items():
        if name not in data and field.default is MISSING and field.default_factory is MISSING:
            raise ValueError(f"{where}.{name} is missing")
    return shape(**{name: _read(hints[name], value, f"{where}.{name}") for name, value in data.items()})


@cache
def _hints(shape: Any) -> dict[str, Any]:
    return get_type_hints(shape)

"""JSON into frozen dataclasses, by their annotations: anything else in an untrusted file is refused."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from typing import Any, TypeVar

import msgspec

_Shape = TypeVar("_Shape")


def read_as(shape: type[_Shape], data: object) -> _Shape:
    """Return the dataclass that `asdict` made this of, tuples as JSON's lists. Raises ValueError for anything else.

    Nothing is converted (`"5"` is not a number, nor is true), except that an integer will do for a float. A field that
    the dataclass does not have is refused, too: it may change what the others mean.
    """
    try:
        value = msgspec.convert(data, shape)
        unknown = next(_unknown(data, value), None)
    except msgspec.ValidationError as error:
        raise ValueError(f"{shape.__name__}: {error}") from error
    except RecursionError as error:
        raise ValueError(f"{shape.__name__} is nested too deeply") from error
    if unknown is not None:
        raise ValueError(f"{shape.__name__} has no {unknown}")
    return value


def _unknown(data: Any, value: object) -> Iterator[str]:
    """Yield the fields in `data` that the dataclasses which were made of it do not have: msgspec passes over them."""
    if is_dataclass(value):
        known = {field.name for field in fields(value)}
        yield from sorted(data.keys() - known)
        for name in data.keys() & known:
            yield from _unknown(data[name], getattr(value, name))
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from _unknown(data[key], inner)
    elif isinstance(value, tuple):
        for one, inner in zip(data, value, strict=True):
            if not isinstance(inner, int | str):  # of which there may be very many
                yield from _unknown(one, inner)

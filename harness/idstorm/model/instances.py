"""Instances of a mapped class, made from the values of its attributes."""

from __future__ import annotations

import inspect
from collections.abc import Collection, Mapping
from typing import Any

from sqlalchemy.orm import Mapper

from idstorm.internals import bare_instance


class Maker:
    """Makes instances of one class, by its constructor if that takes these attributes, or else by setting them."""

    def __init__(self, mapper: Mapper[Any], keys: Collection[str]) -> None:
        self._class, self._mapper = mapper.class_, mapper
        self._constructs = _takes(mapper.class_, keys)

    def make(self, values: Mapping[str, Any]) -> Any:
        """Return an instance with these attributes."""
        row = self._construct(values)
        there = row.__dict__
        for key in values:
            if key not in there:  # a constructor need not set what it takes
                setattr(row, key, values[key])
        return row

    def _construct(self, values: Mapping[str, Any]) -> Any:
        if self._constructs:
            try:
                return self._class(**values)
            except Exception:  # it needs other arguments than its signature says, such as **kwargs for a base
                self._constructs = False
        return bare_instance(self._mapper)


def _takes(model: type[Any], keys: Collection[str]) -> bool:
    """Return whether the model's constructor takes these attributes and requires no others."""
    try:
        inspect.signature(model).bind(**dict.fromkeys(keys))
    except (TypeError, ValueError):
        return False
    return True

"""Where ids are counted: on one line of numbers, on which each scope has a stretch of its own.

A storm without scopes has its ids on the line as they are. With scopes, stretches are all as wide as the widest of them
has to be, and follow one another. What is further on within a stretch is later in its scope, so that the checks can go
through all scopes at once; what lies in another stretch is never compared, and the gaps between stretches are not gaps.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from idstorm.judge.groups import distinct
from idstorm.record.columns import Ints, Keys, join_keys

_LARGEST = (1 << 63) - 1


@dataclass(frozen=True)
class Line:
    """The line of one storm. Without scopes it has one stretch, which is not bounded."""

    names: Ints  #: a hash for each scope, in ascending order; none: the ids have no scopes
    low: int = 0  #: the lowest number in any scope
    width: int = 0  #: of each stretch; 0: it is not bounded

    @classmethod
    def of(cls, columns: Sequence[Keys]) -> Line | None:
        """Return the line for these ids, which are numbers or have a scope; None if it would go beyond 64 bits."""
        if not columns or not columns[0].codec.counted:
            return cls(np.zeros(0, np.int64))
        keys = join_keys(columns[0].codec, columns)
        if not len(keys):
            return cls(np.zeros(1, np.int64), 0, 1)
        names, low = distinct(keys.scopes), int(keys.numbers.min())
        width = int(keys.numbers.max()) - low + 1
        return cls(names, low, width) if len(names) * width <= _LARGEST else None

    @property
    def stretches(self) -> int:
        """How many stretches the line has."""
        return max(1, len(self.names))

    def places(self, keys: Keys) -> Ints:
        """Return the place of each of these ids. That of a key of zeros, which is no id, means nothing."""
        if not self.width:
            return keys.numbers
        return self._scopes(keys) * self.width + np.clip(keys.numbers - self.low, 0, self.width - 1)

    def stretch(self, places: Ints) -> Ints:
        """Return the number of the stretch in which each of these places lies."""
        return places // self.width if self.width else np.zeros(len(places), np.int64)

    def number(self, place: int) -> int:
        """Return the number at a place."""
        return place % self.width + self.low if self.width else place

    def lay_out(self, stretches: Ints, begin: Ints, ended: Ints) -> tuple[Ints, Ints]:
        """Return when operations in these stretches began and ended, as if one scope had come after the other.

        A moment of zero, which was never reached, stays zero. Raises OverflowError where they would go beyond 64 bits.
        """
        if not self.width or not len(begin):
            return begin, ended
        first = int(min(begin.min(), ended.min(initial=begin.min(), where=ended != 0)))
        length = int(max(begin.max(), ended.max())) - first + 2
        if self.stretches * length > _LARGEST:
            raise OverflowError
        shift = stretches * length - (first - 1)
        return np.where(begin == 0, 0, begin + shift), np.where(ended == 0, 0, ended + shift)

    def _scopes(self, keys: Keys) -> Ints:
        return np.minimum(np.searchsorted(self.names, keys.scopes), len(self.names) - 1)


def scope_of(keys: Keys, place: int) -> dict[str, Any]:
    """Return the scope of an id for a witness: by its columns or, where it is hidden in the id, by the id."""
    shown = keys.show(place)
    if keys.codec.keyed or not isinstance(shown, list):  # its text was too long to be kept whole
        return {"scope_of": shown}
    return {"scope": shown[0] if len(shown) == 2 else shown[:-1]}


def in_scope(witness: Mapping[str, Any]) -> str:
    """Return in words what `scope_of` put into a witness; nothing where ids have no scope."""
    if "scope_of" in witness:
        return f" in the scope of {witness['scope_of']}"
    return f" in {witness['scope']}" if "scope" in witness else ""

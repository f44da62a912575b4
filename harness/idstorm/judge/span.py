"""The ids that a table holds, from the lowest to the highest, and the gaps between them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from idstorm.judge.groups import dense_range, presence
from idstorm.record.columns import Bools, Ints


@dataclass(frozen=True)
class Span:
    """Ids that are numbers. A gap is described by the ids on both sides of it."""

    low: int
    high: int
    missing: int  #: values between them that are not in use
    before: Ints  #: the id before each gap, in order
    after: Ints  #: the id after each gap
    _present: Bools | None  #: for each value whether it is in use, where that is worth its memory
    _used: Ints  #: else all ids in order, each once

    @classmethod
    def of(cls, ids: Ints) -> Span:
        """Return the span of these ids, of which there is at least one."""
        low, high = int(ids.min()), int(ids.max())
        dense = dense_range(ids)
        if dense is None:
            used = np.unique(ids)
            wide = np.flatnonzero(np.diff(used).view(np.uint64) > 1)
            return cls(low, high, high - low + 1 - len(used), used[wide], used[wide + 1], None, used)
        present = presence(ids, *dense)
        missing = len(present) - int(np.count_nonzero(present))
        turns = np.flatnonzero(present[1:] != present[:-1])  # in use up to here, or missing up to here
        return cls(low, high, missing, turns[::2] + low, turns[1::2] + low + 1, present, np.zeros(0, np.int64))

    @property
    def widths(self) -> np.ndarray[tuple[int], np.dtype[np.uint64]]:
        """How many values are missing in each gap."""
        return (self.after - self.before).view(np.uint64) - np.uint64(1)  # which no range of int64 overflows

    def without(self, ids: Ints) -> Ints:
        """Return which of these ids are missing: not in use, but between the lowest and the highest that are."""
        ids = np.unique(ids)
        ids = ids[(ids > self.low) & (ids < self.high)]
        if self._present is not None:
            return ids[~self._present[ids - self.low]]
        missing: Ints = ids[self._used[np.searchsorted(self._used, ids)] != ids]
        return missing

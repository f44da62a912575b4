"""The ids that a table holds, from the lowest to the highest of the storm's own, and the gaps between them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from idstorm.judge.groups import dense_range, distinct, presence
from idstorm.judge.line import Line
from idstorm.record.columns import Bools, Ints


@dataclass(frozen=True)
class Span:
    """Places on a line. A gap is described by the places on both sides of it; there is none between two scopes."""

    low: int
    high: int
    missing: int  #: places in gaps
    extent: int  #: all places from the lowest to the highest, in each scope
    before: Ints  #: the place before each gap, in order
    after: Ints  #: the place after each gap
    outside: int  #: places between these and the nearest others that are in use, below and above

    @classmethod
    def of(cls, ids: Ints, own: Ints, line: Line) -> Span:
        """Return the span of the storm's own ids, of which there is at least one. `ids` are all that are in use."""
        lows, highs = _bounds(own, line)
        outside = 0
        if ids is not own and (others := ids[beyond := _beyond(ids, lows, highs, line)]).size:
            outside, ids = _outside(others, lows, highs, line), ids[~beyond]
        before, after, used = _gaps(ids)
        within = line.stretch(before) == line.stretch(after)
        before, after = before[within], after[within]
        missing = int((after - before).view(np.uint64).sum()) - len(before)
        return cls(int(lows[0]), int(highs[-1]), missing, missing + used, before, after, outside)

    @property
    def widths(self) -> np.ndarray[tuple[int], np.dtype[np.uint64]]:
        """How many values are missing in each gap."""
        return (self.after - self.before).view(np.uint64) - np.uint64(1)  # which no range of int64 overflows

    def without(self, ids: Ints) -> Ints:
        """Return which of these ids are missing, each once: those that lie in a gap."""
        ids = distinct(ids)
        if not len(self.before):
            return ids[:0]
        gap = np.maximum(np.searchsorted(self.before, ids) - 1, 0)
        return ids[(ids > self.before[gap]) & (ids < self.after[gap])]


def _bounds(own: Ints, line: Line) -> tuple[Ints, Ints]:
    """Return the lowest and the highest place in each stretch that has any."""
    if line.stretches == 1:
        return own.min(keepdims=True), own.max(keepdims=True)
    own = np.sort(own)
    stretch = line.stretch(own)
    first = np.flatnonzero(np.diff(stretch, prepend=-1))
    return own[first], own[np.append(first[1:], len(own)) - 1]


def _beyond(ids: Ints, lows: Ints, highs: Ints, line: Line) -> Bools:
    """Return which ids lie beyond the bounds of their stretch, or in one that has none."""
    if len(lows) == 1:
        beyond: Bools = (ids < lows[0]) | (ids > highs[0])
        return beyond
    place = np.maximum(np.searchsorted(lows, ids, side="right") - 1, 0)
    return (ids < lows[place]) | (ids > highs[place])


def _outside(others: Ints, lows: Ints, highs: Ints, line: Line) -> int:
    """Return how many places lie between the bounds of each stretch and the nearest others in it."""
    others, total = np.sort(others), 0
    below, above = np.searchsorted(others, lows) - 1, np.searchsorted(others, highs)
    for low, high in (
        (others[below[below >= 0]], lows[below >= 0]),
        (highs[above < len(others)], others[above[above < len(others)]]),
    ):
        same = line.stretch(low) == line.stretch(high)
        total += int((high - low)[same].view(np.uint64).sum()) - int(np.count_nonzero(same))
    return total


def _gaps(ids: Ints) -> tuple[Ints, Ints, int]:
    """Return the places before and after each gap, and how many different places are in use."""
    dense = dense_range(ids)
    if dense is None:
        used = distinct(ids)
        wide = np.flatnonzero(np.diff(used).view(np.uint64) > 1)
        return used[wide], used[wide + 1], len(used)
    present = presence(ids, *dense)
    turns = np.flatnonzero(present[1:] != present[:-1])  # in use up to here, or missing up to here
    return turns[::2] + dense[0], turns[1::2] + dense[0] + 1, int(np.count_nonzero(present))

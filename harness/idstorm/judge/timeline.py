"""Many clients' moments in one order, one stretch of time after another.

Each client's own moments are in order already. Sorting all of them at once takes long and several columns of memory;
a stretch of time takes a slice from each client, which is sorted in the cache, and what came before is carried along.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from idstorm.record.columns import Ints

STRETCH = 1 << 18
"""The approximate number of moments in a stretch."""

NEVER = np.iinfo(np.int64).max


@dataclass(frozen=True)
class Track:
    """Moments of one client in order, and the places that they come from."""

    moments: Ints
    first: int  #: the place of the first moment, where the places follow one another
    places: Ints | None = None  #: where they do not

    def take(self, part: slice) -> tuple[Ints, Ints]:
        """Return the moments and the places of a part."""
        if self.places is not None:
            return self.moments[part], self.places[part]
        return self.moments[part], np.arange(self.first + part.start, self.first + part.stop)


def tracks(column: Ints, offsets: Ints) -> list[Track]:
    """Return a track for each client. A moment of zero was never reached, and comes last."""
    return [_track(column[start:end], start) for start, end in pairwise(offsets.tolist())]


def _track(moments: Ints, first: int) -> Track:
    if len(moments) and not moments.all():
        moments = np.where(moments == 0, NEVER, moments)
    if (moments[1:] >= moments[:-1]).all():
        return Track(moments, first)
    order = np.argsort(moments, kind="stable")
    return Track(moments[order], first, order + first)


def stretches(*lines: Sequence[Track]) -> Iterator[list[tuple[Ints, Ints]]]:
    """Cut time into stretches, and yield for each, and for each of these lines of tracks, its moments and their places.

    The moments of a stretch are all before those of the next, on every line; within it they are in no order. Those
    that were never reached are left out.
    """
    cuts = _cuts([track for line in lines for track in line])
    bounds = [[np.searchsorted(track.moments, cuts) for track in line] for line in lines]
    for cut in range(len(cuts) - 1):
        yield [
            _together([track.take(slice(at[cut], at[cut + 1])) for track, at in zip(line, ends, strict=True)])
            for line, ends in zip(lines, bounds, strict=True)
        ]


def _cuts(every: Sequence[Track]) -> Ints:
    total = sum(len(track.moments) for track in every)
    step = max(1, STRETCH // len(every))
    samples = np.sort(np.concatenate([track.moments[::step] for track in every]))
    inner = samples[:: max(1, len(samples) * STRETCH // max(total, 1))]
    return np.unique(np.concatenate([[np.iinfo(np.int64).min], inner, [NEVER]]))


def _together(parts: Sequence[tuple[Ints, Ints]]) -> tuple[Ints, Ints]:
    moments, places = zip(*parts, strict=True)
    return np.concatenate(moments), np.concatenate(places)

"""Finding equal keys in large columns.

Dense integers, which is what generators hand out, need no sort: a bitmap over their range is faster by an order of
magnitude. Keys of more than one word are compared by a digest first, and exactly where digests agree.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from idstorm.record.columns import Bools, Ints, Keys

_SPARSEST = 8
_SMALL = 1 << 16
_PIECE = 1 << 16


def pieces(length: int) -> Iterator[slice]:
    """Yield slices that cut a column into pieces small enough for the cache.

    Where a result is one number, working piece by piece saves whole columns of intermediate values, whose memory the
    system would first have to find and clear: that takes longer than the arithmetic.
    """
    for start in range(0, length, _PIECE):
        yield slice(start, min(start + _PIECE, length))


def dense_range(values: Ints) -> tuple[int, int] | None:
    """Return the lowest value and the length of the range, if a bitmap over it is worth its memory."""
    if not len(values):
        return None
    low, high = int(values.min()), int(values.max())
    length = high - low + 1
    return (low, length) if length <= max(_SPARSEST * len(values), _SMALL) else None


def presence(values: Ints, low: int, length: int) -> Bools:
    """Return for each value of a range whether it is among these, which all lie in it."""
    present = np.zeros(length, np.bool_)
    present[values if low == 0 else values - low] = True
    return present


def distinct(values: Ints) -> Ints:
    """Return each of these values once, in order.

    `numpy.unique` hashes them since 2.3, which takes some fifteen times as long where most are different.
    """
    ordered = np.sort(values)
    return ordered[np.concatenate([[True], ordered[1:] != ordered[:-1]])] if len(ordered) else ordered


def repeated(keys: Keys, among: Ints | Bools | None = None) -> Ints:
    """Return those of these places whose key occurs more than once among them, equal keys side by side.

    Places with the same key keep their order.
    """
    chosen = keys if among is None else keys.take(among)
    values = chosen.digest()
    candidates = _candidates(values)
    if not len(candidates):
        return candidates
    words = chosen.words[candidates]
    columns = words[:, None] if words.ndim == 1 else words[:, :2]
    order = np.lexsort(columns.T)
    same = (columns[order][1:] == columns[order][:-1]).all(axis=1)
    kept = np.zeros(len(order), np.bool_)
    kept[1:] = same
    kept[:-1] |= same
    places = candidates[order[kept]]
    if among is None:
        return places
    return np.flatnonzero(among)[places] if among.dtype == np.bool_ else np.asarray(among[places], np.int64)


def starts_of_groups(keys: Keys) -> Ints:
    """Return where each group of equal keys begins, in a column in which equal keys are side by side."""
    if not len(keys):
        return np.zeros(0, np.int64)
    differs = ~keys.take(slice(1, None)).equal(keys.take(slice(None, -1)))
    return np.concatenate([[0], np.flatnonzero(differs) + 1])


def lookup(keys: Keys, wanted: Keys) -> Ints:
    """Return for each wanted key the last place where it occurs in `keys`, or -1."""
    if not len(keys):
        return np.full(len(wanted), -1, np.int64)
    if keys.words.ndim > 1:
        places = np.flatnonzero(np.isin(keys.digest(), wanted.digest()))  # a table of all would fill the memory
        table = dict(zip(map(tuple, keys.words[places, :2].tolist()), places.tolist(), strict=True))
        return np.array([table.get(tuple(words), -1) for words in wanted.words[:, :2].tolist()], np.int64)
    order = np.argsort(keys.words, kind="stable")
    ordered = keys.words[order]
    place = np.searchsorted(ordered, wanted.words, side="right") - 1
    return np.where((place >= 0) & (ordered[place] == wanted.words), order[place], -1)


def pair_up(keys: Keys, wanted: Keys) -> Ints:
    """Return for each wanted key the place of an equal one in `keys`, or -1.

    The first wanted of several equal keys gets the first place, the second the second, and so on.
    """
    words = np.concatenate([keys.words, wanted.words])
    compared = words if words.ndim == 1 else words[:, :2]
    group = np.unique(compared, axis=0, return_inverse=True)[1].reshape(-1)
    ours, theirs = group[: len(keys)], group[len(keys) :]
    names = ours * len(words) + _ranks(ours)
    order = np.argsort(names, kind="stable")
    looked_for = theirs * len(words) + _ranks(theirs)
    place = np.minimum(np.searchsorted(names[order], looked_for), max(len(keys) - 1, 0))
    if not len(keys):
        return np.full(len(wanted), -1, np.int64)
    return np.where(names[order[place]] == looked_for, order[place], -1)


def _ranks(group: Ints) -> Ints:
    """Return for each place how many places of the same group come before it."""
    order = np.argsort(group, kind="stable")
    ordered = group[order]
    starts = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))
    ranks = np.empty(len(group), np.int64)
    ranks[order] = np.arange(len(group)) - np.repeat(starts, np.diff([*starts, len(group)]))
    return ranks


def _candidates(values: Ints) -> Ints:
    """Return the places whose value occurs more than once."""
    dense = dense_range(values)
    if dense is not None:
        return _dense_candidates(values, *dense)
    ordered = np.sort(values, kind="stable")
    twice = np.unique(ordered[1:][ordered[1:] == ordered[:-1]])
    if not len(twice):
        return twice
    place = np.minimum(np.searchsorted(twice, values), len(twice) - 1)
    return np.flatnonzero(twice[place] == values)


def _dense_candidates(values: Ints, low: int, length: int) -> Ints:
    """Let each place write its number where its value lies. A place whose number was overwritten has a duplicate."""
    if np.count_nonzero(presence(values, low, length)) == len(values):
        return np.zeros(0, np.int64)
    last = np.empty(length, np.int32 if len(values) < 1 << 31 else np.int64)
    for piece in pieces(len(values)):
        last[values[piece] - low] = np.arange(piece.start, piece.stop)
    double = np.zeros(length, np.bool_)
    for piece in pieces(len(values)):
        own = values[piece] - low
        double[own[last[own] != np.arange(piece.start, piece.stop)]] = True
    del last
    found = [np.flatnonzero(double[values[piece] - low]) + piece.start for piece in pieces(len(values))]
    return np.concatenate(found)

"""What nobody recorded: a suite deletes rows, unseen, whenever it likes.

The rows carry no token, so an id alone says which row is meant. An acknowledged row that the table does not hold any
more is taken for one that somebody may have deleted from the moment on at which its COMMIT was sent: before, nobody
else could see it. What is left to find is certain: an id that two were told at the same time, or that two rows have.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from idstorm.join.collect import Flush, Told
from idstorm.record.keys import Codec, codec_for
from idstorm.record.outcome import Outcome


def codec_of(told: Told, held: Sequence[Any]) -> Codec:
    """Return the codec that fits every id that was told, and every one that the table holds."""
    ids = [id_ for one in told.flushes for id_ in one.ids if id_ is not None]
    kinds = {codec_for(id_, id_) for id_ in (*ids, *held) if id_ is not None} or {Codec("int64")}
    if len(kinds) == 1:
        return kinds.pop()
    if {codec.kind for codec in kinds} == {"int64", "int128"}:
        return Codec("int128")
    return Codec("text", max(max(codec.text for codec in kinds), 64))


def with_deletions(told: Told, held: Sequence[Any], codec: Codec) -> list[Flush]:
    """Return the flushes, each with the moments since when its rows may have been deleted.

    Of several rows that were told one id, the table is taken to hold those that were told last. A row whose
    transaction was told the same id once more was given up within it.
    """
    last = told.lives[-1] if told.flushes else ""
    there = Counter(codec.encode(id_) for id_ in held if id_ is not None)
    rows: dict[tuple[int, ...], list[tuple[int, int, int]]] = defaultdict(list)
    since = [[0] * len(one.ids) for one in told.flushes]
    for number, one in enumerate(told.flushes):
        for place, id_ in enumerate(one.ids):
            if id_ is not None and one.outcome == Outcome.OK:
                rows[codec.encode(id_)].append((one.handed, number, place))
    for key, those in rows.items():
        those.sort()
        alive = [row for row in those if told.flushes[row[1]].life == last]
        kept = set(alive[len(alive) - min(len(alive), there[key]) :])
        for rank, row in enumerate(those):
            if row not in kept:
                one = told.flushes[row[1]]
                again = any(_transaction(told.flushes[later[1]]) == _transaction(one) for later in those[rank + 1 :])
                since[row[1]][row[2]] = one.handed if again else one.commit
    return [replace(one, deletable=tuple(moments)) for one, moments in zip(told.flushes, since, strict=True)]


def _transaction(one: Flush) -> tuple[str, int, int]:
    return one.process, one.begin, one.ended

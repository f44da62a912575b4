"""Unrecorded deletions: a suite may delete rows at any time, unseen.

The rows carry no token, so only an id identifies a row. An acknowledged row that the table no longer holds may have
been deleted at any time since its COMMIT was sent: before that, no other session could see it. The findings that remain
are certain: an id that two sessions were told at the same time, or that two rows have.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from idstorm.join.read_journals import Flush, JoinedTable
from idstorm.record.keys import Codec, codec_for
from idstorm.record.outcome import Outcome


def codec_of(told: JoinedTable, held: Sequence[Any]) -> Codec:
    """Return the codec that fits every id told and every id that the table holds."""
    ids = [id_ for one in told.flushes for id_ in one.ids if id_ is not None]
    spelled = _spell_once(ids) and _spell_once(held)
    known = [id_ for id_ in (*ids, *held) if id_ is not None]
    kinds = {codec_for(id_, id_, spelled=spelled) for id_ in known} or {Codec("int64")}
    if len(kinds) == 1:
        return kinds.pop()
    if {codec.kind for codec in kinds} == {"int64", "int128"}:
        return Codec("int128")
    return Codec("text", max(max(codec.text for codec in kinds), 64))


def _spell_once(ids: Sequence[Any]) -> bool:
    """Return whether no two of these texts spell the same UUID: if two do, the column distinguishes them as text."""
    texts, codec = {id_ for id_ in ids if isinstance(id_, str)}, Codec("uuid")
    meant = Counter(codec.encode(text) for text in texts if codec_for(text, text, spelled=True) == codec)
    return all(count == 1 for count in meant.values())


def with_deletions(told: JoinedTable, held: Sequence[Any], codec: Codec) -> list[Flush]:
    """Return the flushes, each with the moments from which its rows may have been deleted.

    If several rows were told the same id, the table is assumed to hold those told last, in the last life of the table
    in which that id was told: an apparent new life may be due only to a new index. If a transaction was told the same
    id again, it had given up its earlier row. Rows of different lives never coexisted.
    """
    there = Counter(codec.encode(id_) for id_ in held if id_ is not None)
    rows: dict[tuple[int, ...], list[_Row]] = defaultdict(list)
    since = [[0] * len(one.ids) for one in told.flushes]
    for number, one in enumerate(told.flushes):
        for place, id_ in enumerate(one.ids):
            if id_ is not None and one.outcome != Outcome.FAILED:
                rows[codec.encode(id_)].append(_Row(one.handed, number, place, one))
    for key, those in rows.items():
        those.sort(key=lambda row: row.at)
        known = [row for row in those if row.flush.outcome == Outcome.OK]
        alive = [row for row in known if row.flush.life == known[-1].flush.life]
        kept = {row.at for row in alive[len(alive) - min(len(alive), there[key]) :]}
        later: Flush | None = None
        transactions = set()  # those of the later rows
        for row in reversed(those):
            one, transaction = row.flush, _transaction(row.flush)
            if later is not None and later.life != one.life:
                since[row.number][row.place] = one.handed
            elif one.outcome == Outcome.OK and row.at not in kept:
                since[row.number][row.place] = one.handed if transaction in transactions else one.commit
            later = one
            transactions.add(transaction)
    return [replace(one, deletable=tuple(moments)) for one, moments in zip(told.flushes, since, strict=True)]


class _Row(NamedTuple):
    handed: int
    number: int  #: its flush's number
    place: int  #: its place in the flush
    flush: Flush

    @property
    def at(self) -> tuple[int, int, int]:
        return self[:3]


def _transaction(one: Flush) -> tuple[str, int, int]:
    return one.process, one.begin, one.ended

"""The ids that clients were told of rows that others had made: does some row have them, and the one that was meant?"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from idstorm.judge.evidence import Evidence
from idstorm.judge.groups import lookup
from idstorm.record.census import Census
from idstorm.record.columns import Bools, Ints, Keys, join_keys
from idstorm.record.keys import Codec, Shown
from idstorm.record.outcome import Outcome
from idstorm.record.tape import Told

_TOKENS = Codec("int64")


def strangers(evidence: Evidence) -> list[tuple[int, Shown | None]]:
    """Return the rows of ok operations that were told a wrong id of an existing row, each with the right one.

    Which that would be is known where the owner was named and is found; else it is None.
    """
    history = evidence.history
    rows = np.flatnonzero((history.told == Told.EXISTING) & (evidence.row_outcome == Outcome.OK))
    if not len(rows):
        return []
    nobodys = lookup(_ever(evidence), history.keys.take(rows)) < 0
    if history.owners is None:
        return [(row, None) for row in rows[nobodys].tolist()]
    named = history.owners[rows] >= 0
    found: list[tuple[int, Shown | None]] = [(row, None) for row in rows[nobodys & ~named].tolist()]
    differs = ~_first_stored(evidence, rows)
    found += _not_the_owners(evidence, rows[named & differs], nobodys[named & differs])
    return sorted(found, key=lambda one: one[0])


def _first_stored(evidence: Evidence, rows: Ints) -> Bools:
    """Return which rows were told the id that the census holds for their owner: almost all of them are."""
    history, census = evidence.history, evidence.census
    assert history.owners is not None
    if census is None or not len(census):
        return np.zeros(len(rows), np.bool_)
    entries = lookup(Keys(_TOKENS, census.tokens), Keys(_TOKENS, history.owners[rows]))
    same = history.keys.take(rows).equal(census.ids.take(np.maximum(entries, 0))) & (entries >= 0)
    for nulls in (census.null_ids, census.null_tokens):
        if nulls is not None:
            same &= ~nulls[entries]
    return same


def _ever(evidence: Evidence) -> Keys:
    """Return every id that a row has or may have had."""
    history, codec = evidence.history, evidence.plan.ids.codec
    told = evidence.owned & (evidence.row_outcome != Outcome.FAILED)
    there = [one.known_ids for one in (evidence.before, evidence.census) if one is not None]
    return join_keys(codec, [*there, history.keys.take(told)])


def _not_the_owners(evidence: Evidence, rows: Ints, nobodys: Bools) -> Iterator[tuple[int, Shown | None]]:
    """Yield those of the rows whose id is not the one of the owner that they name.

    The owner's is what the table stores for it, else what it was told; else any row's id will do.
    """
    assert evidence.history.owners is not None
    keys, owners = evidence.history.keys, evidence.history.owners[rows]
    stored = [_Stored(one, owners) for one in (evidence.census, evidence.before) if one is not None]
    told, outcome = evidence.rows_of(owners), evidence.row_outcome
    for place, row in enumerate(rows.tolist()):
        candidates = [one for each in stored for one in each.of(int(owners[place]))]
        owner = int(told[place])
        if not candidates and owner >= 0 and evidence.owned[owner] and outcome[owner] != Outcome.FAILED:
            candidates = [keys.take(slice(owner, owner + 1))]
        mine = keys.take(slice(row, row + 1))
        if candidates and not any(one.equal(mine).all() for one in candidates):
            yield row, candidates[0].show(0)
        elif not candidates and nobodys[place]:
            yield row, None


class _Stored:
    """What a census stores for certain tokens."""

    def __init__(self, census: Census, tokens: Ints) -> None:
        known = np.isin(census.tokens, tokens)
        for nulls in (census.null_ids, census.null_tokens):
            if nulls is not None:
                known &= ~nulls
        entries = np.flatnonzero(known)
        order = np.argsort(census.tokens[entries], kind="stable")
        self._ids, self._tokens = census.ids.take(entries[order]), census.tokens[entries[order]]

    def of(self, token: int) -> list[Keys]:
        """Return the ids that are stored for a token, a column of one each."""
        start, end = np.searchsorted(self._tokens, [token, token + 1])
        return [self._ids.take(slice(place, place + 1)) for place in range(int(start), int(end))]

"""`unique`: does no id name two rows that are certainly committed?

What clients were told is held against what others were told, and what the table stores against what it stores.
Whether a row has the id that was told of it is `faithful`'s question. An id that was only handed proves nothing: SQLite
may hand it out again after a rollback. Neither does an id whose row was deleted in between, if its delete had
begun before the second client was handed it. Two rows that are there at once have no such excuse.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from idstorm.findings.checks import Check, Figure
from idstorm.findings.finding import Finding
from idstorm.findings.results import Status
from idstorm.judge.evidence import WITNESSES, Evidence
from idstorm.judge.groups import lookup, repeated, starts_of_groups
from idstorm.record.columns import Bools, Ints, Keys, join_keys
from idstorm.record.outcome import Outcome

_NONE = np.zeros(0, np.int64)


@dataclass(frozen=True)
class _Shared:
    """Ids that several rows share: a place of each id, and all places of the first few."""

    one_each: Ints
    groups: list[Ints]

    @classmethod
    def of(cls, places: Ints, group: Ints, shared: Ints) -> _Shared:
        """Return those of the groups whose numbers are in `shared`; both numbers ascend."""
        starts, ends = np.searchsorted(group, shared), np.searchsorted(group, shared, side="right")
        bounds = zip(starts[:WITNESSES].tolist(), ends.tolist(), strict=False)
        return cls(places[starts], [places[start:end] for start, end in bounds])


_NOTHING_SHARED = _Shared(_NONE, [])


def unique(evidence: Evidence) -> Finding:
    """Hold where no two committed rows share an id without excuse, nor one with a foreign row that was there before."""
    keys, codec = evidence.history.keys, evidence.plan.ids.codec
    told, stored = _told_twice(evidence), _stored_twice(evidence)
    before = Keys.encode(codec, []) if evidence.before is None else evidence.before.known_ids
    committed = np.flatnonzero(evidence.committed) if len(before) else _NONE
    taken = committed[lookup(before, keys.take(committed)) >= 0]
    over = _stored_over(evidence, before)
    entries = Keys.encode(codec, []) if evidence.census is None else evidence.census.ids
    found = [
        keys.take(told.one_each),
        entries.take(stored.one_each),
        keys.take(taken),
        entries.take(over),
    ]
    figures = {"duplicated": len(_distinct(join_keys(codec, found)))}
    if figures["duplicated"]:
        witnesses: list[Mapping[str, Any]] = [_witness(evidence, group) for group in told.groups]
        witnesses += [_witness_stored(evidence, group) for group in stored.groups]
        witnesses += evidence.describe_all(taken, foreign=True)
        witnesses += [_entry(evidence, int(entry)) | {"foreign": True} for entry in over[:WITNESSES]]
        return Finding(Status.BROKEN, figures, tuple(_once_each(witnesses)[:WITNESSES]))
    # Told of it or not: where the answer to COMMIT was lost, a row may be there with the id of another.
    unsure = evidence.census is None and bool((evidence.row_outcome == Outcome.UNKNOWN).any())
    reason = "without a census it is not known which of the unknown inserts committed" if unsure else None
    return Finding(Status.UNKNOWN if unsure else Status.HELD, figures, reason=reason)


def _told_twice(evidence: Evidence) -> _Shared:
    """Return the committed rows of each id that was handed again before a delete of the row before had begun.

    They are in the order in which they were handed their id.
    """
    contested = evidence.contested
    rows = repeated(evidence.history.keys, contested[evidence.committed[contested]])
    if not len(rows):
        return _NOTHING_SHARED
    handed = evidence.history.of_rows(evidence.history.handed, rows)
    group = _numbered(evidence.history.keys.take(rows))
    order = np.lexsort([handed, group])
    rows, handed, group = rows[order], handed[order], group[order]
    unlawful = group[1:] == group[:-1]
    if evidence.delete_began is not None:
        unlawful &= evidence.delete_began[rows[:-1]] >= handed[1:]
    return _Shared.of(rows, group, np.unique(group[1:][unlawful]))


def _stored_twice(evidence: Evidence) -> _Shared:
    """Return the entries of each id that the census holds for several rows of this storm."""
    census = evidence.census
    if census is None:
        return _NOTHING_SHARED
    entries = repeated(census.ids, _may_share(evidence))
    if not len(entries):
        return _NOTHING_SHARED
    rows = evidence.row_of_entry[entries]
    names = np.where(rows >= 0, rows, ~census.tokens[entries])  # an unused token names its row itself
    group = _numbered(census.ids.take(entries))
    order = np.lexsort([names, group])
    entries, names, group = entries[order], names[order], group[order]
    several = (group[1:] == group[:-1]) & (names[1:] != names[:-1])
    return _Shared.of(entries, group, np.unique(group[1:][several]))


def _may_share(evidence: Evidence) -> Bools:
    """Return the entries of this storm that can have an id in common.

    Where each has the id that its client was told, as almost always, it is one that was told twice: that spares a look
    at all the others.
    """
    if len(evidence.differing) or evidence.kinds_of_entries[2]:
        return evidence.own_entries
    if not len(evidence.contested):
        return np.zeros(len(evidence.own_entries), np.bool_)
    contested = np.zeros(len(evidence.history.told), np.bool_)
    contested[evidence.contested] = True
    return evidence.own_entries & contested[evidence.row_of_entry]


def _stored_over(evidence: Evidence, before: Keys) -> Ints:
    """Return the entries of this storm that have an id of these."""
    if evidence.census is None or not len(before):
        return _NONE
    own = np.flatnonzero(evidence.own_entries)
    return own[lookup(before, evidence.census.ids.take(own)) >= 0]


def _numbered(keys: Keys) -> Ints:
    """Return the number of its group for each of these keys, of which equal ones are side by side."""
    group = np.zeros(len(keys), np.int64)
    group[starts_of_groups(keys)] = 1
    return np.cumsum(group)


def _distinct(keys: Keys) -> Ints:
    words = keys.words if keys.words.ndim == 1 else keys.words[:, :2]
    return np.unique(words, axis=0)


def _witness(evidence: Evidence, group: Ints) -> dict[str, Any]:
    return {
        "id": evidence.history.keys.show(int(group[0])),
        "times": len(group),
        "rows": evidence.describe_all(group),
    }


def _witness_stored(evidence: Evidence, group: Ints) -> dict[str, Any]:
    assert evidence.census is not None
    rows = [_entry(evidence, int(entry)) for entry in group[:WITNESSES]]
    return {"id": evidence.census.ids.show(int(group[0])), "times": len(group), "stored": True, "rows": rows}


def _entry(evidence: Evidence, entry: int) -> dict[str, Any]:
    """Return a description of an entry of the census: that of its row if it has one, else what the entry holds."""
    assert evidence.census is not None
    row, stored = int(evidence.row_of_entry[entry]), evidence.census.show_id(entry)
    if row < 0:
        return {"token": int(evidence.census.tokens[entry]), "stored": stored}
    return {**evidence.describe(row), "stored": stored}


def _once_each(witnesses: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return the first witness of each id."""
    first: dict[Any, Mapping[str, Any]] = {}
    for witness in witnesses:
        shown = witness["stored"] if witness.get("foreign") and "stored" in witness else witness["id"]
        first.setdefault(repr(shown), witness)
    return list(first.values())


def _in_words(figures: Mapping[str, Any], first: Mapping[str, Any]) -> str:
    times = f"{first['times']} times" if "times" in first else "a foreign row's"
    return f"{figures['duplicated']:,} ids twice or more ({first['id']}, {times})"


CHECK = Check(
    "unique",
    "no id was told to two rows",
    unique,
    figures={"duplicated": Figure("ids")},
    holds=True,
    broke=_in_words,
    place=10,
)

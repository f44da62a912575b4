"""`ordered`: does an insert that began after another was acknowledged have the later id?

Applications that sort by id, and take that for the order of events, depend on it. Overlapping inserts may have their
ids in any order. An insert counts once, however many later ids had been acknowledged before it began.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

import numpy as np

from idstorm.findings.checks import Check, Figure
from idstorm.findings.finding import Finding
from idstorm.findings.results import Status
from idstorm.judge.evidence import WITNESSES, Evidence
from idstorm.judge.ledger import TOO_FAR
from idstorm.judge.timeline import Track, stretches, tracks
from idstorm.record.columns import Bools, Ints, Keys
from idstorm.record.keys import components
from idstorm.record.outcome import Outcome

_KINDS: dict[str, Callable[[Any], Any]] = {"int": int, "decimal": Decimal}


def ordered(evidence: Evidence) -> Finding:
    """Hold where no insert was overtaken: none has an id before one that was acknowledged before it began."""
    ids, history = evidence.plan.ids, evidence.history
    if not ids.counted and not ids.sortable:
        return Finding(Status.NA, reason="the ids are not meant to be in any order")
    line, places = evidence.line, _in_direction(evidence)
    if line is None:
        return Finding(Status.UNKNOWN, reason=TOO_FAR)
    if places is None:
        reason = "ids of several columns were too long to be kept whole, or not of their columns' kinds"
        return Finding(Status.UNKNOWN, reason=reason)
    acknowledged = evidence.owned & (evidence.row_outcome == Outcome.OK)
    try:
        stretches = line.stretch(places) if line.width else places
        moments = line.lay_out(stretches, history.of_rows(history.begin), history.of_rows(history.ended))
    except OverflowError:
        return Finding(Status.UNKNOWN, reason="the storm was too long to be ordered within so many scopes")
    begun, ended = (tracks(column, history.row_offsets) for column in moments)
    overall = _scan(ended, begun, places, acknowledged, evidence.committed)
    if overall.count:  # otherwise no client can have overtaken itself
        alone = [
            _scan([one], [other], places, acknowledged, evidence.committed)
            for one, other in zip(ended, begun, strict=True)
        ]
    figures = {
        "inversions": overall.count,
        "within_a_client": sum(one.count for one in alone) if overall.count else 0,
        "largest_overtake": overall.largest,
    }
    witnesses = [_witness(evidence, later, earlier) for later, earlier in overall.pairs]
    return Finding(Status.BROKEN if overall.count else Status.HELD, figures, tuple(witnesses))


@dataclass
class _Scan:
    count: int = 0
    largest: int = 0
    pairs: list[tuple[int, int]] = field(default_factory=list)  #: a row that was overtaken, and by which one


def _scan(ended: Sequence[Track], begun: Sequence[Track], ids: Ints, acknowledged: Bools, committed: Bools) -> _Scan:
    """Go through time, and hold each insert that begins against the furthest id that was acknowledged before."""
    scan = _Scan()
    furthest: tuple[int, int] | None = None  # that id, and its row
    for (ends, those), (begins, these) in stretches(ended, begun):
        kept = acknowledged[those]
        order = np.argsort(ends[kept], kind="stable")
        ends, those = ends[kept][order], those[kept][order]
        kept = committed[these]
        begins, these = begins[kept], these[kept]
        known = ids[those]
        if furthest is not None:
            ends, known = np.concatenate([[np.iinfo(np.int64).min], ends]), np.concatenate([[furthest[0]], known])
            those = np.concatenate([[furthest[1]], those])
        if not len(known):
            continue
        highest = np.maximum.accumulate(known)
        before = np.searchsorted(ends, begins, side="left") - 1
        mine = ids[these]
        overtaken = np.flatnonzero((before >= 0) & (mine < highest[np.maximum(before, 0)]))
        if len(overtaken):
            _add(scan, overtaken, before, these, those, mine, known, highest)
        place = int(known.argmax())
        furthest = int(known[place]), int(those[place])
    return scan


def _add(
    scan: _Scan, overtaken: Ints, before: Ints, these: Ints, those: Ints, mine: Ints, known: Ints, highest: Ints
) -> None:
    by, gap = highest[before[overtaken]], mine[overtaken]
    wide = int(by.max()) - int(gap.min()) >= 1 << 63  # beyond 64 bits
    scan.count += len(overtaken)
    scan.largest = max(scan.largest, int((by.astype(object) - gap if wide else by - gap).max()))
    for place in overtaken[: WITNESSES - len(scan.pairs)].tolist():
        first = int(known[: before[place] + 1].argmax())
        scan.pairs.append((int(these[place]), int(those[first])))


def _in_direction(evidence: Evidence) -> Ints | None:
    """Return for each row a number that grows as its generator goes on: its id, or the rank of what is not a number.

    None where the order of some ids is not known.
    """
    keys, generator = evidence.history.keys, evidence.plan.ids.generator
    if evidence.plan.ids.codec.counted:
        return None if evidence.line is None else evidence.places
    if evidence.plan.ids.numeric:
        return ~keys.words if generator is not None and generator.increment < 0 else keys.words
    several = len(evidence.plan.ids.columns)
    return _ranks_of_parts(keys, several) if several > 1 else _ranks(keys)


def _ranks_of_parts(keys: Keys, number: int) -> Ints | None:
    """Return the place of each key of several parts, which are compared one by one, each by its own kind.

    None where some of them were too long to be kept whole, or are not of these kinds. A run that did not record the
    kinds takes for a number what is one in every key.
    """
    _, first, inverse = np.unique(keys.words[:, :2], axis=0, return_index=True, return_inverse=True)
    texts = [str(replace(keys.codec, parts=()).decode(words)) for words in keys.words[first].tolist()]
    whole = [components(text, ["text"] * number) for text in texts if text]  # there is none where no id was told
    if None in whole:
        return None
    columns = list(zip(*(one or () for one in whole), strict=True)) or [()] * number
    kinds = keys.codec.parts or ["int" if all(map(_is_int, column)) else "text" for column in columns]
    try:
        values = zip(
            *(map(_KINDS.get(kind, str), column) for kind, column in zip(kinds, columns, strict=True)), strict=True
        )
        known = [next(values) if text else () for text in texts]
    except (ValueError, ArithmeticError):
        return None
    places = {one: place for place, one in enumerate(sorted(set(known)))}
    return np.array([places[one] for one in known], np.int64)[inverse.reshape(-1)]


def _is_int(part: object) -> bool:
    try:
        int(str(part))
    except ValueError:
        return False
    return True


def _ranks(keys: Keys) -> Ints:
    """Return the place of each key among all, as its bytes sort; equal keys have one place."""
    words = keys.words[:, 2:].byteswap() if keys.codec.kind == "text" else keys.words
    unsigned = words.view(np.uint64)
    if keys.codec.kind == "int128":  # whose first word has the sign
        unsigned = unsigned ^ np.array([1 << 63, 0], np.uint64)
    order = np.lexsort(unsigned.T[::-1])
    new = np.ones(len(order), np.bool_)
    new[1:] = (unsigned[order][1:] != unsigned[order][:-1]).any(axis=1)
    ranks = np.empty(len(order), np.int64)
    ranks[order] = np.cumsum(new)
    return ranks


def _witness(evidence: Evidence, later: int, earlier: int) -> dict[str, Any]:
    one, other = evidence.describe(later), evidence.describe(earlier)
    history = evidence.history
    rows = np.array([later, earlier])
    begin, ended = history.of_rows(history.begin, rows)[0], history.of_rows(history.ended, rows)[1]
    return {
        "id": one["id"],
        "overtaken_by": other["id"],
        "which_was_acknowledged_ms_before": round(float(begin - ended) / 1e6, 3),
        "rows": [one, other],
    }


def _in_words(figures: Mapping[str, Any], first: Mapping[str, Any]) -> str:
    return f"{figures['inversions']:,} overtaken ({first['id']} after {first['overtaken_by']})"


CHECK = Check(
    "ordered",
    "ids are in the order of the inserts",
    ordered,
    figures={"inversions": Figure("inserts"), "within_a_client": Figure("inserts"), "largest_overtake": Figure("ids")},
    broke=_in_words,
    place=90,
)

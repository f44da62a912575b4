"""`gapless`: is every value between the lowest and the highest id in use? And if not, why?

Gaps are lawful almost everywhere: a generator does not take part in transactions. Gaps that nothing explains are news,
so each missing id is charged to the first cause that fits: those whose ids are known first, those known only as a
number after them. What is left is unexplained, a lower bound.
"""

from __future__ import annotations

import numpy as np

from idstorm.judge.evidence import Evidence
from idstorm.judge.groups import dense_range, presence
from idstorm.record.columns import Ints
from idstorm.record.outcome import Outcome, Status
from idstorm.record.tape import Flag, Told
from idstorm.record.verdict import Finding


def gapless(evidence: Evidence) -> Finding:
    """Hold where no value of the generator is missing between the lowest and the highest id of the census."""
    if not evidence.plan.ids.numeric:
        return Finding(Status.NA, reason="the ids are no numbers")
    census = evidence.census
    if census is None or not evidence.ending.quiet:
        return Finding(Status.UNKNOWN, reason=evidence.ending.census or "there is no census of a quiet table")
    ids = census.known_ids.words
    if not len(ids):
        return Finding(Status.UNKNOWN, reason="the table is empty")
    low, high = int(ids.min()), int(ids.max())
    dense = dense_range(ids)
    present = None if dense is None else presence(ids, *dense)
    in_use = len(np.unique(ids)) if present is None else int(np.count_nonzero(present))
    missing = high - low + 1 - in_use
    if not missing:
        return Finding(Status.HELD, {"missing": 0, "gaps": 0, "largest": 0, "ratio": 0.0, "ledger": {}})
    used = np.unique(ids) if present is None else np.flatnonzero(present) + low
    ledger = _ledger(evidence, used, missing)
    widths = np.diff(used).view(np.uint64) - np.uint64(1)  # which no range of int64 overflows
    largest = int(widths.argmax())
    figures = {
        "missing": missing,
        "gaps": int(np.count_nonzero(widths)),
        "largest": int(widths[largest]),
        "ratio": missing / (high - low + 1),
        "ledger": ledger,
    }
    witness = {"largest_gap_between": [int(used[largest]), int(used[largest + 1])]}
    held = missing == ledger.get("off_grid", 0)
    return Finding(Status.HELD if held else Status.BROKEN, figures, () if held else (witness,))


def _ledger(evidence: Evidence, used: Ints, missing: int) -> dict[str, int]:
    history, outcome = evidence.history, evidence.row_outcome
    told = history.told == Told.ID
    causes = {
        "rolled_back": history.keys.words[told & (outcome == Outcome.FAILED)],
        "given_up": history.keys.words[history.told == Told.BURNED],
        "unknown": history.keys.words[told & (outcome == Outcome.UNKNOWN)],
        "deleted": history.keys.words[told & evidence.deleted(Outcome.OK, Outcome.UNKNOWN)],
        "foreign": np.zeros(0, np.int64) if evidence.before is None else evidence.before.known_ids.words,
    }
    ledger, charged = {}, np.zeros(0, np.int64)
    for cause, ids in causes.items():
        more = np.setdiff1d(_missing_among(ids, used), charged, assume_unique=True)
        charged = np.concatenate([charged, more])
        ledger[cause] = len(more)
    left = missing - len(charged)
    ledger["off_grid"] = _off_grid(evidence, used, charged)
    left -= ledger["off_grid"]
    reached = history.of_rows(history.flags) & Flag.UNCONNECTED == 0
    never_told = int(np.count_nonzero((history.told == Told.NOTHING) & (outcome != Outcome.OK) & reached))
    upserted = int(np.count_nonzero((history.told == Told.EXISTING) | (history.told == Told.NO_ROW)))
    for cause, number in (("refused", never_told), ("upserted", upserted)):
        ledger[cause] = min(left, number)
        left -= ledger[cause]
    ledger["unexplained"] = left
    return {cause: number for cause, number in ledger.items() if number}


def _missing_among(ids: Ints, used: Ints) -> Ints:
    """Return which of these ids are missing: between the lowest and the highest in use, and not in use."""
    ids = np.unique(ids)
    ids = ids[(ids > used[0]) & (ids < used[-1])]
    missing: Ints = ids[used[np.searchsorted(used, ids)] != ids]
    return missing


def _off_grid(evidence: Evidence, used: Ints, charged: Ints) -> int:
    """Return how many of the values that are still to be charged the generator steps over."""
    generator = evidence.plan.ids.generator
    step = 1 if generator is None else abs(generator.increment)
    if step == 1:
        return 0
    low, high = int(used[0]), int(used[-1])

    def off(values: Ints) -> int:
        return int(np.count_nonzero(values % step != low % step))

    on_grid = (high - low) // step + 1
    return (high - low + 1 - on_grid) - off(used) - off(charged)

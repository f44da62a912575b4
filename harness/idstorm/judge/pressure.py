"""`pressure`: could this storm have found a fault at all?

It is never broken: a storm without pressure proves nothing, neither good nor bad.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from idstorm.judge.evidence import Evidence
from idstorm.judge.timeline import stretches, tracks
from idstorm.record.columns import Ints
from idstorm.record.history import History
from idstorm.record.outcome import Outcome, Status
from idstorm.record.tape import Flag
from idstorm.record.verdict import Finding

MIN_ACKNOWLEDGED = 200
MIN_OVERLAP = 1.5

_MORE = (": raise --clients", ": raise --inserts or --time", ": raise --clients or --think")


def pressure(evidence: Evidence) -> Finding:
    """Hold where enough inserts were acknowledged by operations that really overlapped, and nobody was lost."""
    history, outcome = evidence.history, evidence.row_outcome
    held = (history.ended != 0) & ((history.flags & Flag.UNCONNECTED) == 0)
    everything = bool(held.all())
    begin = _one_after_the_other(history) if evidence.plan.joined else history.begin
    mean, peak = overlap(
        begin if everything else begin[held],
        history.ended if everything else history.ended[held],
        history.op_offsets if everything else np.array([0, np.count_nonzero(held)]),
    )
    acknowledged = int(np.count_nonzero((outcome == Outcome.OK) & evidence.owned))
    figures = {
        "attempted": len(history.told),
        "acknowledged": acknowledged,
        "failed": int(np.count_nonzero(outcome == Outcome.FAILED)),
        "unknown": int(np.count_nonzero(outcome == Outcome.UNKNOWN)),
        "overlap_mean": round(mean, 2),
        "overlap_peak": peak,
    }
    wanting = _wanting(evidence, acknowledged, mean)
    return Finding(Status.UNKNOWN if wanting else Status.HELD, figures, reason="; ".join(wanting) or None)


def _wanting(evidence: Evidence, acknowledged: int, mean: float) -> list[str]:
    ending = evidence.ending
    wanting = [*ending.lost_workers]
    if ending.full_clients:
        wanting.append(f"{ending.full_clients} clients stopped, since the disk of the results is full")
    more = ("", "", "") if evidence.plan.joined else _MORE
    if evidence.plan.fleet.clients < 2:
        wanting.append(f"one client alone cannot collide{more[0]}")
    if acknowledged < MIN_ACKNOWLEDGED:
        wanting.append(f"{acknowledged} inserts were acknowledged, at least {MIN_ACKNOWLEDGED} are asked for{more[1]}")
    elif mean < MIN_OVERLAP and evidence.plan.fleet.clients > 1:
        wanting.append(f"operations overlapped {mean:.2f} deep on average, {MIN_OVERLAP} is asked for{more[2]}")
    return wanting


def _one_after_the_other(history: History) -> Ints:
    """Return when operations began that last as long as their transaction, of which one client has several.

    Nobody overlaps with himself: of its time, each takes what those before have left.
    """
    begin = history.begin.copy()
    for first, end in pairwise(history.op_offsets.tolist()):
        ended = history.ended[first:end]
        free = np.maximum.accumulate(ended)[:-1]
        begin[first + 1 : end] = np.minimum(np.maximum(begin[first + 1 : end], free), ended[1:])
    return begin


def overlap(begin: Ints, end: Ints, offsets: Ints) -> tuple[float, int]:
    """Return how many intervals were open at once: the mean over the time in which any was, and the peak.

    Of an end and a beginning at the same instant the end comes first. `offsets` tell whose intervals begin where.
    """
    if not len(begin):
        return 0.0, 0
    first = last = int(begin.min())
    total = idle = peak = still_open = 0
    for (begins, _), (ends, _) in stretches(tracks(begin, offsets), tracks(end, offsets)):
        begins, ends = np.sort(begins, kind="stable"), np.sort(ends, kind="stable")
        total += int((ends - first).sum()) - int((begins - first).sum())
        over = np.searchsorted(ends, begins, side="right")  # how many had ended when the k-th began
        depth = still_open + np.arange(1, len(begins) + 1) - over
        peak = max([peak, *([int(depth.max())] if len(depth) else [])])
        # Nothing was open before the k-th began where all before it had ended: that stretch counts as idle.
        fresh = np.flatnonzero(depth == 1)
        before = np.concatenate([[last], ends])[over[fresh]]
        idle += int((begins[fresh] - before).sum())
        still_open += len(begins) - len(ends)
        last = int(ends[-1]) if len(ends) else last
    busy = last - first - idle
    return (total / busy if busy > 0 else 0.0), peak

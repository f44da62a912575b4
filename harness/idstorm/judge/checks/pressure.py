"""`pressure`: could this storm have found a fault at all?

It is never broken: a storm without pressure proves nothing either way.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np

from idstorm.findings.checks import Check, Figure
from idstorm.findings.finding import Finding
from idstorm.findings.results import Status, StormState
from idstorm.findings.verdict import NOTABLE_FAILURES
from idstorm.judge.evidence import Evidence
from idstorm.judge.failures import Failures
from idstorm.judge.ledger import TOO_FAR
from idstorm.judge.line import Line
from idstorm.judge.timeline import stretches, tracks
from idstorm.record.columns import Bools, Ints
from idstorm.record.history import History
from idstorm.record.outcome import Outcome
from idstorm.record.tape import Flag, Told

MIN_ACKNOWLEDGED = 200
MIN_OVERLAP = 1.5
MOST_FAILED = 0.5
"""The share of operations that may fail unplanned, short of it, where the scenario does not say more."""

_MORE = (": raise --clients", ": raise --inserts or --time", ": raise --clients or --think")


def pressure(evidence: Evidence) -> Finding:
    """Hold where enough inserts of several clients were acknowledged, by operations that really overlapped.

    Those that the database itself ended because of the race count as overlapping, too; no other failure does.
    """
    history, outcome, failures = evidence.history, evidence.row_outcome, Failures(evidence)
    held = (history.ended != 0) & ((history.flags & Flag.UNCONNECTED) == 0)
    held &= (history.outcome == Outcome.OK) | failures.raced
    if evidence.line is None:
        mean, peak = 0.0, 0
    elif evidence.line.stretches > 1:
        mean, peak = _overlap_within_scopes(evidence, evidence.line, held)
    else:
        mean, peak = _overlap(evidence, held)
    acknowledged = int(np.count_nonzero((outcome == Outcome.OK) & evidence.owned))
    figures = {
        "attempted": len(history.told),
        "acknowledged": acknowledged,
        "failed": int(np.count_nonzero(outcome == Outcome.FAILED)),
        "unknown": int(np.count_nonzero(outcome == Outcome.UNKNOWN)),
        "overlap_mean": round(mean, 2),
        "overlap_peak": peak,
    }
    wanting = list(_wanting(evidence, failures, acknowledged, mean))
    return Finding(Status.UNKNOWN if wanting else Status.HELD, figures, reason="; ".join(wanting) or None)


def _overlap(evidence: Evidence, held: Bools) -> tuple[float, int]:
    history, begin = evidence.history, _begin(evidence)
    if held.all():
        return overlap(begin, history.ended, history.op_offsets)
    return overlap(begin[held], history.ended[held], _offsets(held, history.op_offsets))


def _overlap_within_scopes(evidence: Evidence, line: Line, held: Bools) -> tuple[float, int]:
    """Return the overlap of operations in the same scope. One that inserts in several counts in each, once.

    One that the database ended because of the race was told no id, and so no scope. It counts in that of an operation
    that it overlapped.
    """
    history = evidence.history
    told = np.isin(history.told, (Told.ID, Told.EXISTING, Told.BURNED))
    rows = np.flatnonzero(history.of_rows(held) & told)
    operations = rows if history.op_of_row is None else history.op_of_row[rows]
    scopes = line.stretch(evidence.places[rows])
    if history.op_of_row is not None:
        once = np.unique(operations * line.stretches + scopes, return_index=True)[1]
        operations, scopes = operations[once], scopes[once]
    begin, ended = _begin(evidence), history.ended
    told_nothing = held.copy()
    told_nothing[operations] = False
    silent = np.flatnonzero(told_nothing)
    if len(silent) and len(operations):
        by_end = np.argsort(ended[operations], kind="stable")
        next_one = np.searchsorted(ended[operations][by_end], begin[silent])
        beside = by_end[np.minimum(next_one, len(by_end) - 1)]
        met = (next_one < len(by_end)) & (begin[operations[beside]] <= ended[silent])
        operations = np.concatenate([operations, silent[met]])
        scopes = np.concatenate([scopes, scopes[beside[met]]])
    try:
        begin, ended = line.lay_out(scopes, begin[operations], ended[operations])
    except OverflowError:
        return 0.0, 0
    return overlap(np.sort(begin), np.sort(ended), np.array([0, len(operations)]))


def _offsets(kept: Bools, offsets: Ints) -> Ints:
    """Return where each client's operations begin among those that are kept."""
    return np.cumsum([0, *(np.count_nonzero(kept[first:end]) for first, end in pairwise(offsets.tolist()))])


def _wanting(evidence: Evidence, failures: Failures, acknowledged: int, mean: float) -> Iterator[str]:
    ending, joined = evidence.ending, evidence.plan.joined
    yield from ending.clients.lost_workers
    if ending.clients.full:
        why = f"their tapes could not be written: {ending.clients.full_because}"
        why = "the disk of the results is full" if ending.clients.full_because is None else why
        yield f"{ending.clients.full} clients stopped, since {why}"
    if not joined and ending.state != StormState.INTERRUPTED:
        yield from _never_connected(evidence)
    share = 0.0 if joined else failures.share
    if share >= MOST_FAILED and share > evidence.plan.failing:
        yield f"{share:.0%} of the operations failed{_most(failures)}"
    more = ("", "", "") if joined else _MORE
    if evidence.plan.fleet.clients < 2:
        yield f"one client alone cannot collide{more[0]}"
    if acknowledged < MIN_ACKNOWLEDGED:
        advice = more[1] if share < NOTABLE_FAILURES else _most(failures)
        yield f"{acknowledged} inserts were acknowledged, but at least {MIN_ACKNOWLEDGED} are needed{advice}"
    elif evidence.plan.fleet.clients > 1:
        if (clients := _acknowledged_clients(evidence)) < 2:
            yield f"all of them were those of {'one client' if clients else 'no client'}, which cannot collide alone"
        elif evidence.line is None:
            yield TOO_FAR
        elif mean < MIN_OVERLAP:
            within = " within a scope" if evidence.plan.ids.codec.counted else ""
            more_or_fewer = f"{more[2]}, or choose fewer scopes" if within else more[2]
            yield f"operations overlapped {mean:.2f} deep on average{within}, {MIN_OVERLAP} is asked for{more_or_fewer}"


def _most(failures: Failures) -> str:
    most = failures.commonest(failures.unplanned & ~failures.raced)
    return "" if most is None else f", most with {most[0].name}" + (f": {most[0].message}" if most[0].message else "")


def _never_connected(evidence: Evidence) -> Iterator[str]:
    """Yield the workers and clients that had work to do but never had a connection."""
    history, fleet = evidence.history, evidence.plan.fleet
    had_none = {
        client
        for client, (first, end) in enumerate(pairwise(history.op_offsets.tolist()))
        if ((history.flags[first:end] & Flag.UNCONNECTED) != 0).all() and (end > first or fleet.inserts_of(client) != 0)
    }
    if len(had_none) == fleet.clients:
        yield "no client ever had a connection"
        return
    for worker in range(fleet.processes):
        clients = set(fleet.of_worker(worker))
        if clients and clients <= had_none:
            yield f"worker {worker} never had a connection"
            had_none -= clients
    if had_none:
        yield f"client {', '.join(map(str, sorted(had_none)))} never had a connection"


def _acknowledged_clients(evidence: Evidence) -> int:
    """Return how many clients had an insert acknowledged."""
    history = evidence.history
    good = (evidence.row_outcome == Outcome.OK) & ((history.told == Told.ID) | (history.told == Told.EXISTING))
    return sum(bool(good[first:end].any()) for first, end in pairwise(history.row_offsets.tolist()))


def _begin(evidence: Evidence) -> Ints:
    """Return when each operation started to hold a connection for certain."""
    history = evidence.history
    if evidence.plan.joined:
        return _one_after_the_other(history)
    unseen = (history.flags & Flag.UNSEEN) != 0
    if not unseen.any():
        return history.begin
    # Before its ids were known it may have waited for its connection; rows of a delete are chosen before it has one.
    known = evidence.inserts & (history.handed != 0)
    return np.where(unseen, np.where(known, history.handed, history.ended), history.begin)


def _one_after_the_other(history: History) -> Ints:
    """Return when operations began that last as long as their transaction, of which one client has several.

    A client does not overlap with itself: each of its operations counts only for the time that earlier ones left.
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


CHECK = Check(
    "pressure",
    "the run could have found a fault",
    pressure,
    figures={
        "attempted": Figure("rows"),
        "acknowledged": Figure("rows", where_held=True, even_if_zero=True),
        "failed": Figure("rows"),
        "unknown": Figure("rows"),
        "overlap_mean": Figure("operations at once", where_held=True),
        "overlap_peak": Figure("operations at once", where_held=True),
    },
    holds=True,
    place=0,
)

"""Pictures of a storm, from its history: counted by stretches of time and of ids, so that their size is bounded."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from idstorm.findings.drawing import BANDS, STRETCHES, Bar, Drawing, GapMap, Visibility
from idstorm.findings.results import Result, Status
from idstorm.findings.verdict import Verdict
from idstorm.judge.checks.visible import lags_of
from idstorm.judge.evidence import Evidence
from idstorm.judge.ledger import known_causes, no_span
from idstorm.judge.span import Span
from idstorm.record.columns import Ints
from idstorm.record.history import History
from idstorm.record.outcome import Outcome
from idstorm.record.tape import Kind, Told

_CULPRITS, _BARS = 8, 60  # most that a picture of a witness has
_NS = 1e9


def drawing(evidence: Evidence, verdicts: Mapping[str, Verdict]) -> Drawing | None:
    """Return the pictures of a storm; None: nothing was recorded."""
    history = evidence.history
    ended = np.where(history.ended > 0, history.ended, history.begin)
    if not len(history):
        return None
    last = max(int(ended.max()), evidence.began + 1)
    edges = np.linspace(evidence.began, last, STRETCHES + 1)
    stretch = np.clip(np.searchsorted(edges, ended, side="right") - 1, 0, STRETCHES - 1)
    ok = history.outcome == Outcome.OK
    heat, ids = _heat(evidence, edges)
    check, culprits = _witness(history, verdicts)
    return Drawing(
        round((last - evidence.began) / _NS, 6),
        tuple(np.bincount(stretch[ok], minlength=STRETCHES).tolist()),
        tuple(np.bincount(stretch[~ok], minlength=STRETCHES).tolist()),
        tuple(_latencies(history, ok, stretch)),
        heat,
        ids,
        check,
        tuple(_bars(evidence, culprits)),
        _gap_map(evidence),
        _visibility(evidence, verdicts.get("visible")),
    )


def _latencies(history: History, ok: Any, stretch: Ints) -> Iterator[tuple[float, float, float] | None]:
    order = np.argsort(stretch[ok], kind="stable")
    took = ((history.ended[ok] - history.begin[ok]) / 1e6)[order]
    for some in np.split(took, np.searchsorted(stretch[ok][order], np.arange(1, STRETCHES))):
        if not len(some):
            yield None
        else:
            median, high = np.quantile(some, [0.5, 0.99])
            yield round(float(median), 3), round(float(high), 3), round(float(some.max()), 3)


def _heat(evidence: Evidence, edges: Any) -> tuple[tuple[tuple[int, int, int], ...], tuple[int, int] | None]:
    """Return how many ids were told in each stretch of time and band of ids."""
    history = evidence.history
    told = np.flatnonzero((history.told == Told.ID) | (history.told == Told.BURNED))
    if not evidence.plan.ids.numeric or not len(told):
        return (), None
    numbers, when = history.keys.take(told).numbers, history.of_rows(history.handed, told)
    lowest, highest = int(numbers.min()), int(numbers.max())
    band = ((numbers.astype(np.float64) - lowest) / max(highest - lowest, 1) * (BANDS - 1)).astype(np.int64)
    stretch = np.clip(np.searchsorted(edges, when, side="right") - 1, 0, STRETCHES - 1)
    places, counts = np.unique(stretch * BANDS + band, return_counts=True)
    cells = zip((places // BANDS).tolist(), (places % BANDS).tolist(), counts.tolist(), strict=True)
    return tuple(cells), (lowest, highest)


def _gap_map(evidence: Evidence) -> GapMap | None:
    """Return where ids are missing; None: nowhere, or they are counted in several scopes, or have no span."""
    if no_span(evidence) is not None or evidence.line is None or evidence.line.stretches > 1:
        return None
    span = evidence.span
    if not span.missing:
        return None
    edges = np.array([span.low + (span.high - span.low) * part // BANDS for part in range(BANDS + 1)], np.int64)
    missing = np.diff(_missing_up_to(edges, span))
    known = list[tuple[str, int, int]]()
    charged = np.zeros(0, np.int64)
    for cause, ids in known_causes(evidence):
        more = np.setdiff1d(span.without(ids), charged, assume_unique=True)
        charged = np.concatenate([charged, more])
        parts, counts = np.unique(np.searchsorted(edges, more) - 1, return_counts=True)
        known += [(cause, part, count) for part, count in zip(parts.tolist(), counts.tolist(), strict=True)]
    low, high = (evidence.line.number(place) + evidence.offset for place in (span.low, span.high))
    return GapMap(low, high, tuple(map(round, missing.tolist())), tuple(known))


def _missing_up_to(places: Ints, span: Span) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Return how many places are missing up to each of these, itself included. As floats, no range overflows them."""
    widths = span.widths.astype(np.float64)
    gap = np.searchsorted(span.before, places, side="left") - 1
    within, passed = np.maximum(gap, 0), np.concatenate([[0.0], np.cumsum(widths)])
    inside = np.minimum((places - span.before[within]).view(np.uint64).astype(np.float64), widths[within])
    return np.where(gap < 0, 0.0, passed[within] + inside)


def _visibility(evidence: Evidence, verdict: Verdict | None) -> Visibility | None:
    """Return how long rows took to be seen; None: nobody read, or it is not known what was."""
    judged = verdict is not None and verdict.status in (Status.HELD, Status.BROKEN)
    if verdict is None or not judged or evidence.reading is None:
        return None
    lags = lags_of(evidence, evidence.reading)
    if not len(lags):
        return None
    shares = np.quantile(lags, np.linspace(0, 1, 101), method="higher") / 1e6
    figures = verdict.figures
    return Visibility(
        tuple(np.round(shares, 3).tolist()), len(lags), int(figures.get("skipped", 0)), figures.get("safe_lag_ms")
    )


def _witness(history: History, verdicts: Mapping[str, Verdict]) -> tuple[str | None, list[int]]:
    """Return the check whose first witness is drawn, what failed first, and the operations that it names."""
    broken = [(name, verdict) for name, verdict in verdicts.items() if verdict.status is Status.BROKEN]
    for name, verdict in sorted(broken, key=lambda one: one[1].result is not Result.FAILED):
        named = [_operation(history, row) for row in _rows(verdict.witnesses[0])]
        if found := [operation for operation in named if operation is not None]:
            return name, list(dict.fromkeys(found))[:_CULPRITS]
    return None, []


def _rows(witness: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    rows = [row for value in witness.values() if isinstance(value, list | tuple) for row in value]
    return [row for row in (witness, *rows) if isinstance(row, Mapping) and {"client", "operation"} <= row.keys()]


def _operation(history: History, row: Mapping[str, Any]) -> int | None:
    client, number = row["client"], row["operation"]
    if not isinstance(client, int) or not isinstance(number, int) or not 0 <= client < history.clients:
        return None
    place = int(history.op_offsets[client]) + number
    return place if place < int(history.op_offsets[client + 1]) else None


def _bars(evidence: Evidence, culprits: list[int]) -> Iterator[Bar]:
    """Yield the operations of a witness, and of the same clients' others those that lie between."""
    history, began = evidence.history, evidence.began
    if not culprits:
        return
    first, last = int(history.begin[culprits].min()), int(history.ended[culprits].max())
    clients = [int(np.searchsorted(history.op_offsets, one, side="right")) - 1 for one in culprits]
    chosen = dict.fromkeys(culprits)
    for client in dict.fromkeys(clients):
        own = np.arange(int(history.op_offsets[client]), int(history.op_offsets[client + 1]))
        between = own[(history.ended[own] >= first) & (history.begin[own] <= last)]
        chosen |= dict.fromkeys(between.tolist()[: _BARS // len(set(clients))])
    for one in sorted(chosen, key=lambda place: int(history.begin[place])):
        client = int(np.searchsorted(history.op_offsets, one, side="right")) - 1
        begin, handed, ended = (int(column[one]) for column in (history.begin, history.handed, history.ended))
        yield Bar(
            client,
            (begin - began) / _NS,
            (handed - began) / _NS if handed else None,
            (max(ended, begin) - began) / _NS,
            _first_id(history, one),
            Outcome(int(history.outcome[one])).name.lower(),
            one in culprits,
        )


def _first_id(history: History, operation: int) -> str | None:
    if history.kind[operation] != Kind.INSERT:
        return None
    of_row = history.op_of_row
    row = operation if of_row is None else int(np.searchsorted(of_row, operation))
    return str(history.keys.show(row)) if history.told[row] in (Told.ID, Told.EXISTING, Told.BURNED) else None

"""Pictures of a storm, from its history: counted by stretches of time and of ids, so that their size is bounded."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from idstorm.findings.drawing import BANDS, STRETCHES, Bar, Drawing
from idstorm.findings.results import Result, Status
from idstorm.findings.verdict import Verdict
from idstorm.judge.evidence import Evidence
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

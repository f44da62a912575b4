"""The figures of a storm's operations: how many, how fast, with which errors."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np

from idstorm.judge.evidence import Evidence
from idstorm.judge.failures import failing
from idstorm.judge.quantiles import QUANTILES, quantiles_ms
from idstorm.record.outcome import Outcome
from idstorm.record.tape import Flag


def operations(evidence: Evidence) -> dict[str, Any]:
    """Return the report's `operations`: counts of rows, latencies of operations in milliseconds, errors by code."""
    history = evidence.history
    outcome = evidence.row_outcome
    flags = history.of_rows(history.flags)
    acknowledged = int(np.count_nonzero((outcome == Outcome.OK) & evidence.owned))
    ended = history.ended != 0
    seconds = float(history.ended.max() - history.begin.min()) / 1e9 if ended.any() else 0.0
    numbers = np.bincount(history.code, minlength=len(history.codes) + 1)[1:].tolist()
    by_code = Counter[str]()  # two kinds of error may have one name, of which one alone is a refusal
    for code, number in zip(history.codes, numbers, strict=True):
        by_code[code.name] += number
    return {
        "attempted": len(outcome),
        "acknowledged": acknowledged,
        "failed": int(np.count_nonzero(outcome == Outcome.FAILED)),
        "unknown": int(np.count_nonzero(outcome == Outcome.UNKNOWN)),
        "rolled_back": int(np.count_nonzero(flags & Flag.DELIBERATE)),
        "deleted": len(history.deleted),
        "seconds": round(max(seconds, 0.0), 3),
        "per_second": round(acknowledged / seconds, 1) if seconds > 0 else 0.0,
        "latency_ms": _latency(evidence, ended),
        **({} if evidence.plan.joined else {"failing": failing(evidence)}),  # suites assert errors
        "errors": {
            "total": by_code.total(),
            "by_code": {name: number for name, number in by_code.most_common() if number},
        },
    }


def _latency(evidence: Evidence, ended: np.ndarray[Any, np.dtype[np.bool_]]) -> dict[str, float]:
    history = evidence.history
    durations = history.ended - history.begin
    if not ended.all():
        durations = durations[ended]
    if not len(durations):
        return dict.fromkeys(QUANTILES, 0.0)
    return quantiles_ms(durations)

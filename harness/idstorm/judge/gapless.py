"""`gapless`: is every value between the lowest and the highest id in use? The ledger says why not."""

from __future__ import annotations

import numpy as np

from idstorm.judge.evidence import Evidence
from idstorm.judge.ledger import ledger
from idstorm.record.outcome import Status
from idstorm.record.verdict import Finding


def gapless(evidence: Evidence) -> Finding:
    """Hold where no value of the generator is missing between the lowest and the highest id of the census."""
    wanting = evidence.no_range
    if wanting is not None:
        return wanting
    span = evidence.range
    if not span.missing:
        return Finding(Status.HELD, {"missing": 0, "gaps": 0, "largest": 0, "ratio": 0.0, "ledger": {}})
    used = span.used
    found = ledger(evidence, used, span.missing)
    widths = np.diff(used).view(np.uint64) - np.uint64(1)  # which no range of int64 overflows
    largest = int(widths.argmax())
    figures = {
        "missing": span.missing,
        "gaps": int(np.count_nonzero(widths)),
        "largest": int(widths[largest]),
        "ratio": span.missing / (span.high - span.low + 1),
        "ledger": found.causes,
    }
    witness = {"largest_gap_between": [int(used[largest]), int(used[largest + 1])]}
    held = span.missing == found.causes.get("off_grid", 0)
    return Finding(Status.HELD if held else Status.BROKEN, figures, () if held else (witness,))

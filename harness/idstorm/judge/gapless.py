"""`gapless`: is every value between the lowest and the highest id in use? The ledger says why not."""

from __future__ import annotations

from idstorm.judge.evidence import Evidence
from idstorm.judge.ledger import ledger
from idstorm.record.outcome import Status
from idstorm.record.verdict import Finding


def gapless(evidence: Evidence) -> Finding:
    """Hold where no value of the generator is missing between the lowest and the highest id of the census."""
    wanting = evidence.no_span
    if wanting is not None:
        return wanting
    span = evidence.span
    if not span.missing:
        return Finding(Status.HELD, {"missing": 0, "gaps": 0, "largest": 0, "ratio": 0.0, "ledger": {}})
    causes, widths = ledger(evidence).causes, span.widths
    largest = int(widths.argmax())
    figures = {
        "missing": span.missing,
        "gaps": len(widths),
        "largest": int(widths[largest]),
        "ratio": span.missing / (span.high - span.low + 1),
        "ledger": causes,
    }
    witness = {"largest_gap_between": [int(span.before[largest]), int(span.after[largest])]}
    held = span.missing == causes.get("off_grid")
    return Finding(Status.HELD if held else Status.BROKEN, figures, () if held else (witness,))

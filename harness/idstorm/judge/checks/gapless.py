"""`gapless`: is every value between the lowest and the highest id in use? The ledger says why not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from idstorm.findings.checks import Check, Figure
from idstorm.findings.finding import Finding
from idstorm.findings.results import Status
from idstorm.judge.evidence import Evidence
from idstorm.judge.ledger import CAUSES, ledger


def gapless(evidence: Evidence) -> Finding:
    """Hold where no value of the generator is missing between the lowest and the highest id that it gave.

    The ledger charges what is missing; beside that, it charges to `foreign` what lies between this range and rows that
    were there before, which is in no other figure.
    """
    wanting = evidence.no_span
    if wanting is not None:
        return wanting
    span = evidence.span
    foreign = {"foreign": evidence.outside} if evidence.outside else {}
    if not span.missing:
        return Finding(Status.HELD, {"missing": 0, "gaps": 0, "largest": 0, "ratio": 0.0, "ledger": foreign})
    causes, widths = ledger(evidence).causes, span.widths
    largest = int(widths.argmax())
    figures = {
        "missing": span.missing,
        "gaps": len(widths),
        "largest": int(widths[largest]),
        "ratio": span.missing / (span.high - span.low + 1),
        "ledger": causes | ({"foreign": causes.get("foreign", 0) + evidence.outside} if foreign else {}),
    }
    sides = (span.before[largest], span.after[largest])
    witness = {"largest_gap_between": [int(side) + evidence.offset for side in sides]}
    held = span.missing == causes.get("off_grid")
    return Finding(Status.HELD if held else Status.BROKEN, figures, () if held else (witness,))


def _in_words(figures: Mapping[str, Any], first: Mapping[str, Any]) -> str:
    low, high = first["largest_gap_between"]
    return f"{figures['missing']:,} missing (between {low:,} and {high:,})"


CHECK = Check(
    "gapless",
    "every id in the range is in use",
    gapless,
    figures={
        "missing": Figure("ids"),
        "gaps": Figure("gaps"),
        "largest": Figure("ids"),
        "ratio": Figure("a share of the range"),
        **{f"ledger.{cause}": Figure("ids") for cause in CAUSES},
    },
    broke=_in_words,
    place=70,
)

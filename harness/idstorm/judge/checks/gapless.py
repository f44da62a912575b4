"""`gapless`: is every value between the lowest and the highest id in use? The ledger says why not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from idstorm.findings.checks import Check, Figure
from idstorm.findings.finding import Finding
from idstorm.findings.results import Status
from idstorm.judge.evidence import Evidence
from idstorm.judge.ledger import CAUSES, ledger, no_span
from idstorm.judge.line import in_scope, scope_of


def gapless(evidence: Evidence) -> Finding:
    """Hold where no value of the generator is missing between the lowest and the highest id that it gave.

    The ledger charges what is missing; beside that, it charges to `foreign` what lies between this range and rows that
    were there before, which is in no other figure.
    """
    wanting = no_span(evidence)
    if wanting is not None:
        return wanting
    span = evidence.span
    foreign = {"foreign": span.outside} if span.outside else {}
    if not span.missing:
        return Finding(Status.HELD, {"missing": 0, "gaps": 0, "largest": 0, "ratio": 0.0, "ledger": foreign})
    causes, widths = ledger(evidence).causes, span.widths
    largest = int(widths.argmax())
    figures = {
        "missing": span.missing,
        "gaps": len(widths),
        "largest": int(widths[largest]),
        "ratio": span.missing / span.extent,
        "ledger": causes | ({"foreign": causes.get("foreign", 0) + span.outside} if foreign else {}),
    }
    witness = _witness(evidence, int(span.before[largest]), int(span.after[largest]))
    held = span.missing == causes.get("off_grid")
    return Finding(Status.HELD if held else Status.BROKEN, figures, () if held else (witness,))


def _witness(evidence: Evidence, before: int, after: int) -> dict[str, Any]:
    census, line = evidence.census, evidence.line
    assert census is not None
    assert line is not None
    sides = [line.number(place) + evidence.offset for place in (before, after)]
    if not evidence.plan.ids.codec.counted:
        return {"largest_gap_between": sides}
    (entry, *_) = np.flatnonzero(line.places(census.known_ids) == before)
    return {**scope_of(census.known_ids, int(entry)), "largest_gap_between": sides}


def _in_words(figures: Mapping[str, Any], first: Mapping[str, Any]) -> str:
    low, high = first["largest_gap_between"]
    return f"{figures['missing']:,} missing (between {low:,} and {high:,}{in_scope(first)})"


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

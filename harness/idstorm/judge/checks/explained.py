"""`explained`: does every gap have a known cause?

Gaps are normal almost everywhere, and mean nothing. An unexplained gap is news: a row that came and went, an
unknown application, a generator that skips.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from idstorm.findings.checks import Check, Figure
from idstorm.findings.finding import Finding
from idstorm.findings.results import Status
from idstorm.judge.evidence import Evidence
from idstorm.judge.ledger import ledger, no_span


def explained(evidence: Evidence) -> Finding:
    """Hold where the ledger charges every missing id to a cause."""
    wanting = no_span(evidence)
    if wanting is not None:
        return wanting
    if evidence.plan.ids.generator is None:
        return Finding(Status.NA, reason="the ids, or some of them, do not come from the database's generator")
    found = ledger(evidence) if evidence.span.missing else None
    if found is None or found.widest is None:
        return Finding(Status.HELD, {"unexplained": 0})
    witness = {"unexplained_between": list(found.widest)}
    return Finding(Status.BROKEN, {"unexplained": found.unexplained}, (witness,))


def _in_words(figures: Mapping[str, Any], first: Mapping[str, Any]) -> str:
    low, high = first["unexplained_between"]
    return f"{figures['unexplained']:,} missing (between {low:,} and {high:,})"


CHECK = Check(
    "explained",
    "every gap has a known cause",
    explained,
    figures={"unexplained": Figure("ids")},
    broke=_in_words,
    place=80,
)

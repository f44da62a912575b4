"""What findings mean for claims, and the combined result of claims and gates."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from idstorm.findings.finding import Finding
from idstorm.findings.gate import GateVerdict
from idstorm.findings.results import Result, Stance, Status, StormState, settle, worst
from idstorm.findings.verdict import Verdict
from idstorm.record.plan import Claim


def judge_claim(claim: Claim, finding: Finding, meaning: str = "") -> Verdict:
    """Return what a finding means for a claim; `meaning` is for a check that is not idstorm's own."""
    return Verdict(
        status=finding.status,
        claim=claim.stance,
        result=settle(claim.stance, finding.status, named=claim.named, crashed=finding.crashed),
        reason=finding.reason or (_why_inconclusive(claim) if finding.status is Status.HELD else None),
        why=claim.why,
        figures=finding.figures,
        witnesses=finding.witnesses,
        named=claim.named,
        crashed=finding.crashed,
        meaning=meaning,
    )


def _why_inconclusive(claim: Claim) -> str | None:
    return (
        "it was claimed to break but was not seen to: more pressure is needed"
        if claim.stance is Stance.BREAKS
        else None
    )


def result_of(state: StormState, verdicts: Mapping[str, Verdict], gates: Iterable[GateVerdict]) -> Result:
    """Return the result of a storm that ended in this state."""
    if state == StormState.NOT_APPLICABLE:
        return Result.NA
    if not verdicts:
        return Result.INCONCLUSIVE
    results = [*(verdict.result for verdict in verdicts.values()), *(gate.result for gate in gates)]
    return worst([*results, *([Result.INCONCLUSIVE] if state.cut_short else [])])

"""The result of repeated storms: their findings are merged, and then claims are settled, as if they were one storm.

A race that shows once in ten storms is there: one repetition in which a check broke is enough for *broken*. One in
which it could not be judged leaves the whole *unknown*, unless it broke elsewhere.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import zip_longest
from typing import Any

from idstorm.errors import UnreadableRun
from idstorm.findings.finding import Finding
from idstorm.findings.gate import GateVerdict
from idstorm.findings.results import Result, Status, StormState, worst
from idstorm.findings.verdict import Repeats, StormReport, UntilBroken, Verdict
from idstorm.judge.claims import judge_claim, result_of
from idstorm.judge.evidence import WITNESSES
from idstorm.record.plan import Claim

_STRONGEST = (Status.BROKEN, Status.UNKNOWN, Status.HELD, Status.NA)
_COUNTS = ("attempted", "acknowledged", "failed", "unknown", "rolled_back", "deleted")


def merge(findings: Mapping[int, Finding]) -> Finding:
    """Return what a check found in several repetitions, by their numbers; there has to be one."""
    counts = Counter(finding.status for finding in findings.values())
    status = next(status for status in _STRONGEST if counts[status])
    crashed = any(finding.crashed for finding in findings.values())
    return Finding(
        status,
        figures={"repetitions": {str(one): counts[one] for one in _STRONGEST if counts[one]}},
        witnesses=_witnesses(findings),
        reason=None if status is Status.HELD else _reason(findings, status, crashed=crashed),
        crashed=crashed,
    )


def _reason(findings: Mapping[int, Finding], status: Status, *, crashed: bool) -> str | None:
    """Return the first reason that tells why, with its repetition, unless every one gives the same."""
    telling = {
        number: finding.reason
        for number, finding in findings.items()
        if finding.reason is not None and (finding.crashed if crashed else finding.status is status)
    }
    if len(telling) == len(findings) and len(set(telling.values())) == 1:
        return next(iter(telling.values()))
    return next((f"repetition {number}: {reason}" for number, reason in telling.items()), None)


def _witnesses(findings: Mapping[int, Finding]) -> tuple[Mapping[str, Any], ...]:
    """Return the first witness of each repetition that broke, then the second of each, as many as a finding keeps."""
    broke = [
        [{"repetition": number, **witness} for witness in finding.witnesses]
        for number, finding in findings.items()
        if finding.status is Status.BROKEN
    ]
    return tuple(witness for row in zip_longest(*broke) for witness in row if witness is not None)[:WITNESSES]


def repeats(storms: Sequence[StormReport]) -> Repeats:
    """Merge the repetitions of one storm, in order. Raises UnreadableRun where one of them is not a repetition."""
    judged = {number: storm for number, storm in enumerate(storms, start=1) if storm.verdicts}
    first = next(iter(judged.values()), storms[0])
    for storm in judged.values():
        if _shape(storm) != _shape(first):
            raise UnreadableRun(
                f"{storm.storm} does not repeat {first.storm}: their plans differ in what there is to judge"
            )
    verdicts = {
        check: judge_claim(
            Claim(verdict.claim, verdict.why, verdict.named),
            merge({number: _finding(storm.verdicts[check]) for number, storm in judged.items()}),
            verdict.meaning,
        )
        for check, verdict in first.verdicts.items()
    }
    gates = _gates([storm.gates for storm in judged.values()])
    results = {result_of(storm.state, verdicts if storm.verdicts else {}, gates) for storm in storms}
    return Repeats(
        storm=storms[0].storm,
        scenario=first.scenario,
        result=Result.NA if results == {Result.NA} else worst(results),
        target=first.target,
        fleet=first.fleet,
        ending=_ending(storms),
        notes=first.notes,
        operations=_operations([storm.operations for storm in judged.values()]),
        verdicts=verdicts,
        gates=gates,
        state=next((storm.state for storm in storms if storm.ending is not None), StormState.FINISHED),
        repetitions=tuple(storm.storm for storm in storms),
    )


def _shape(storm: StormReport) -> tuple[set[str], set[str]]:
    """Return what is judged and counted of a storm: the same for all whose plans differ only in their seed."""
    return set(storm.verdicts), set(storm.operations)


def until_broken(series: Sequence[Sequence[StormReport]], seconds: float | None) -> UntilBroken:
    """Return the first repetition in which a check with a claim broke.

    `series` has the repetitions of each storm; they were stormed in turn.
    """
    rounds = enumerate(zip_longest(*series), start=1)
    for repetition, storm in ((number, storm) for number, storms in rounds for storm in storms if storm is not None):
        if checks := tuple(check for check, verdict in storm.verdicts.items() if verdict.is_witness):
            return UntilBroken(seconds, storm.storm, repetition, checks)
    return UntilBroken(seconds)


def _finding(verdict: Verdict) -> Finding:
    return Finding(verdict.status, witnesses=verdict.witnesses, reason=verdict.reason, crashed=verdict.crashed)


def _worst_of(results: Iterable[Result]) -> Result:
    found = set(results)
    return Result.NA if found == {Result.NA} else worst(found)


def _gates(repetitions: Sequence[Sequence[GateVerdict]]) -> tuple[GateVerdict, ...]:
    """Return the worst verdict of each gate over all repetitions."""
    gates = zip(*repetitions, strict=True)
    worsts = ((one_gate, _worst_of(verdict.result for verdict in one_gate)) for one_gate in gates)
    return tuple(next(verdict for verdict in one if verdict.result is result) for one, result in worsts)


def _ending(storms: Sequence[StormReport]) -> str | None:
    badly = {number: storm.ending for number, storm in enumerate(storms, start=1) if storm.ending is not None}
    if not badly:
        return None
    number, ending = next(iter(badly.items()))
    return ending if len(badly) == len(storms) else f"{len(badly)} of {len(storms)}: repetition {number}, {ending}"


def _unplanned(failing: Mapping[str, Any]) -> float:
    """Return the share of failures that a report leads with, unless it is expected."""
    share: float = failing["share"] if failing["share"] > failing["expected"] else 0.0
    return share + float(failing["share_raced"])


def _failing(repetitions: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the failures that a report leads with, of the repetition where most failed; of joined storms none."""
    return {"failing": max(repetitions, key=_unplanned)} if repetitions else {}


def _operations(repetitions: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the operations of all repetitions together."""
    if not repetitions:
        return {}
    seconds = sum(one["seconds"] for one in repetitions)
    counts = {name: sum(one[name] for one in repetitions) for name in _COUNTS}
    latencies = repetitions[0]["latency_ms"]
    by_code: Counter[str] = sum((Counter(one["errors"]["by_code"]) for one in repetitions), Counter())
    return {
        **counts,
        "seconds": round(seconds, 3),
        "per_second": round(counts["acknowledged"] / seconds, 1) if seconds else 0.0,
        **_failing([one["failing"] for one in repetitions if "failing" in one]),
        "latency_ms": {name: max(one["latency_ms"][name] for one in repetitions) for name in latencies},
        "errors": {"total": by_code.total(), "by_code": dict(by_code.most_common())},
    }

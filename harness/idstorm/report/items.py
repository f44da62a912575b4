"""A report as points: each check, each gate, and each storm that did not go as planned.

Reports for machines (test cases, annotations, a summary of what went wrong) are built from these.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from idstorm.findings.gate import GateVerdict
from idstorm.findings.results import Result, Status
from idstorm.findings.verdict import Control, Report, StormReport, Verdict
from idstorm.report.text import figure_words, gate_words, meaning_words, number_words, stopped, witness_words


@dataclass(frozen=True)
class Point:
    """One thing that a storm answers for."""

    kind: str  #: check, gate or storm
    name: str
    meaning: str  #: what is true if it passed
    result: Result
    brief: str  #: what was found, in a line
    details: tuple[str, ...] = ()  #: the full account, in lines; empty if it simply held
    witnesses: tuple[str, ...] = ()  #: a line each


def points_of(report: Report) -> Iterator[tuple[StormReport, list[Point]]]:
    """Yield each storm with its points.

    If the report failed, so did a point. If it did not pass, a point failed or is inconclusive.
    """
    for control in report.controls:
        yield control, [_control(control)]
    troubled = stopped(report)
    for storm in report.decisive:
        points = [_check(name, verdict) for name, verdict in storm.verdicts.items()]
        points += [_gate(gate) for gate in storm.gates]
        if storm.ending is not None or not points:
            lawful = storm.result is Result.NA and storm not in troubled
            points.append(_ending(storm.ending or "not judged", Result.NA if lawful else Result.INCONCLUSIVE))
        yield storm, points


def _check(name: str, verdict: Verdict) -> Point:
    meaning, figures = meaning_words(name, verdict), figure_words(name, verdict)
    reason = (verdict.reason or "").partition("\n")[0]
    found = figures or reason if verdict.status is Status.BROKEN else reason or figures
    plain = verdict.status is Status.HELD and verdict.result is Result.PASSED
    details = [f"{verdict.status} (claim: {str(verdict.claim).replace('_', ' ')})"]
    details += [figures] if figures not in ("", meaning) else []
    details += (verdict.reason or "").splitlines()
    details += [f"why: {verdict.why}"] if verdict.why else []
    return Point(
        kind="check",
        name=name,
        meaning=meaning,
        result=verdict.result,
        brief=f"{verdict.status}: {found}" if found else str(verdict.status),
        details=() if plain else tuple(details),
        witnesses=() if plain else tuple(map(witness_words, verdict.witnesses)),
    )


def _gate(gate: GateVerdict) -> Point:
    found = (
        "not claimed here"
        if gate.result is Result.NA
        else "not measured"
        if gate.value is None
        else f"it is {number_words(gate.value)}"
    )
    return Point("gate", gate.gate, "a limit that the run keeps to", gate.result, found, (gate_words(gate),))


def _control(control: Control) -> Point:
    lines = (control.reason or f"{control.duplicated:,} duplicates").splitlines()
    meaning = "a known fault was seen"
    return Point("control", "control", meaning, control.result, lines[0], tuple(lines))


def _ending(ending: str, result: Result) -> Point:
    lines = tuple(ending.splitlines())
    return Point("storm", "ending", "the storm ended as planned", result, lines[0], lines)

"""From the storms of a run to its matrix: a line for each claim that a scenario makes, a column for each target."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from idstorm.findings.checks import CHECKS, in_order, in_words
from idstorm.findings.matrix import Cell, Line, Matrix
from idstorm.findings.results import Result, Status, StormState
from idstorm.findings.verdict import StormReport, Verdict


def matrix(storms: Sequence[StormReport]) -> Matrix:
    """Return the matrix of these storms, each of which is one scenario on one target."""
    targets = list(dict.fromkeys(str(storm.target["name"]) for storm in storms))
    scenarios: dict[str, dict[str, StormReport]] = {}
    for storm in storms:
        scenarios.setdefault(storm.scenario, {})[str(storm.target["name"])] = storm
    lines = [
        Line(scenario, check, tuple(_cell(on.get(target), check) for target in targets))
        for scenario, on in scenarios.items()
        for check in _checks(on.values())
    ]
    return Matrix(tuple(_label(storms, target) for target in targets), tuple(lines))


def with_explored(matrix: Matrix, storms: Sequence[StormReport], explored: Sequence[StormReport]) -> Matrix:
    """Return the matrix of these storms with one more line for each scenario: what exploring it came to."""
    targets = list(dict.fromkeys(str(storm.target["name"]) for storm in storms))
    by_place = {(storm.scenario, str(storm.target["name"])): storm for storm in explored}
    lines = list(matrix.lines)
    for scenario in dict.fromkeys(line.scenario for line in matrix.lines if line.check is not None):
        cells = tuple(_explored(by_place.get((scenario, target))) for target in targets)
        if any(cell.result is not Result.NA for cell in cells):
            last = max(place for place, line in enumerate(lines) if line.scenario == scenario)
            lines.insert(last + 1, Line(scenario, "explored", cells))
    return Matrix(matrix.targets, tuple(lines))


def _explored(storm: StormReport | None) -> Cell:
    """Return what exploring a scenario came to: the first schedules that broke something, or how many were tried."""
    if storm is None or storm.explored is None:
        reason = "not explored" if storm is None else str(storm.ending).partition("\n")[0]
        return Cell(None, None, Result.NA if storm is None else storm.result, reason)
    complete, tried = storm.verdicts["complete"], f"{storm.explored['schedules']:,} schedules"
    within = f" of {complete.figures['within']}" if "within" in complete.figures else ""
    broken: dict[int, list[str]] = {}
    for one in storm.explored["broken"]:
        broken.setdefault(one["preemptions"], []).append(one["check"])
    seen = [f"{', '.join(checks)} with {number} preemption{'s'[: number != 1]}" for number, checks in broken.items()]
    if seen:
        return Cell(None, Status.BROKEN, storm.result, f"breaks {'; '.join(seen)}, in {tried}")
    if complete.status is Status.HELD:
        return Cell(None, Status.HELD, storm.result, f"holds in all {tried}{within}")
    return Cell(None, Status.UNKNOWN, storm.result, f"nothing broke in {tried}, and more are open")


def _checks(storms: Any) -> list[str | None]:
    """Return the checks that the scenario claims something about on any target, or that did not pass."""
    verdicts = [(check, verdict) for storm in storms for check, verdict in storm.verdicts.items()]
    shown = {check for check, verdict in verdicts if verdict.named or verdict.result not in (Result.PASSED, Result.NA)}
    return [*in_order(shown)] or [None]


def _label(storms: Sequence[StormReport], target: str) -> str:
    known = [storm.target for storm in storms if storm.target["name"] == target and "dialect" in storm.target]
    return f"{known[0]['dialect']} {known[0]['server']}" if known else target


def _cell(storm: StormReport | None, check: str | None) -> Cell:
    if storm is None:
        return Cell(None, None, Result.NA, "not stormed")
    verdict = storm.verdicts.get(check or "")
    if verdict is None:
        reason = (storm.ending or "not judged").partition("\n")[0].removeprefix(f"{StormState.NOT_APPLICABLE}: ")
        return Cell(None, None, storm.result, reason)
    return Cell(verdict.claim, verdict.status, verdict.result, _seen(str(check), verdict))


def _seen(check: str, verdict: Verdict) -> str:
    match verdict.status:
        case Status.BROKEN:
            return (CHECKS[check].broke if check in CHECKS else in_words)(verdict.figures, verdict.witnesses[0])
        case Status.HELD:
            return "held"
        case _:
            return (verdict.reason or str(verdict.status)).partition("\n")[0]

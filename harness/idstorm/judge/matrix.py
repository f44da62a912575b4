"""From the storms of a run to its matrix: a line for each claim that a scenario makes, a column for each target."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from idstorm.findings.matrix import Cell, Line, Matrix
from idstorm.findings.results import Result, Status
from idstorm.findings.verdict import CHECKS, StormReport, Verdict

Figures = Mapping[str, Any]

_DURABLE = ("lost", "doubled", "undeleted", "revived", "unexpected")
_BROKE: dict[str, Callable[[Figures, Figures], str]] = {
    "unique": lambda figures, first: f"{figures['duplicated']:,} ids twice or more ({_times(first)})",
    "single_use": lambda figures, first: f"{figures['reissued']:,} ids again ({_times(first)})",
    "accepted": lambda figures, first: f"{figures['collisions']:,} refused ({first['error']})",
    "durable": lambda figures, first: f"{_counts(figures)} (id {first['id']} {first['fault']})",
    "faithful": lambda figures, first: f"{figures['misattributed']:,} strangers' ids ({_mistaken(first)})",
    "starts_at": lambda figures, first: f"first {first['first']:,}, step {first['step']}",
    "gapless": lambda figures, first: f"{figures['missing']:,} missing ({_between(first['largest_gap_between'])})",
    "explained": lambda figures, first: (
        f"{figures['unexplained']:,} missing ({_between(first['unexplained_between'])})"
    ),
    "ordered": lambda figures, first: (
        f"{figures['inversions']:,} overtaken ({first['id']} after {first['overtaken_by']})"
    ),
    "visible": lambda figures, first: f"{figures['skipped']:,} skipped ({_passed_by(first)})",
    "headroom": lambda figures, first: f"{figures['used']:.0%} used ({first['position']:,} of {first['limit']:,})",
}


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


def _checks(storms: Any) -> list[str | None]:
    """Return the checks that the scenario itself claims something of anywhere, or that did not pass."""
    verdicts = [(check, verdict) for storm in storms for check, verdict in storm.verdicts.items()]
    shown = {check for check, verdict in verdicts if verdict.named or verdict.result not in (Result.PASSED, Result.NA)}
    return [check for check in CHECKS if check in shown] or [None]


def _label(storms: Sequence[StormReport], target: str) -> str:
    known = [storm.target for storm in storms if storm.target["name"] == target and "dialect" in storm.target]
    return f"{known[0]['dialect']} {known[0]['server']}" if known else target


def _cell(storm: StormReport | None, check: str | None) -> Cell:
    if storm is None:
        return Cell(None, None, Result.NA, "not stormed")
    verdict = storm.verdicts.get(check or "")
    if verdict is None:
        reason = (storm.ending or "not judged").partition("\n")[0].removeprefix("not applicable: ")
        return Cell(None, None, storm.result, reason)
    return Cell(verdict.claim, verdict.status, verdict.result, _seen(str(check), verdict))


def _seen(check: str, verdict: Verdict) -> str:
    match verdict.status:
        case Status.BROKEN:
            return _BROKE[check](verdict.figures, verdict.witnesses[0])
        case Status.HELD:
            return "held"
        case _:
            return (verdict.reason or str(verdict.status)).partition("\n")[0]


def _times(witness: Figures) -> str:
    return f"{witness['id']}, {witness['times']} times" if "times" in witness else f"{witness['id']}, a foreign row's"


def _mistaken(witness: Figures) -> str:
    return f"told {witness['told']}, stored {witness['stored']}"


def _counts(figures: Figures) -> str:
    return ", ".join(f"{figures[fault]:,} {fault}" for fault in _DURABLE if figures.get(fault))


def _between(ids: Sequence[int]) -> str:
    low, high = ids
    return f"between {low:,} and {high:,}"


def _passed_by(witness: Figures) -> str:
    return f"{witness['id']}" + (f", {witness['had_seen']} was seen before" if witness.get("had_seen") else "")

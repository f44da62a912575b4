"""From what all schedules of an exploration came to, to verdicts: broken in one, or held in all of them.

A bound that the user named is part of the claim. Where anything else kept schedules from being tried, that nothing
broke in the others is no answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from idstorm.findings.finding import Finding
from idstorm.findings.results import Stance, Status
from idstorm.findings.verdict import Verdict
from idstorm.judge.claims import judge_claim
from idstorm.record.explored import Broken, Explored, Seen
from idstorm.record.plan import Claim, Plan

COMPLETE = "complete"
_MEANING = "every schedule was tried, statement by statement"
_ENOUGH = "single_use"
"""The check that says nothing in a schedule in which no id could come back: one in which it holds is an answer."""


def verdicts_of(plan: Plan, explored: Explored, again: Mapping[str, Finding]) -> dict[str, Verdict]:
    """Return the verdicts of an exploration. `again` is what its stored witnesses come to, by check."""
    complete = _complete(plan, explored)
    verdicts = {COMPLETE: complete}
    for name, claim in plan.claims.items():
        seen = explored.checks.get(name, Seen({}))
        finding = _finding(name, seen, complete, again.get(name))
        verdict = judge_claim(claim, finding, "" if claim.own is None else claim.own.meaning)
        verdicts[name] = verdict if finding.status is not Status.HELD else _as_claimed(claim, verdict, plan, explored)
    return verdicts


def _complete(plan: Plan, explored: Explored) -> Verdict:
    """Return whether all schedules within the bounds were tried: that is claimed where anything is to hold."""
    claimed = any(claim.stance is Stance.HOLDS for claim in plan.claims.values())
    unsettled = [
        name
        for name, claim in plan.claims.items()
        if claim.stance is Stance.HOLDS and explored.checks.get(name, Seen({})).broken is None
    ]
    claim = Claim(Stance.HOLDS if claimed and unsettled else Stance.MAY_BREAK)
    status = Status.UNKNOWN if explored.limits or not explored.number else Status.HELD
    reason = "; ".join(explored.limits) or (None if explored.number else "no schedule was tried")
    figures: dict[str, Any] = {"schedules": explored.number, "preemptions": explored.most}
    if explored.rows != (0,):
        figures["rows"] = " and ".join(map(str, explored.rows))
    if explored.asked:
        figures["within"] = ", ".join(explored.asked)
    return judge_claim(claim, Finding(status, figures, reason=reason), _MEANING)


def _finding(name: str, seen: Seen, complete: Verdict, again: Finding | None) -> Finding:
    """Return what a check found over all schedules."""
    if seen.broken is not None:
        if again is None or again.status is not Status.BROKEN:
            reason = "the tapes of the schedule that broke it do not show that any more"
            return Finding(Status.UNKNOWN, reason=reason)
        figures = {"schedules": seen.statuses.get("broken", 0), "of": sum(seen.statuses.values())}
        return Finding(Status.BROKEN, {**figures, **again.figures}, again.witnesses)
    numbers = {Status(status): number for status, number in seen.statuses.items() if number}
    if not numbers:
        return Finding(Status.UNKNOWN, reason="no schedule was tried")
    if set(numbers) == {Status.NA}:
        return Finding(Status.NA, reason=seen.reason)
    if Status.UNKNOWN in numbers and not (name == _ENOUGH and Status.HELD in numbers):
        return Finding(Status.UNKNOWN, reason=f"in {numbers[Status.UNKNOWN]:,} schedules: {seen.reason}")
    if complete.status is not Status.HELD:
        return Finding(Status.UNKNOWN, reason="it held in those schedules that were tried")
    return Finding(Status.HELD)


def _as_claimed(claim: Claim, verdict: Verdict, plan: Plan, explored: Explored) -> Verdict:
    """Return the verdict of a check that held in all schedules, in words that say in which."""
    clients, each = plan.fleet.clients, explored.operations
    operations = "" if each == 1 else f" x {each} operations"
    if claim.stance is Stance.BREAKS:
        return replace(verdict, reason=f"it was claimed to break, but not with {clients} clients{operations}")
    return verdict


def schedule_of(name: str, broken: Broken) -> dict[str, Any]:
    """Return the schedule that broke a check, for reports."""
    return {
        "check": name,
        "number": broken.number,
        "preemptions": broken.preemptions,
        "rows": broken.rows,
        "clients": list(broken.clients),
        "moves": [list(move) for move in broken.moves],
        "told": list(broken.told),
    }

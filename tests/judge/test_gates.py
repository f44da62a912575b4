"""A gate that is tripped fails the storm, one whose figure was not measured lets nothing pass, whatever the claims."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from histories import Poll, failed, storm, told
from idstorm.findings.checks import CHECKS
from idstorm.findings.gate import figures, parse_gate
from idstorm.findings.results import Result, Stance, Status
from idstorm.findings.verdict import StormReport
from idstorm.judge.claims import judge_claim
from idstorm.judge.judge import judge_storm
from idstorm.record.capacity import Capacity
from idstorm.record.ending import Ending, ServerAfterwards
from idstorm.record.plan import Claim
from idstorm.record.stored import StoredStorm

INDIFFERENT = {check: Claim(Stance.MAY_BREAK) for check in CHECKS}


def judged(*gates: str, **more: Any) -> StormReport:
    evidence = storm(told(1), failed(2), told(4), claims=INDIFFERENT, **more)
    stored = StoredStorm(
        "one",
        "one",
        "sqlite",
        evidence.plan,
        evidence.ending,
        evidence.history,
        None,
        evidence.census,
        evidence.reading,
    )
    return judge_storm(stored, [parse_gate(gate) for gate in gates])


@pytest.mark.parametrize(
    ("gate", "value", "result"),
    [
        ("gapless.missing > 1", 2, Result.FAILED),
        ("gapless.missing > 2", 2, Result.PASSED),
        ("gapless.ratio >= 0.5", 0.5, Result.FAILED),
        ("gapless.ledger.rolled_back > 0", 1, Result.FAILED),
        ("gapless.ledger.deleted > 0", 0, Result.PASSED),
        ("operations.failed > 0", 1, Result.FAILED),
        ("operations.latency_ms.max > 1000", 0.0, Result.PASSED),
        ("errors.total > 0", 0, Result.PASSED),
        ("visible.skipped > 0", None, Result.INCONCLUSIVE),
        ("headroom.used > 0.9", None, Result.INCONCLUSIVE),
        ("starts_at.first > 1", None, Result.INCONCLUSIVE),
    ],
)
def test_a_gate_is_held_against_its_figure(gate: str, value: float | None, result: Result) -> None:
    report = judged(gate)
    (verdict,) = report.gates
    assert (verdict.gate, verdict.value, verdict.result) == (gate, value, result)
    assert report.result is result


def test_a_figure_of_a_check_that_could_not_be_judged_lets_nothing_pass() -> None:
    report = judged("visible.skipped > 0", polls=[Poll(90, (0, 2), 4)])
    assert report.verdicts["visible"].figures["skipped"] == 0  # by a reader that hardly read
    assert report.gates[0].result is report.result is Result.INCONCLUSIVE
    assert (
        judged("pressure.acknowledged < 1").result is Result.PASSED
    )  # a count is what it is, if it was much or little


def test_a_figure_that_a_check_did_not_measure_lets_nothing_pass() -> None:
    report = judged("visible.overtake > 0", "gapless.ledger.deleted > 0", polls=[Poll(90, (0,), 1)])
    assert report.verdicts["visible"].status is Status.BROKEN
    assert "overtake" not in report.verdicts["visible"].figures  # nobody passed by what was skipped
    assert [gate.result for gate in report.gates] == [Result.INCONCLUSIVE, Result.PASSED]


def test_failed_beats_inconclusive() -> None:
    assert judged("visible.skipped > 0", "operations.failed > 0").result is Result.FAILED
    assert judged().gates == ()


def paths(figures: Mapping[str, Any], before: str) -> set[str]:
    found: set[str] = set()
    for name, value in figures.items():
        if isinstance(value, Mapping):
            found |= paths(value, f"{before}.{name}") if name != "by_code" else set()
        elif isinstance(value, int | float):
            found.add(f"{before}.{name}")
    return found


def test_every_number_of_a_report_can_be_a_gate() -> None:
    capacity = Capacity("integer", 2**31 - 1, "AUTO_INCREMENT", 2**31 - 1)
    report = judged(polls=[Poll(90, (2,), 4)], ending=Ending(server=ServerAfterwards(capacity=capacity)))
    found = paths(report.operations, "operations")
    for check, verdict in report.verdicts.items():
        found |= paths(verdict.figures, check)
    many = storm(*map(told, range(1, 60)))
    found |= paths(judge_claim(Claim(Stance.HOLDS), CHECKS["starts_at"](many)).figures, "starts_at")
    assert found <= set(figures())
    unseen = {name for name in figures() if name not in found and ".ledger." not in name and name != "errors.total"}
    assert unseen == set()

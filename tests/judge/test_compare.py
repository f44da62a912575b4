"""One scenario on several targets, side by side."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from idstorm.findings.results import Result, Stance, Status
from idstorm.findings.verdict import StormReport, Verdict
from idstorm.judge.compare import compare

OPERATIONS: dict[str, Any] = {
    "per_second": 10.0,
    "acknowledged": 5,
    "failed": 0,
    "unknown": 0,
    "latency_ms": {"p50": 1.0},
    "errors": {"total": 1, "by_code": {"sqlite:5": 1}},
}


def verdict(status: Status, **figures: int) -> Verdict:
    return Verdict(status, Stance.MAY_BREAK, Result.PASSED, None, "", figures, ())


def report(dialect: str, scenario: str = "one", **verdicts: Verdict) -> StormReport:
    target = {"name": dialect, "dialect": dialect, "server": "1"}
    return StormReport(dialect, scenario, Result.PASSED, target, {}, None, (), OPERATIONS if verdicts else {}, verdicts)


def test_a_scenario_on_one_target_is_compared_with_nothing() -> None:
    assert compare([report("sqlite"), report("mysql", "two")]) == ()


def test_checks_that_came_out_differently_are_named() -> None:
    (comparison,) = compare(
        [
            report("sqlite", gapless=verdict(Status.HELD), unique=verdict(Status.HELD)),
            report("mysql", gapless=verdict(Status.BROKEN), unique=verdict(Status.HELD)),
        ]
    )
    assert (comparison.scenario, comparison.targets) == ("one", ("sqlite 1", "mysql 1"))
    assert comparison.results == (Result.PASSED, Result.PASSED)
    assert comparison.differs == ("gapless",)


def test_a_check_that_means_nothing_on_one_target_is_no_difference() -> None:
    (comparison,) = compare(
        [report("sqlite", gapless=verdict(Status.HELD)), report("mysql", gapless=verdict(Status.NA))]
    )
    assert comparison.differs == ()


def test_figures_stand_in_the_order_of_the_targets_and_zeros_are_left_out() -> None:
    (comparison,) = compare(
        [
            report("sqlite", gapless=verdict(Status.HELD, missing=0, gaps=0)),
            report("mysql", gapless=verdict(Status.BROKEN, missing=3, gaps=0)),
        ]
    )
    assert comparison.figures["gapless.missing"] == (0, 3)
    assert "gapless.gaps" not in comparison.figures
    assert comparison.figures["errors.sqlite:5"] == (1, 1)


def test_each_storms_operations_are_figures_once() -> None:
    storms = [
        replace(
            report(name, pressure=verdict(Status.HELD, failed=2), gapless=verdict(Status.HELD, missing=3)),
            operations={**OPERATIONS, "failed": 2, "unknown": 1},
        )
        for name in ("sqlite", "mysql")
    ]
    (comparison,) = compare(storms)
    assert comparison.figures == {
        "operations.per_second": (10.0, 10.0),
        "operations.acknowledged": (5, 5),
        "operations.failed": (2, 2),
        "operations.unknown": (1, 1),
        "operations.latency_ms.p50": (1.0, 1.0),
        "errors.sqlite:5": (1, 1),
        "gapless.missing": (3, 3),
    }


def test_a_storm_that_did_not_start_has_empty_cells() -> None:
    (comparison,) = compare([report("sqlite", unique=verdict(Status.HELD)), report("mysql")])
    assert comparison.verdicts["unique"] == (Status.HELD, None)
    assert comparison.figures["operations.acknowledged"] == (5, None)
    assert comparison.differs == ()


def test_two_targets_of_one_kind_go_by_their_names() -> None:
    (comparison,) = compare([report("sqlite"), report("sqlite")])
    assert comparison.targets == ("sqlite", "sqlite")

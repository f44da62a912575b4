"""What runs have found, one after another."""

from __future__ import annotations

import io
from dataclasses import replace

from rich.console import Console

from idstorm.findings.results import Result, Status
from idstorm.findings.trend import TrendRun
from idstorm.findings.verdict import Report, StormReport
from idstorm.judge.trend import trend
from idstorm.report.page.trend import trend_page
from idstorm.report.trend import bars_of, last_trouble, show_trend
from judged import BROKEN, HELD, report, storm, verdict

ORDERS = storm("orders", unique=HELD)


def stormed(rate: float, made: StormReport = ORDERS) -> Report:
    return report(replace(made, operations={"per_second": rate}))


def run(number: int, made: Report) -> tuple[TrendRun, Report]:
    return TrendRun(f"run-{number}", f"2026-11-0{number}T00:00:00+00:00", "nightly", None, made.result), made


RUNS = [
    run(1, stormed(100.0)),
    run(2, stormed(300.0, storm("orders", unique=BROKEN))),
    run(3, stormed(7.0, storm("invoices", unique=HELD))),
    run(4, stormed(200.0, storm("orders", gapless=verdict(Status.BROKEN, figures={"missing": 3})))),
]


def test_each_line_has_a_place_for_each_run() -> None:
    orders, invoices = trend(RUNS, ["operations.per_second", "gapless.missing"]).lines
    assert orders.results == (Result.PASSED, Result.FAILED, None, Result.FAILED)
    assert orders.figures == {
        "operations.per_second": (100.0, 300.0, None, 200.0),
        "gapless.missing": (None, None, None, 3),
    }
    assert (invoices.results, invoices.scenario) == ((None, None, Result.PASSED, None), "invoices")


def test_of_several_storms_of_one_scenario_the_worst_counts() -> None:
    made = report(*(storm("orders", unique=found) for found in (BROKEN, HELD)))
    (line,) = trend([run(1, made)], []).lines
    assert (line.results, line.wrong) == ((Result.FAILED,), (("unique",),))


def shown(runs: list[tuple[TrendRun, Report]], width: int = 80) -> str:
    console = Console(file=io.StringIO(), width=width, color_system=None)
    show_trend(console, trend(runs, ["operations.per_second"]))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_marks_never_give_way_to_words_and_a_trend_says_how_many_runs_it_shows() -> None:
    name = "scenarios/" + "long_" * 12
    runs = [run(number, stormed(number * 1e3, storm(name, unique=BROKEN))) for number in range(1, 9)]
    assert "✗✗✗✗✗✗✗✗" in shown(runs, 44)
    assert all(words in shown(runs) for words in ("✗✗✗✗✗✗✗✗", "8 failed", "unique"))
    assert "are shown" not in shown(runs)
    assert "the newest 10 of 16 are shown" in shown(runs * 2)


def test_the_last_trouble_is_named_with_its_run() -> None:
    found = trend(RUNS, [])
    assert [last_trouble(found, line) for line in found.lines] == ["gapless in run-4", ""]


def test_bars_are_between_the_least_and_the_most_and_the_newest_is_in_digits() -> None:
    assert bars_of([100.0, 300.0, None, 200.0]) == "▁█ ▄ 200"
    assert bars_of([5]) == "▁ 5"
    assert bars_of([None]) == ""


def test_the_page_says_every_run_and_escapes_names() -> None:
    text = trend_page(trend([run(1, stormed(1.0, storm("<b>", unique=HELD)))], ["operations.per_second"]))
    assert ("<b>" in text, "&lt;b&gt;" in text, "run-1" in text) == (False, True, True)

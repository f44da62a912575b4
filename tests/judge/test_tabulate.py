"""The matrix has a line for each claim that a scenario makes, and a column for each target."""

from __future__ import annotations

from typing import Any

import pytest

from histories import REFUSED, Poll, failed, storm, told
from idstorm.findings.checks import CHECKS
from idstorm.findings.matrix import Cell
from idstorm.findings.results import Result, Stance, Status
from idstorm.findings.verdict import StormReport, Verdict
from idstorm.judge.claims import judge_claim
from idstorm.judge.evidence import Evidence
from idstorm.judge.tabulate import matrix
from idstorm.record.capacity import Capacity
from idstorm.record.ending import Ending, ServerAfterwards
from idstorm.record.plan import Claim, Generator


def verdict(status: Status, claim: Stance, result: Result, *, named: bool = True, reason: str | None = None) -> Verdict:
    return Verdict(status, claim, result, reason, "", {}, (), named)


HELD = verdict(Status.HELD, Stance.HOLDS, Result.PASSED)
DEFAULT = verdict(Status.HELD, Stance.HOLDS, Result.PASSED, named=False)
UNSEEN = verdict(Status.UNKNOWN, Stance.HOLDS, Result.INCONCLUSIVE, named=False, reason="too little\nand more")


def report(dialect: str, scenario: str, ending: str | None = None, **verdicts: Verdict) -> StormReport:
    target: dict[str, Any] = {"name": dialect} | ({"dialect": dialect, "server": "1"} if verdicts else {})
    result = Result.PASSED if verdicts else Result.NA if "not applicable" in (ending or "") else Result.INCONCLUSIVE
    return StormReport(dialect, scenario, result, target, {}, ending, (), {}, verdicts)


def test_a_line_is_a_claim_of_the_scenario_and_defaults_that_passed_have_none() -> None:
    made = matrix([report("sqlite", "one", unique=HELD, durable=DEFAULT), report("sqlite", "two", gapless=HELD)])
    assert made.targets == ("sqlite 1",)
    assert [(line.scenario, line.check) for line in made.lines] == [("one", "unique"), ("two", "gapless")]


def test_a_default_that_did_not_pass_is_shown() -> None:
    (first, second) = matrix([report("sqlite", "one", pressure=UNSEEN, unique=HELD)]).lines
    assert (first.check, second.check) == ("pressure", "unique")
    assert first.cells == (Cell(Stance.HOLDS, Status.UNKNOWN, Result.INCONCLUSIVE, "too little"),)


def test_a_claim_that_is_made_on_one_target_is_shown_on_all() -> None:
    (line,) = matrix([report("sqlite", "one", gapless=DEFAULT), report("mysql", "one", gapless=HELD)]).lines
    assert [cell.claim for cell in line.cells] == [Stance.HOLDS, Stance.HOLDS]


def test_what_was_not_stormed_keeps_its_place_with_its_reason() -> None:
    made = matrix(
        [
            report("sqlite", "one", "not applicable: sqlite has no sequences"),
            report("mysql", "one", unique=HELD),
            report("sqlite", "two", "at fault: the table\nand a traceback"),
        ]
    )
    assert made.targets == ("sqlite", "mysql 1")
    one, two = made.lines
    assert one.cells[0] == Cell(None, None, Result.NA, "sqlite has no sequences")
    assert two.check is None
    assert two.cells[0] == Cell(None, None, Result.INCONCLUSIVE, "at fault: the table")
    assert two.cells[1] == Cell(None, None, Result.NA, "not stormed")


def test_what_an_older_plan_did_not_ask_for_was_not_judged() -> None:
    (line,) = matrix([report("sqlite", "one", gapless=HELD), report("mysql", "one", unique=DEFAULT)]).lines
    assert line.cells[1].seen == "not judged"


@pytest.mark.parametrize(
    ("status", "reason", "seen"),
    [
        (Status.HELD, "it was claimed to break but was not seen to", "held"),
        (Status.UNKNOWN, "the reader recorded nothing", "the reader recorded nothing"),
        (Status.UNKNOWN, "the check crashed:\na traceback\nof many lines", "the check crashed:"),
        (Status.NA, None, "n/a"),
    ],
)
def test_what_did_not_break_is_told_in_one_line(status: Status, reason: str | None, seen: str) -> None:
    judged = verdict(status, Stance.BREAKS, Result.INCONCLUSIVE, reason=reason)
    (line,) = matrix([report("sqlite", "one", unique=judged)]).lines
    assert line.cells[0].seen == seen


BROKEN: dict[str, tuple[Evidence, str]] = {
    "unique": (storm(told(1), told(1)), "1 ids twice or more (1, 2 times)"),
    "single_use": (storm(told(1), told(1)), "1 ids again (1, 2 times)"),
    "accepted": (storm(told(1), failed(2, error=REFUSED)), f"1 refused ({REFUSED.name})"),
    "durable": (storm(told(1), told(2), census=[(1, 0)]), "1 lost (id 2 lost)"),
    "faithful": (storm(told(1), told(2), census=[(1, 0), (3, 1)]), "1 strangers' ids (told 2, stored 3)"),
    "starts_at": (storm(*map(told, range(1, 40)), generator=Generator(100, 1)), "first 1, step 1"),
    "gapless": (storm(told(1), told(4)), "2 missing (between 1 and 4)"),
    "explained": (storm(told(1), failed(2), told(4)), "1 missing (between 2 and 4)"),
    "ordered": (storm(told(9), told(2, client=1)), "1 overtaken (2 after 9)"),
    "visible": (storm(told(1), told(2), polls=[Poll(30, (1,), 2)]), "1 skipped (1, 2 was seen before)"),
    "headroom": (
        storm(
            told(75), ending=Ending(server=ServerAfterwards(capacity=Capacity("tinyint", 100, "AUTO_INCREMENT", 100)))
        ),
        "75% used (75 of 100)",
    ),
}


def test_every_check_that_can_break_has_words_for_it() -> None:
    assert set(BROKEN) == set(CHECKS) - {"pressure"}


ALSO_BROKEN = [
    ("durable", storm(told(1), failed(2), census=[(2, 1)]), "1 lost, 1 revived (id 1 lost)"),
    ("visible", storm(told(1), told(2), polls=[Poll(30, (1,), 1)]), "1 skipped (1, 1 was seen before)"),
    ("visible", storm(told(2), told(1), polls=[Poll(30, (1,), 1)]), "1 skipped (2)"),
]


@pytest.mark.parametrize(("check", "evidence", "words"), ALSO_BROKEN)
def test_all_that_broke_is_told_and_nothing_that_is_not_known(check: str, evidence: Evidence, words: str) -> None:
    judged = judge_claim(Claim(Stance.BREAKS, named=True), CHECKS[check](evidence))
    (line,) = matrix([report("sqlite", "one", None, **{check: judged})]).lines
    assert line.cells[0].seen == words


@pytest.mark.parametrize("check", BROKEN)
def test_what_broke_is_told_with_its_count_and_a_witness(check: str) -> None:
    evidence, words = BROKEN[check]
    judged = judge_claim(Claim(Stance.BREAKS, named=True), CHECKS[check](evidence))
    (line,) = matrix([report("sqlite", "one", None, **{check: judged})]).lines
    assert line.cells == (Cell(Stance.BREAKS, Status.BROKEN, Result.PASSED, words),)


def test_an_id_of_a_foreign_row_is_a_witness_as_well() -> None:
    judged = judge_claim(Claim(Stance.HOLDS, named=True), CHECKS["unique"](storm(told(5), before=[5])))
    (line,) = matrix([report("sqlite", "one", unique=judged)]).lines
    assert line.cells[0].seen == "1 ids twice or more (5, a foreign row's)"

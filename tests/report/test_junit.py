"""JUnit XML: each verdict and gate is a test case, and a viewer comes to the same result as idstorm."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest
from hypothesis import given
from junitparser import Error, Failure, JUnitXml, Skipped, TestCase, TestSuite

from idstorm.findings.gate import GateVerdict
from idstorm.findings.results import Result, Stance, Status
from idstorm.findings.verdict import Report, Verdict
from idstorm.report.junit import junit
from judged import BROKEN, HELD, NA, UNKNOWN, report, storm, verdict
from report.worlds import REPORTS


def suites(of: Report) -> list[TestSuite]:
    return list(JUnitXml.fromstring(junit(of).encode()))


def cases(of: Report) -> dict[str, TestCase]:
    return {case.name: case for suite in suites(of) for case in suite}


def only_case(of: Report) -> TestCase:
    (case,) = cases(of).values()
    return case


def test_a_storm_is_a_suite_with_a_case_for_each_check() -> None:
    (suite,) = suites(report(storm("uuid4", unique=HELD, durable=HELD, seconds=2.5)))
    assert suite.name == "uuid4 on sqlite"
    assert [(case.classname, case.name, case.result) for case in suite] == [
        ("idstorm.sqlite.uuid4", "unique", []),
        ("idstorm.sqlite.uuid4", "durable", []),
    ]
    assert suite.time == 2.5
    assert {found.name: found.value for found in suite.properties()} == {
        "run": "20261124-054226-fb17",
        "storm": "01-uuid4-sqlite",
        "target": "sqlite 3.40.1 (pysqlite)",
        "result": "passed",
        "command": "idstorm run autoincrement --seed 7",
    }


def test_what_failed_is_a_failure_with_meaning_claim_figures_and_witnesses() -> None:
    (failure,) = only_case(report(storm(faithful=BROKEN))).result
    assert isinstance(failure, Failure)
    assert failure.message == "broken: misattributed 2"
    assert failure.text.splitlines() == [
        "faithful: the id told is the id of that row",
        "broken (claim: holds)",
        "misattributed 2",
        "told 105, stored 104, client 0",
        "told 107, stored 106, client 3",
    ]


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (UNKNOWN, "unknown: the census could not be read: out of reach"),
        (verdict(Status.HELD, Stance.BREAKS, reason="it was not seen to break"), "held: it was not seen to break"),
        (verdict(Status.NA, reason="no token"), "n/a: no token"),
    ],
)
def test_what_is_inconclusive_is_an_error_and_no_failure(found: Verdict, said: str) -> None:
    (error,) = only_case(report(storm(durable=found))).result
    assert isinstance(error, Error)
    assert error.message == said


def test_what_means_nothing_is_skipped_with_the_reason() -> None:
    (skipped,) = cases(report(storm(unique=HELD, visible=NA)))["visible"].result
    assert isinstance(skipped, Skipped)
    assert "there was no reader" in skipped.message


@pytest.mark.parametrize("claim", [Stance.BREAKS, Stance.MAY_BREAK])
def test_what_broke_as_claimed_passes_and_shows_its_witnesses(claim: Stance) -> None:
    case = only_case(report(storm(faithful=verdict(Status.BROKEN, claim, why="another client commits in between"))))
    assert case.is_passed
    assert "why: another client commits in between" in case.system_out
    assert "told 107, stored 106" in case.system_out


def test_what_may_break_and_is_unknown_passes_but_says_so() -> None:
    case = only_case(report(storm(durable=verdict(Status.UNKNOWN, Stance.MAY_BREAK, reason="there is no census"))))
    assert case.is_passed
    assert "there is no census" in case.system_out


@pytest.mark.parametrize(
    ("value", "result", "kind", "said"),
    [
        (0.2, Result.FAILED, Failure, "fails the run: it is 0.2"),
        (None, Result.INCONCLUSIVE, Error, "is inconclusive: it was not measured"),
    ],
)
def test_a_gate_is_a_case(value: float | None, result: Result, kind: type, said: str) -> None:
    gate = GateVerdict("gapless.ratio > 0.05", value, result)
    (found,) = cases(report(storm(unique=HELD, gates=(gate,))))["gapless.ratio > 0.05"].result
    assert isinstance(found, kind)
    assert said in found.text


def test_a_gate_that_is_passed_shows_its_figure() -> None:
    gate = GateVerdict("gapless.ratio > 0.05", 0.01, Result.PASSED)
    case = cases(report(storm(unique=HELD, gates=(gate,))))["gapless.ratio > 0.05"]
    assert case.is_passed
    assert "it is 0.01" in case.system_out


@pytest.mark.parametrize("ending", ["not started: out of reach", "at fault: no such table", "interrupted: by Ctrl-C"])
def test_a_storm_that_came_to_nothing_is_a_case_of_its_own(ending: str) -> None:
    (error,) = only_case(report(storm(ending=ending))).result
    assert isinstance(error, Error)
    assert error.message == ending


def test_a_storm_that_was_cut_short_is_no_pass_whatever_held_until_then() -> None:
    found = cases(report(storm(unique=HELD, ending="interrupted: by Ctrl-C")))
    assert found["unique"].is_passed
    assert found["ending"].is_error


def test_a_storm_that_means_nothing_there_is_skipped() -> None:
    elsewhere = storm("identity", ending="not applicable: sqlite has no identity")
    (skipped,) = cases(report(storm(unique=HELD), elsewhere))["ending"].result
    assert isinstance(skipped, Skipped)
    assert skipped.message == "not applicable: sqlite has no identity"


def test_where_no_storm_means_anything_nothing_passes() -> None:
    assert only_case(report(storm(ending="not applicable: sqlite has no identity"))).is_error


def test_names_hold_two_dots_and_occur_once() -> None:
    url = "postgresql://me:***@db.example.org/shop"
    same = [storm("shop.models:Invoice", url, unique=HELD) for _ in range(2)]
    assert [case.classname for suite in suites(report(*same)) for case in suite] == [
        "idstorm.postgresql://me:***@db_example_org/shop.shop_models:Invoice",
        "idstorm.postgresql://me:***@db_example_org/shop.shop_models:Invoice (2)",
    ]


def test_any_text_can_be_a_witness() -> None:
    strange = "\x00 \x1b[31m \ud800 \uffff \r ]]> <b> & é"
    (failure,) = only_case(report(storm(unique=verdict(Status.BROKEN, witnesses=({"id": strange},))))).result
    assert "id \\x00 \\x1b[31m \\ud800 \\uffff \\r ]]> <b> & é" in failure.text


@given(REPORTS)
def test_a_viewer_comes_to_the_same_result(made_up: Report) -> None:
    xml = ElementTree.fromstring(junit(made_up).encode())
    failures, errors = len(xml.findall(".//failure")), len(xml.findall(".//error"))
    assert bool(failures) == (made_up.result is Result.FAILED)
    assert bool(failures or errors) == (made_up.exit_code != 0)
    assert (xml.get("failures"), xml.get("errors")) == (str(failures), str(errors))
    assert len(xml.findall("testsuite")) == len(made_up.storms)


@given(REPORTS)
def test_the_elements_stand_where_the_schema_has_them(made_up: Report) -> None:
    xml = ElementTree.fromstring(junit(made_up).encode())
    assert xml.tag == "testsuites"
    assert all("\n" not in value for element in xml.iter() for value in element.attrib.values())
    for suite in xml:
        assert set(suite.keys()) == {"name", "tests", "failures", "errors", "skipped", "time"}
        assert [child.tag for child in suite] == ["properties"] + ["testcase"] * int(suite.attrib["tests"])
        for case in suite.findall("testcase"):
            assert case.attrib["classname"].count(".") == 2
            assert [child.tag for child in case] in ([], ["failure"], ["error"], ["skipped"], ["system-out"])

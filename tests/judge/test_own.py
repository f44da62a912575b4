"""A check of a user's own is held to what a finding has to be, and found by where it was written."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from histories import storm, told
from idstorm.findings import checks
from idstorm.findings.checks import in_words
from idstorm.findings.finding import Finding
from idstorm.findings.results import Result, Stance, Status
from idstorm.findings.verdict import Verdict
from idstorm.judge.evidence import WITNESSES
from idstorm.judge.judge import judge_storm
from idstorm.record.plan import Claim
from idstorm.record.stored import StoredStorm
from idstorm.report.text import witness_words
from idstorm.scenario import check
from idstorm.scenario.own import described


@pytest.fixture(autouse=True)
def _forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep what a test registers from all others."""
    monkeypatch.setattr(checks, "_own", {})


def claim_of(judge: Callable[[Any], Any]) -> Claim:
    """Register a check, and return the claim that it may break."""
    made = check("small", meaning="every id is small", figures={"large": "ids"})(judge)
    return Claim(Stance.MAY_BREAK, "so", named=True, own=described(made))


def judged(claim: Claim) -> Verdict:
    evidence = storm(told(1), claims={"small": claim})
    stored = StoredStorm("a", "a", "sqlite", evidence.plan, evidence.ending, evidence.history, None, evidence.census)
    verdicts = judge_storm(stored).verdicts
    assert [*verdicts] == [*checks.CHECKS, "small"]  # it comes last
    return verdicts["small"]


@pytest.mark.parametrize(
    ("judge", "why"),
    [
        (lambda _: 1 / 0, "ZeroDivisionError: division by zero"),
        (lambda _: True, "small has to return a Finding, and returned True"),
        (lambda _: Finding(Status.HELD, {"little": 1}), "small found a figure 'little'"),
        (lambda _: Finding(Status.BROKEN), "small is broken without a witness"),
        (lambda _: Finding(Status.BROKEN, witnesses=(7,)), "each witness of small has to be a dict"),  # type: ignore[arg-type]
        (lambda _: Finding(Status.HELD, {"large": "many"}), "the figure 'large' of small has to be a number"),
        (lambda _: Finding(Status.HELD, {"large": {"id": 1}}), "the figure 'large' of small has to be a number"),
        (lambda _: Finding(Status.HELD, {"large": float("nan")}), "the figure 'large' of small has to be a number"),
    ],
)
def test_one_that_does_not_do_what_a_check_does_is_unknown_whatever_the_claim(
    judge: Callable[[Any], Any], why: str
) -> None:
    verdict = judged(claim_of(judge))
    assert (verdict.status, verdict.result, verdict.crashed) == (Status.UNKNOWN, Result.INCONCLUSIVE, True)
    assert why in str(verdict.reason)


def test_what_numpy_counts_is_a_number_and_witnesses_are_not_endless() -> None:
    witnesses = ({"id": np.int64(7), "rows": (np.int32(1), None)},) * 100
    verdict = judged(claim_of(lambda _: Finding(Status.BROKEN, {"large": np.int64(100)}, witnesses)))
    assert (verdict.status, verdict.result, verdict.figures) == (Status.BROKEN, Result.PASSED, {"large": 100})
    assert type(verdict.figures["large"]) is int
    assert verdict.witnesses == ({"id": 7, "rows": [1, None]},) * WITNESSES
    assert verdict.meaning == "every id is small"


def test_without_its_code_or_with_that_of_another_it_is_unknown() -> None:
    claim = claim_of(lambda _: Finding(Status.HELD))
    assert judged(claim).status is Status.HELD
    assert claim.own is not None
    assert judged(replace(claim, own=replace(claim.own, meaning="", origin="elsewhere:small"))).meaning
    verdict = judged(replace(claim, own=replace(claim.own, origin="elsewhere:small")))
    assert (verdict.status, verdict.meaning) == (Status.UNKNOWN, "every id is small")
    assert "its code is not here" in str(verdict.reason)


def test_a_check_that_only_a_newer_idstorm_has_is_not_left_out() -> None:
    verdict = judged(Claim(Stance.HOLDS, named=True))
    assert (verdict.status, verdict.result) == (Status.UNKNOWN, Result.INCONCLUSIVE)
    assert "this version of idstorm has no such check" in str(verdict.reason)


@pytest.mark.parametrize(
    ("witness", "words"),
    [
        ({}, "2 large"),
        ({"token": 9, "id": 7}, "2 large (id 7)"),
        ({"from": "here"}, "2 large (from here)"),
        ({"rows": [{"id": 1}]}, "2 large (rows [{'id': 1}])"),
    ],
)
def test_whatever_a_witness_says_has_words(witness: dict[str, Any], words: str) -> None:
    verdict = judged(claim_of(lambda _: Finding(Status.BROKEN, {"large": 2}, (witness,))))
    assert in_words(verdict.figures, verdict.witnesses[0]) == words
    assert isinstance(witness_words(verdict.witnesses[0]), str)


def test_a_number_that_is_too_long_to_write_is_described() -> None:
    verdict = judged(claim_of(lambda _: Finding(Status.BROKEN, {"large": 1}, ({"id": 10**5000},))))
    assert verdict.witnesses == ({"id": "a number of 16610 bits"},)


@pytest.mark.parametrize("error", [SystemExit(0), GeneratorExit()])
def test_one_that_ends_the_process_is_unknown_and_takes_nothing_with_it(error: BaseException) -> None:
    def ends(_: object) -> Finding:
        raise error

    verdict = judged(claim_of(ends))
    assert (verdict.status, verdict.crashed) == (Status.UNKNOWN, True)

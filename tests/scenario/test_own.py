"""What makes a check of a user's own, and what gets one clear sentence instead."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from histories import storm, told
from idstorm.errors import ScenarioError
from idstorm.findings import checks
from idstorm.findings.finding import Finding
from idstorm.findings.results import Stance, Status
from idstorm.record.plan import Target
from idstorm.scenario import check, holds, may_break, unique
from idstorm.scenario.claims import Claims, resolve_claims

SQLITE = Target("sqlite", "sqlite", "pysqlite", "3.45", "sqlite://")


@pytest.fixture(autouse=True)
def _forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep what a test registers from all others."""
    monkeypatch.setattr(checks, "_own", {})


def finding(_: object) -> Finding:
    return Finding(Status.HELD)


@pytest.mark.parametrize("name", ["", "two words", "9lives", "a.b", "class", "operations", "errors", 5])
def test_its_name_is_an_identifier_that_no_report_needs(name: Any) -> None:
    with pytest.raises(ScenarioError, match="needs a name that is an identifier"):
        check(name, meaning="it is so")


@pytest.mark.parametrize("figures", [{"two words": "ids"}, {"odd": 5}, ["odd"], {5: "ids"}])
def test_its_figures_are_names_with_units(figures: Any) -> None:
    with pytest.raises(ScenarioError, match="names with their units"):
        check("mine", meaning="it is so", figures=figures)


@pytest.mark.parametrize("figure", ["repetitions", "ledger"])
def test_its_figures_are_not_called_like_those_of_reports(figure: str) -> None:
    with pytest.raises(ScenarioError, match="reports use that name themselves"):
        check("mine", meaning="it is so", figures={figure: "ids"})


def test_it_has_a_meaning_and_is_a_function() -> None:
    with pytest.raises(ScenarioError, match="needs a meaning"):
        check("mine", meaning=" ")
    with pytest.raises(ScenarioError, match="decorates a function"):
        check("mine", meaning="it is so")(Finding)


@pytest.mark.parametrize("name", ["unique", "gapless"])
def test_a_name_of_idstorms_is_taken(name: str) -> None:
    with pytest.raises(ScenarioError, match="give yours another name"):
        check(name, meaning="it is so")(finding)


def test_a_name_is_taken_once_and_by_the_same_code_again() -> None:
    mine = check("mine", meaning="it is so")(finding)
    assert check("mine", meaning="it is so")(finding).origin == mine.origin
    with pytest.raises(ScenarioError, match="give yours another name"):
        check("mine", meaning="it is so")(lambda _: Finding(Status.HELD))


def test_it_can_be_called_with_evidence_made_by_hand() -> None:
    mine = check("mine", meaning="it is so")(finding)
    assert mine(storm(told(1))).status is Status.HELD


def claimed(*claims: Claims) -> Mapping[str, Stance]:
    return {name: claim.stance for name, claim in resolve_claims(claims, SQLITE).items() if claim.own is not None}


def test_it_is_judged_where_it_is_claimed_and_may_break_where_its_claim_does_not_apply() -> None:
    mine = check("mine", meaning="it is so")(finding)
    check("other", meaning="it is so")(finding)
    assert claimed(holds(mine, unique)) == claimed(holds("mine")) == {"mine": Stance.HOLDS}
    assert claimed(holds(mine, when={"mysql"})) == {"mine": Stance.MAY_BREAK}
    assert claimed(may_break(unique, why="so")) == {}

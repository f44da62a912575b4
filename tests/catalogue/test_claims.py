"""Every claim of the catalogue is seen to be true, on each database."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from fetch import programs_of, variable_of_program
from idstorm import catalogue
from idstorm.catalogue import Found, Missing
from idstorm.databases.targets import variable_of
from running import Idstorm, Ran
from servers import SERVERS, database

ALIKE = ("mysql", "mariadb")
"""Databases on which `make check` storms only scenarios that say something of databases; `make claims` storms all."""
NEEDS_ITS_OWN_SERVER = {"mysql": ["lock_mode"], "mariadb": ["lock_mode"], "postgresql": ["two_phase"]}


def untrue(ran: Ran) -> list[tuple[str, dict[str, Any] | str]]:
    """Return what did not come out as it is claimed."""
    return [
        (storm["scenario"], {name: each for name, each in storm["verdicts"].items() if each["result"] not in good})
        for good in [("passed", "n/a")]
        for storm in ran.report["storms"]
        if storm["result"] not in good
    ]


def depends(found: Found | Missing) -> bool:
    """Whether what a scenario claims, or where it means something, depends on the database."""
    scenario = None if isinstance(found, Missing) else found.scenario
    return scenario is None or bool(scenario.needs) or any(claim.when is not None for claim in scenario.claims)


def cases() -> Iterator[Any]:
    for found in catalogue.all_scenarios():
        for dialect in ("sqlite", "postgresql", *ALIKE):
            late = found.name == "flask_app:create_all" or (dialect in ALIKE and not depends(found))
            marks = [pytest.mark.release] if late else [pytest.mark.thorough] if dialect in ALIKE else []
            yield pytest.param(found, dialect, id=f"{found.name}-{dialect}", marks=marks)


@pytest.mark.parametrize(("found", "dialect"), [*cases()])
def test_every_claim_is_seen_to_be_true(idstorm: Idstorm, found: Found | Missing, dialect: str) -> None:
    if isinstance(found, Missing):
        pytest.skip(found.reason)
    asked = ("-n", "600", "--no-control", "--scenario", found.reference, "--on", dialect)
    ran = idstorm("matrix", *asked, "--json", "-", **database(dialect).environ)
    assert untrue(ran) == []
    means_something = {storm["result"] for storm in ran.report["storms"]} != {"n/a"}
    assert ran.code == (0 if means_something else 3), ran.err


@pytest.mark.release
@pytest.mark.parametrize("dialect", SERVERS)
def test_claims_about_a_setting_are_seen_on_a_server_that_was_started_with_it(
    idstorm: Idstorm, monkeypatch: pytest.MonkeyPatch, dialect: str
) -> None:
    database(dialect)  # skips where there is none, or fails where it is required
    monkeypatch.delenv(variable_of(dialect), raising=False)
    program = {variable_of_program(dialect): str(programs_of(dialect).server)} if dialect != "postgresql" else {}
    ran = idstorm.storm(*NEEDS_ITS_OWN_SERVER[dialect], "--on", dialect, "-n", "1200", **program)
    assert untrue(ran) == []
    assert {storm["result"] for storm in ran.report["storms"]} == {"passed"}

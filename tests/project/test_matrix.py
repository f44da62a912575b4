"""The matrix in docs/catalogue.md fits the catalogue: each scenario, each claim, on each database."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from sqlalchemy import make_url

from idstorm import catalogue
from idstorm.catalogue import Found
from idstorm.databases.registry import DATABASES
from idstorm.databases.targets import target_behind
from idstorm.extensions import DIALECTS
from idstorm.record.plan import Target
from idstorm.scenario import Scenario
from idstorm.scenario.claims import resolve_claims
from servers import database

PAGE = (Path(__file__).parents[2] / "docs" / "catalogue.md").read_text()

pytestmark = pytest.mark.thorough

Claims = dict[tuple[str, str], dict[str, str]]
"""By scenario and check, what is claimed on each database; – where the scenario means nothing."""


def shown(markdown: str) -> Claims:
    """Return the claims that a table in Markdown shows."""
    header, _, *rows = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in markdown.splitlines()]
    dialects = [column.split()[0] for column in header[2:]]
    claims: Claims = {}
    scenario = ""
    for name, checks, *cells in rows:
        scenario = name.strip("`") or scenario
        words = [re.match("holds|breaks|may break|–", cell) for cell in cells]
        for check in checks.split(", "):
            claims[scenario, check] = {
                dialect: word[0] if word else "?" for dialect, word in zip(dialects, words, strict=True)
            }
    return claims


def claimed() -> Claims:
    """Return the claims that the catalogue makes on the databases that are here."""
    targets = {dialect: _target(dialect) for dialect in DIALECTS}
    claims: Claims = {}
    for found in catalogue.all_scenarios():
        assert isinstance(found, Found), found
        named = {check for made in found.scenario.claims for check in made.checks}
        for check in named:
            cells = {dialect: _claim(found.scenario, target, check) for dialect, target in targets.items()}
            claims[found.name, check] = cells
    return claims


def _target(dialect: str) -> Target:
    known, url = DATABASES[dialect], database(dialect).url or make_url("sqlite://")
    with known.administer(url) as connection:
        return target_behind(known, connection, url, dialect)


def _claim(scenario: Scenario, target: Target, check: str) -> str:
    given = set(scenario.needs) if target.dialect in scenario.server else set()  # its own server has what it needs
    if set(scenario.needs) - target.traits - given:
        return "–"
    return str(resolve_claims(scenario.claims, target)[check].stance).replace("_", " ")


def test_the_table_of_the_page_shows_every_claim_of_the_catalogue() -> None:
    (table,) = re.findall(r"<!-- matrix -->\n(.*?)\n<!-- /matrix -->", PAGE, re.DOTALL)
    rows, expected = shown("\n".join(line for line in table.splitlines() if line.startswith("|"))), claimed()
    assert rows.keys() == expected.keys()
    assert {key: cells for key, cells in rows.items() if cells != expected[key]} == {}


def test_nothing_in_the_table_failed_or_could_not_be_judged() -> None:
    (table,) = re.findall(r"<!-- matrix -->\n(.*?)\n<!-- /matrix -->", PAGE, re.DOTALL)
    assert [
        line for line in table.splitlines() if line.startswith("|") and re.search(r"✗|(?<!may break )\?", line)
    ] == []

"""Scenarios are found wherever they are, are fit to be read, and their claims mean what they say."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

from idstorm import catalogue
from idstorm.catalogue import Found, Missing
from idstorm.errors import LibraryMissing, ScenarioError, UsageError
from idstorm.record.plan import Target
from idstorm.report.essay import essay
from idstorm.scenario import Claims, Scenario, breaks, holds, may_break
from idstorm.scenario.claims import resolve_claims
from running import STRANGERS_IDS, Idstorm

ALL = {found.name: found for found in catalogue.all_scenarios() if isinstance(found, Found)}
THING = next(iter(ALL.values())).scenario.model


def target(dialect: str = "sqlite", *capabilities: str) -> Target:
    return Target(dialect, dialect, "driver", "1", "url", capabilities, {"mode": 2})


@pytest.mark.parametrize("path", sorted(catalogue.folder().glob("[!_]*.py")), ids=lambda path: path.stem)
def test_a_file_opens_with_an_essay_that_names_its_sources(path: Path) -> None:
    essay = ast.get_docstring(ast.parse(path.read_text())) or ""
    summary, blank, *rest = essay.splitlines()
    assert summary.endswith(".")
    assert blank == ""
    assert sum(line.startswith("https://") for line in rest) > 0
    assert len(essay.split()) > 60


def test_list_shows_every_scenario_on_a_line(idstorm: Idstorm) -> None:
    lines = idstorm("list").out.splitlines()
    assert [line.split()[0] for line in lines] == list(ALL)


def test_every_scenario_has_a_summary_of_its_own() -> None:
    summaries = [found.summary for found in ALL.values()]
    assert [summary for summary in summaries if summaries.count(summary) > 1 or not summary.endswith((".", ")"))] == []


def test_show_says_where_a_scenario_is_written_and_what_is_in_it(idstorm: Idstorm) -> None:
    name = idstorm.write("mine.py", STRANGERS_IDS)
    assert str(idstorm.folder / name) in idstorm("show", name).out
    with (idstorm.folder / name).open("a") as file:
        file.write(f"# {'wide ' * 40}END\n")
    assert "END" in idstorm("show", name, "--source").out
    latin = idstorm.folder / "latin.py"
    latin.write_bytes(
        '# -*- coding: latin-1 -*-\n"""Café."""\n'.encode("latin-1") + (idstorm.folder / name).read_bytes()
    )
    ran = idstorm("show", "latin.py", "--source")
    assert (ran.code, "Café" in ran.out) == (0, True), ran.err


@pytest.mark.parametrize("name", ["delete_reuse", "max_plus_one"])
def test_show_prints_essay_and_claims(idstorm: Idstorm, name: str) -> None:
    shown = idstorm("show", ALL[name].reference).out
    assert shown.startswith(ALL[name].essay)
    assert f"claims of {name}" in shown


@pytest.mark.parametrize("found", ALL.values(), ids=ALL)
def test_every_scenario_has_an_essay_to_show(found: Found) -> None:
    assert f"claims of {found.name}" in essay([(found.name, found.essay, found.summary, found.scenario.claims)])


def test_a_library_that_is_missing_takes_no_other_scenario_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ulid", None)
    for name in [name for name in sys.modules if name.startswith("_idstorm_ulids_")]:
        monkeypatch.delitem(sys.modules, name)
    listed = {entry.name: entry for entry in catalogue.all_scenarios()}
    missing = listed.pop("ulids")
    assert isinstance(missing, Missing)
    assert "pip install 'idstorm[ids]'" in missing.reason
    assert missing.essay.startswith("ULIDs are text")
    assert set(listed) == set(ALL) - {"ulids"}
    with pytest.raises(LibraryMissing, match="ulids needs ulid"):
        catalogue.find("ulids")


def test_a_file_is_found_by_its_name_and_a_scenario_by_its_own() -> None:
    assert [found.name for found in catalogue.find("delete_reuse")] == [
        "delete_reuse",
        "delete_reuse:autoincrement_keyword",
    ]
    (found,) = catalogue.find("delete_reuse:autoincrement_keyword")
    assert isinstance(found, Found)


def test_a_reference_finds_the_same_scenario_again() -> None:
    for found in ALL.values():
        (again,) = catalogue.find(found.reference)
        assert again.scenario is found.scenario


def test_two_models_in_a_file_have_to_be_told_apart(here: Path) -> None:
    (here / "models.py").write_text(
        "from idstorm.scenario import Row\nfrom sqlalchemy.orm import Mapped, mapped_column\n"
        "class A(Row):\n    id: Mapped[int] = mapped_column(primary_key=True)\n"
        "class B(Row):\n    id: Mapped[int] = mapped_column(primary_key=True)\n"
    )
    with pytest.raises(UsageError, match="name one of them"):
        catalogue.find("models.py")


def test_annotations_of_the_future_do_not_keep_a_file_from_being_mapped(here: Path) -> None:
    (here / "later.py").write_text(
        "from __future__ import annotations\nfrom idstorm.scenario import Row\n"
        "from sqlalchemy.orm import Mapped, mapped_column\n"
        "class Later(Row):\n    id: Mapped[int] = mapped_column(primary_key=True)\n"
    )
    (found,) = catalogue.find("later.py")
    assert found.name == "later:Later"


def test_each_file_keeps_its_tables_apart() -> None:
    tables = [set(found.scenario.model.metadata.tables) for found in ALL.values()]
    assert {"user"} in tables
    assert {"orders"} in tables


@pytest.mark.parametrize(
    ("claims", "stance"),
    [
        ([], "may_break"),
        ([holds("gapless")], "holds"),
        ([holds("gapless"), breaks("gapless", why="", when={"returning"})], "breaks"),
        ([breaks("gapless", why="", when={"returning"}), may_break("gapless", why="", when={"sqlite"})], "may_break"),
        (
            [holds("gapless", when=lambda facts: facts["mode"] == 2), breaks("gapless", why="", when={"sqlite"})],
            "holds",
        ),
        ([holds("gapless", when=lambda facts: facts["mode"] == 1)], "may_break"),
        ([breaks("gapless", why="", when={"mysql", "mariadb"})], "may_break"),
    ],
)
def test_the_more_specific_claim_wins_where_it_applies(claims: list[Claims], stance: str) -> None:
    scenario = Scenario(THING, claims=claims)
    assert resolve_claims(scenario.claims, target("sqlite", "returning"))["gapless"].stance == stance


def test_claims_that_no_scenario_makes_keep_their_default() -> None:
    claims = resolve_claims(Scenario(THING).claims, target())
    held = {check for check, claim in claims.items() if claim.stance == "holds"}
    assert held == {"pressure", "unique", "accepted", "durable", "faithful"}
    assert not any(claim.named for claim in claims.values())


def test_two_claims_that_meet_only_on_a_target_are_an_error_there() -> None:
    scenario = Scenario(
        THING, claims=[holds("gapless", when={"returning"}), breaks("gapless", why="", when={"rowid_reuse"})]
    )
    with pytest.raises(ScenarioError, match="two equally specific claims about gapless apply to sqlite"):
        resolve_claims(scenario.claims, target("sqlite", "returning", "rowid_reuse"))

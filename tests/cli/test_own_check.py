"""A check of a user's own, from a scenario file, is claimed, gated, shown and judged again like those of idstorm."""

from __future__ import annotations

import json
from pathlib import Path
from shutil import copy

import pytest
from junitparser import Failure, JUnitXml

from running import Idstorm

EXAMPLE = Path(__file__).parents[2] / "examples" / "own_check.py"
CHECK = """
    from sqlalchemy.orm import Mapped, mapped_column
    from idstorm.scenario import Finding, Row, Scenario, Status, breaks, check, holds, may_break

    class Thing(Row):
        id: Mapped[int] = mapped_column(primary_key=True)

    @check("small", meaning="every id is small", figures={{"large": "ids", "much": "ids"}})
    def small(evidence):
        {body}

    things = Scenario(Thing, claims=[{claim}(small{why})])
    """
BROKEN = 'return Finding(Status.BROKEN, {"large": 3}, ({"id": 7},))'
WORDS = ("-n", "400", "-j", "1")


def write(idstorm: Idstorm, body: str, claim: str = "holds") -> None:
    idstorm.write("own.py", CHECK.format(body=body, claim=claim, why="" if claim == "holds" else ", why='so'"))


def test_the_example_passes_and_finds_what_it_is_for(idstorm: Idstorm) -> None:
    copy(EXAMPLE, idstorm.folder)
    ran = idstorm.storm("own_check.py", "--fail-if", "safe_in_javascript.too_large < 0")
    assert ran.code == 0, ran.err
    orders, parcels = (storm["verdicts"]["safe_in_javascript"] for storm in ran.report["storms"])
    assert (orders["status"], orders["figures"], orders["meaning"]) == (
        "held",
        {"too_large": 0},
        "every id is exact in JavaScript",
    )
    assert parcels["status"] == "broken"
    assert parcels["figures"]["too_large"] > 350
    assert all(witness["id"] > 2**53 for witness in parcels["witnesses"])
    checked = idstorm("check", str(idstorm.run_folder), "--checks", "own_check.py", "--json", "-")
    assert checked.report == ran.report


def test_what_it_finds_fails_the_run_and_is_in_every_report(idstorm: Idstorm) -> None:
    write(idstorm, BROKEN)
    ran = idstorm("run", "own.py", *WORDS, "--junit", "junit.xml", "--markdown", "summary.md")
    assert ran.code == 1
    assert "small" in ran.out
    assert "large 3" in ran.out
    cases = {case.name: case for suite in JUnitXml.fromfile(str(idstorm.folder / "junit.xml")) for case in suite}
    assert isinstance(cases["small"].result[0], Failure)
    assert "every id is small" in str(cases["small"].result[0].text)
    assert "small: every id is small" in (idstorm.folder / "summary.md").read_text()


def test_it_has_a_line_in_the_matrix_and_a_row_where_targets_are_compared(idstorm: Idstorm) -> None:
    write(idstorm, BROKEN, "breaks")
    words = ("--on", "sqlite", "--on", "sqlite:///other.db", "--clients", "4", "--processes", "1")
    matrix = idstorm("matrix", "--scenario", "own.py", "-n", "400", *words, "--no-control", "--json", "-")
    lines = {line["check"]: line["cells"] for line in matrix.report["matrix"]["lines"]}
    assert [cell["seen"] for cell in lines["small"]] == ["3 large (id 7)"] * 2
    ran = idstorm("run", "own.py", "-n", "400", *words, "--json", "-")
    assert ran.report["comparisons"][0]["verdicts"]["small"] == ["broken", "broken"]


def test_its_figures_are_gates(idstorm: Idstorm) -> None:
    write(idstorm, BROKEN, "may_break")
    gates = ("--fail-if", "small.large > 2", "--fail-if", "small.large > 3", "--fail-if", "small.much > 0")
    ran = idstorm.storm("own.py", *gates)
    assert (ran.code, ran.report["storms"][0]["verdicts"]["small"]["result"]) == (1, "passed")
    assert [gate["result"] for gate in ran.report["storms"][0]["gates"]] == ["failed", "passed", "inconclusive"]
    assert idstorm("check", str(idstorm.run_folder), "--checks", "own.py").code == 1


def test_a_gate_on_it_says_nothing_of_scenarios_that_do_not_claim_it(idstorm: Idstorm) -> None:
    write(idstorm, 'return Finding(Status.HELD, {"large": 0})')
    ran = idstorm.storm("own.py", "autoincrement", "--fail-if", "small.large > 0")
    assert (ran.code, [storm["gates"][0]["result"] for storm in ran.report["storms"]]) == (0, ["passed", "n/a"])


def test_a_gate_on_what_no_scenario_claims_lets_nothing_pass(idstorm: Idstorm) -> None:
    idstorm.write(
        "own.py", CHECK.format(body="...", claim="holds", why="").replace("(Thing, claims=[holds(small)])", "(Thing)")
    )
    ran = idstorm.storm("own.py", "--fail-if", "small.large > 0")
    assert (ran.code, ran.report["result"]) == (3, "inconclusive")


@pytest.mark.parametrize("act", ["sys.exit(0)", "raise KeyError(1)", "pytest.skip('no')"])
def test_one_that_ends_or_raises_takes_nothing_with_it(idstorm: Idstorm, act: str) -> None:
    write(idstorm, f"import sys, pytest; {act}")
    ran = idstorm.storm("own.py", "--fail-if", "operations.acknowledged > 1")
    assert ran.code == 1
    verdict = ran.report["storms"][0]["verdicts"]["small"]
    assert (verdict["status"], verdict["crashed"]) == ("unknown", True)


def test_one_file_may_be_imported_by_its_path_and_as_a_module(idstorm: Idstorm) -> None:
    write(idstorm, 'return Finding(Status.HELD, {"large": 0})')
    other = "from own import Thing, small\nfrom idstorm.scenario import Scenario, holds\n"
    idstorm.write("other.py", other + "mine = Scenario(Thing, claims=[holds(small)])\n")
    assert idstorm("run", "own.py:things", "other.py:mine", *WORDS).code == 0


def test_a_figure_that_it_does_not_declare_is_no_gate(idstorm: Idstorm) -> None:
    write(idstorm, BROKEN)
    ran = idstorm("run", "own.py", *WORDS, "--fail-if", "small.larg > 0")
    assert ran.code == 2
    assert "no report has a figure small.larg; did you mean small.large" in ran.err
    assert not (idstorm.folder / "results").exists()


def test_repetitions_are_merged_with_it(idstorm: Idstorm) -> None:
    write(idstorm, BROKEN)
    ran = idstorm.storm("own.py", "--repeat", "2")
    (merged,) = ran.report["repeats"]
    assert (ran.code, merged["verdicts"]["small"]["meaning"]) == (1, "every id is small")
    assert merged["verdicts"]["small"]["figures"] == {"repetitions": {"broken": 2}}


def test_without_its_code_it_is_unknown_and_everything_else_is_judged(idstorm: Idstorm) -> None:
    write(idstorm, 'return Finding(Status.HELD, {"large": 0})')
    before = idstorm.storm("own.py", "--fail-if", "small.large > 0").report
    (idstorm.folder / "own.py").unlink()
    ran = idstorm("check", str(idstorm.run_folder), "--json", "-")
    storm = ran.report["storms"][0]
    verdict = storm["verdicts"].pop("small")
    assert (ran.code, verdict["status"], verdict["result"]) == (3, "unknown", "inconclusive")
    assert "its code is not here" in verdict["reason"]
    assert verdict["meaning"] == "every id is small"
    assert storm["gates"][0]["result"] == "inconclusive"
    before["storms"][0]["verdicts"].pop("small")
    assert storm["verdicts"] == before["storms"][0]["verdicts"]
    assert "its code is not here" in idstorm("check", str(idstorm.run_folder)).out


def test_no_code_is_run_because_a_stored_run_names_it(idstorm: Idstorm) -> None:
    write(idstorm, 'return Finding(Status.HELD, {"large": 0})')
    idstorm.storm("own.py")
    with (idstorm.folder / "own.py").open("a") as file:
        file.write("\nopen('executed', 'w')\n")
    ran = idstorm("check", str(idstorm.run_folder), "--json", "-")
    verdict = ran.report["storms"][0]["verdicts"]["small"]
    assert (ran.code, verdict["status"]) == (3, "unknown")
    assert verdict["reason"] == "its code is not here: name its file, own.py, with `idstorm check --checks`"
    assert not (idstorm.folder / "executed").exists()
    assert idstorm("check", str(idstorm.run_folder), "--checks", "own.py").code == 0
    assert (idstorm.folder / "executed").exists()


def test_another_files_check_of_the_same_name_is_not_taken_for_it(idstorm: Idstorm) -> None:
    write(idstorm, 'return Finding(Status.HELD, {"large": 0})')
    idstorm.storm("own.py")
    (idstorm.folder / "own.py").rename(idstorm.folder / "other.py")
    assert idstorm("check", str(idstorm.run_folder), "--checks", "other.py").code == 3
    ran = idstorm("check", str(idstorm.run_folder), "--checks", "nowhere.py")
    assert (ran.code, ran.err) == (2, "Error: there is no file nowhere.py\n")


def test_a_plan_has_its_description_and_that_of_no_other_check(idstorm: Idstorm) -> None:
    write(idstorm, BROKEN)
    idstorm.storm("own.py")
    (path,) = idstorm.run_folder.glob("*/plan.json")
    claims = json.loads(path.read_text())["claims"]
    assert {name for name, claim in claims.items() if "own" in claim} == {"small"}
    assert claims["small"]["own"]["figures"] == {"large": "ids", "much": "ids"}


def test_the_same_name_in_two_files_is_a_usage_error(idstorm: Idstorm) -> None:
    write(idstorm, BROKEN)
    copy(idstorm.folder / "own.py", idstorm.folder / "other.py")
    ran = idstorm("run", "own.py", "other.py", *WORDS)
    assert ran.code == 2
    assert "there is already a check 'small': give yours another name" in ran.err

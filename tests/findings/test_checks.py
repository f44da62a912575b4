"""A check is one file: what it is called, counts and says, and its place in every report, come from there."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from textwrap import dedent

import pytest

import idstorm.judge.checks
from histories import storm, told
from idstorm.findings import checks
from idstorm.findings.checks import CHECKS, held_by_default
from idstorm.findings.gate import figures, parse_gate
from idstorm.findings.results import Result
from idstorm.findings.verdict import StormReport
from idstorm.judge.compare import compare
from idstorm.judge.judge import judge_storm
from idstorm.judge.tabulate import matrix
from idstorm.record.plan import Claim, Target
from idstorm.record.stored import StoredStorm
from idstorm.report.essay import essay
from idstorm.report.junit import junit
from idstorm.report.markdown import markdown
from idstorm.scenario import holds
from idstorm.scenario.claims import resolve_claims
from judged import report

EVEN = """
    from idstorm.findings.checks import Check, Figure
    from idstorm.findings.finding import Finding
    from idstorm.findings.results import Status

    def even_ids(evidence):
        return Finding(Status.BROKEN, {"odd": 2}, ({"id": 1},))

    CHECK = Check("even_ids", "every id is even", even_ids, {"odd": Figure("ids")}, holds=True, place=15)
    """
SQLITE = Target("sqlite", "sqlite", "pysqlite", "3.45", "sqlite://")


@pytest.fixture
def even_ids(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Add a file with a check to those of idstorm, and nothing else."""
    (tmp_path / "even_ids.py").write_text(dedent(EVEN))
    idstorm.judge.checks.__path__.append(str(tmp_path))
    monkeypatch.setattr(checks, "_FOLDERS", [*checks._FOLDERS, tmp_path])
    monkeypatch.setattr("sys.dont_write_bytecode", True)
    forget()
    yield "even_ids"
    idstorm.judge.checks.__path__.remove(str(tmp_path))
    forget()


def forget() -> None:
    checks.names.cache_clear()
    checks._found.cache_clear()


def test_a_file_is_all_that_a_check_needs(even_ids: str) -> None:
    assert [*CHECKS][1:4] == ["unique", even_ids, "single_use"]
    assert import_module("idstorm.scenario").even_ids == even_ids
    assert even_ids in held_by_default()
    assert "even_ids.odd" in figures()
    claims = resolve_claims([holds(even_ids)], SQLITE)
    judged = _judged(claims)
    assert (judged.verdicts[even_ids].result, judged.gates[0].value) == (Result.FAILED, 2)
    cells = {line.check: line.cells[0].seen for line in matrix([judged]).lines}
    assert cells[even_ids] == "2 odd (id 1)"
    assert compare([judged, judged])[0].verdicts[even_ids] == ("broken", "broken")
    for text in (junit(report(judged)), markdown(report(judged))):
        assert "even_ids: every id is even" in text
    assert even_ids in essay([("one", "text", "text", [])])


def _judged(claims: dict[str, Claim]) -> StormReport:
    evidence = storm(told(1), claims=claims)
    stored = StoredStorm("a", "a", "sqlite", evidence.plan, evidence.ending, evidence.history, None, evidence.census)
    return judge_storm(stored, [parse_gate("even_ids.odd > 1")])


def test_every_check_is_the_file_that_is_called_like_it() -> None:
    assert {name: CHECKS[name].name for name in checks.names()} == {name: name for name in CHECKS}
    assert all(check.judge.__name__ == name for name, check in CHECKS.items())
    assert len({check.place for check in CHECKS.values()}) == len(CHECKS)


def test_every_check_says_what_it_means_and_what_its_figures_are_numbers_of() -> None:
    for check in CHECKS.values():
        assert check.meaning
        assert check.figures
        assert all(figure.unit for figure in check.figures.values())

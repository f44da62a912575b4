"""What a run leaves for CI: JUnit XML, a summary, and what GitHub shows of it. None of it changes the exit code."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from junitparser import JUnitXml

from idstorm.report.github import SUMMARY_LIMIT
from running import STRANGERS_IDS, Idstorm

FEW = ("-n", "400")


@pytest.fixture
def failing(idstorm: Idstorm) -> str:
    """The name of a file with a scenario that fails."""
    return idstorm.write("mine.py", STRANGERS_IDS)


@pytest.fixture
def summary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of a step's summary, empty as GitHub makes it."""
    path = tmp_path_factory.mktemp("step") / "summary.md"
    path.touch()
    return path


def test_a_failing_run_leaves_its_failures_for_ci_now_and_when_it_is_judged_again(
    idstorm: Idstorm, failing: str
) -> None:
    ran = idstorm("run", failing, *FEW, "--junit", "run.xml", "--markdown", "run.md")
    checked = idstorm("check", str(idstorm.run_folder), "--junit", "check.xml", "--markdown", "check.md")
    assert (ran.code, checked.code) == (1, 1)
    for kind in ("xml", "md"):
        text = (idstorm.folder / f"run.{kind}").read_text(encoding="utf-8")
        assert text == (idstorm.folder / f"check.{kind}").read_text(encoding="utf-8")
    (suite,) = JUnitXml.fromfile(str(idstorm.folder / "run.xml"))
    assert [case.name for case in suite if case.is_failure] == ["faithful"]
    assert suite.time > 0
    (failure,) = next(case for case in suite if case.name == "faithful").result
    assert failure.message.startswith("broken: misattributed ")
    assert len(re.findall(r"^told \d+, stored \d+, token ", failure.text, re.MULTILINE)) > 3
    shown = (idstorm.folder / "run.md").read_text(encoding="utf-8")
    assert "✗ faithful: the id told is the id of that row" in shown
    assert idstorm.run_folder.name in shown


@pytest.mark.parametrize(("option", "first"), [("--junit", "<?xml"), ("--markdown", "## idstorm: FAILED\n")])
def test_on_stdout_a_file_is_alone_even_on_github(
    idstorm: Idstorm, failing: str, summary: Path, option: str, first: str
) -> None:
    github = {"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(summary)}
    ran = idstorm("run", failing, *FEW, option, "-", **github)
    again = idstorm("check", str(idstorm.run_folder), option, "file")
    assert (ran.code, again.code) == (1, 1)
    assert ran.out.startswith(first)
    assert ran.out == (idstorm.folder / "file").read_text(encoding="utf-8")
    assert "FAILED" in ran.err
    assert "::error title=idstorm%3A faithful failed::" in ran.err


@pytest.mark.parametrize("command", [["run", "autoincrement"], ["matrix"], ["check", "somewhere"]])
def test_stdout_can_hold_one_file(idstorm: Idstorm, command: list[str]) -> None:
    ran = idstorm(*command, "--junit", "-", "--markdown", "-")
    assert ran.code == 2
    assert "--junit - and --markdown - cannot be used together: stdout can hold only one of them" in ran.err
    assert not list(idstorm.folder.iterdir())


def test_a_file_that_cannot_be_written_is_named_with_its_option(idstorm: Idstorm) -> None:
    for option in ("--junit", "--markdown"):
        ran = idstorm("run", "autoincrement", *FEW, option, "nowhere/file")
        assert ran.code == 3
        assert "cannot write to" in ran.err
        assert f"choose another place with {option}" in ran.err


def test_files_are_in_utf_8_whatever_the_locale(idstorm: Idstorm) -> None:
    ran = idstorm.alone("run", "autoincrement", *FEW, "--markdown", "run.md", PYTHONIOENCODING="utf-8", LC_ALL="POSIX",
                        PYTHONUTF8="0", PYTHONCOERCECLOCALE="0")  # fmt: skip
    assert ran.code == 0, ran.err
    assert "✓ held" in (idstorm.folder / "run.md").read_text(encoding="utf-8")


def test_on_github_the_summary_is_added_to_the_steps(idstorm: Idstorm, failing: str, summary: Path) -> None:
    summary.write_text("what an earlier command wrote")
    words = ("run", failing, *FEW, "--markdown", "run.md")
    assert idstorm(*words, GITHUB_STEP_SUMMARY=str(summary)).code == 1
    shown = (idstorm.folder / "run.md").read_text(encoding="utf-8")
    assert summary.read_text(encoding="utf-8") == f"what an earlier command wrote\n\n{shown}"


def test_a_summary_keeps_to_what_github_takes_of_a_step(idstorm: Idstorm, failing: str, summary: Path) -> None:
    idstorm("run", failing, *FEW, "--markdown", "run.md")
    shown = (idstorm.folder / "run.md").read_text(encoding="utf-8")
    room = len(f"\n\n{shown}".encode())
    for more in (0, 1):
        summary.write_bytes(b"x" * (SUMMARY_LIMIT - room + more))
        assert idstorm("check", str(idstorm.run_folder), GITHUB_STEP_SUMMARY=str(summary)).code == 1
        assert summary.stat().st_size <= SUMMARY_LIMIT
        added = summary.read_text(encoding="utf-8").lstrip("x")
        assert added.startswith("\n\n## idstorm: FAILED")
        assert ("sections on what went wrong left out: 1." in added) == bool(more)


@pytest.mark.parametrize("code", [0, 1])
def test_a_summary_that_cannot_be_written_is_a_sentence_and_changes_nothing(
    idstorm: Idstorm, failing: str, summary: Path, code: int
) -> None:
    scenario = failing if code else "autoincrement"
    summary.write_bytes(b"x" * SUMMARY_LIMIT)
    ran = idstorm("run", scenario, *FEW, "-q", GITHUB_STEP_SUMMARY=str(summary))
    assert ran.code == code
    assert "the step's summary was not written: 1,024,000 bytes are there already" in ran.err
    ran = idstorm("run", scenario, *FEW, "-q", GITHUB_STEP_SUMMARY="nowhere/summary.md")
    assert ran.code == code
    assert ran.err == "the step's summary was not written: No such file or directory (nowhere/summary.md)\n"


def test_off_github_nothing_is_annotated(idstorm: Idstorm, failing: str) -> None:
    assert "::error" not in idstorm("run", failing, *FEW, GITHUB_ACTIONS="false").err


@pytest.mark.release
def test_a_matrix_has_test_cases_and_a_summary_and_its_own_table(idstorm: Idstorm, summary: Path) -> None:
    words = ("--scenario", "upsert", "--scenario", "identity", "--on", "sqlite", "-n", "600")
    ran = idstorm("matrix", *words, "--junit", "m.xml", "--markdown", "m.md", GITHUB_STEP_SUMMARY=str(summary))
    assert ran.code == 0, ran.err
    suites = [suite.name for suite in JUnitXml.fromfile(str(idstorm.folder / "m.xml"))]
    assert suites[:3] == ["control on sqlite", "upsert on sqlite", "upsert:do_nothing on sqlite"]
    table = (idstorm.folder / "m.md").read_text(encoding="utf-8")
    assert table.startswith("| scenario | checks | sqlite 3.")
    written = summary.read_text(encoding="utf-8")
    assert written.startswith("## idstorm: PASSED\n\ncontrol on sqlite: ")
    assert f"\n\n{table}" in written
    assert idstorm("check", str(idstorm.run_folder), "--markdown", "-").out == table

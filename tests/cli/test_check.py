"""`idstorm check` of several runs: each is judged and shown, and the worst of them counts."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from junitparser import JUnitXml

from idstorm.commands.check import Checked, check_all
from idstorm.errors import UnreadableRun
from idstorm.findings.verdict import Report
from judged import BROKEN, HELD, UNKNOWN, report, storm
from running import STRANGERS_IDS, Idstorm

PASSED, FAILED, INCONCLUSIVE = (report(storm(unique=one)) for one in (HELD, BROKEN, UNKNOWN))
AT_FAULT, INTERRUPTED = (report(storm(ending=f"{how}: so")) for how in ("at fault", "interrupted"))
UNREADABLE = {"results/one": "results/one is not a run of idstorm"}


@pytest.mark.parametrize(
    ("reports", "unreadable", "result", "code"),
    [
        ([PASSED, PASSED], {}, "passed", 0),
        ([PASSED, FAILED, AT_FAULT, INTERRUPTED], UNREADABLE, "failed", 1),
        ([PASSED, AT_FAULT, INTERRUPTED], UNREADABLE, "inconclusive", 2),
        ([PASSED, INTERRUPTED], {}, "inconclusive", 130),
        ([PASSED, INCONCLUSIVE], {}, "inconclusive", 3),
        ([PASSED], UNREADABLE, "inconclusive", 3),
        ([], UNREADABLE, "inconclusive", 3),
    ],
)
def test_the_worst_run_counts(reports: list[Report], unreadable: Mapping[str, str], result: str, code: int) -> None:
    checked = Checked(tuple(reports), unreadable)
    assert (checked.result, checked.exit_code) == (result, code)
    shown = json.loads(json.dumps(checked.to_json()))
    assert (shown["result"], shown["exit_code"], shown["unreadable"]) == (result, code, dict(unreadable))
    assert [one["run"] for one in shown["runs"]] == [one.run for one in reports]


def test_files_are_skipped_and_a_run_that_is_named_twice_is_judged_once(tmp_path: Path) -> None:
    note, other = tmp_path / "README.md", tmp_path / "other"
    note.touch()
    other.mkdir()
    checked = check_all([note, other, other, note])
    assert (checked.skipped, list(checked.unreadable)) == ((str(note),), [str(other)])
    with pytest.raises(UnreadableRun, match=r"README\.md"):
        check_all([note, note])


def test_several_runs_are_shown_and_written_one_after_another(idstorm: Idstorm) -> None:
    idstorm.write("mine.py", STRANGERS_IDS)
    assert idstorm("run", "mine.py", "-n", "400").code == 1
    assert idstorm("run", "autoincrement", "-n", "400").code == 0
    results = idstorm.folder / "results"
    failed, passed = sorted(str(path.relative_to(idstorm.folder)) for path in results.iterdir() if path.is_dir())
    (results / "README.md").touch()
    (results / "notes").mkdir()
    every = ["results/README.md", failed, passed, "results/notes"]

    ran = idstorm("check", *every, "--json", "all.json", "--junit", "all.xml", "--markdown", "all.md")
    assert ran.code == 1
    assert f"FAILED  {failed}" in ran.out
    assert f"PASSED  {passed}" in ran.out
    assert ran.out.splitlines()[-1] == "FAILED  3 runs: 1 failed, 1 passed, 1 unreadable"
    assert "results/README.md is skipped" in ran.err
    assert "Error: results/notes is not a run of idstorm" in ran.err

    written = json.loads((idstorm.folder / "all.json").read_text())
    alone = json.loads(idstorm("check", passed, "--json", "-").out)
    assert written["runs"][1] == alone
    assert list(written["unreadable"]) == ["results/notes"]
    suites = JUnitXml.fromfile(str(idstorm.folder / "all.xml"))
    assert [suite.name for suite in suites] == ["mine on sqlite", "autoincrement on sqlite", "results/notes"]
    assert [suite.errors for suite in suites] == [0, 0, 1]
    assert (idstorm.folder / "all.md").read_text().count("## idstorm: ") == 3
    assert "FAILED  3 runs" in idstorm("check", *every, "--json", "-").err
    assert json.loads(idstorm("check", *every, "--json", "-").out)["result"] == "failed"


def test_a_refused_run_has_no_folder_to_name(monkeypatch: pytest.MonkeyPatch) -> None:
    from io import StringIO

    from rich.console import Console

    from idstorm.report import terminal

    out = StringIO()
    terminal.show(Console(file=out), replace(AT_FAULT, folder=""), quiet=True)
    assert out.getvalue().rstrip() == "INCONCLUSIVE"

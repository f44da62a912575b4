"""`--fail-if`: a limit on a figure decides over the exit code, now and whenever the stored run is judged again."""

from __future__ import annotations

import json
import re

import pytest

from running import Idstorm


@pytest.mark.parametrize(
    ("gates", "code"),
    [
        (["operations.failed > 0"], 1),
        (["operations.failed > 1000"], 0),
        (["visible.skipped > 0"], 3),
        (["visible.skipped > 0", "operations.failed > 0"], 1),
        (["gapless.ratio > 0.5", "operations.per_second < 1"], 0),
    ],
)
def test_a_gate_decides_over_the_exit_code(idstorm: Idstorm, gates: list[str], code: int) -> None:
    words = [word for gate in gates for word in ("--fail-if", gate)]
    ran = idstorm("run", "rollbacks", "-n", "600", *words, "--json", "report.json")
    assert ran.code == code
    for gate in gates:
        assert re.search(rf"^gate +{re.escape(gate)}", ran.out, re.MULTILINE)
    again = idstorm("check", str(idstorm.run_folder), "--json", "-")
    report = json.loads((idstorm.folder / "report.json").read_text())
    assert (again.code, again.report) == (code, report)
    assert [gate["gate"] for gate in report["storms"][0]["gates"]] == gates
    assert all(f"--fail-if '{gate}'" in report["command"] for gate in gates)


def test_a_figure_that_nobody_reports_is_a_usage_error_that_names_the_nearest(idstorm: Idstorm) -> None:
    ran = idstorm("run", "rollbacks", "--fail-if", "visible.skiped > 0")
    assert ran.code == 2
    assert "no report has a figure visible.skiped; did you mean visible.skipped" in ran.err
    assert not (idstorm.folder / "results").exists()


def test_with_a_reader_what_it_missed_can_be_a_gate(idstorm: Idstorm) -> None:
    gates = ["--fail-if", "visible.skipped > 0", "--fail-if", "visible.safe_lag_ids > 10"]
    assert idstorm("run", "autoincrement", "-n", "600", "--reader", *gates).code == 0

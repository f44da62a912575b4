"""What a terminal shows, as text, at 80 and at 120 columns.

The screens are recorded in `screens/`. Where one is meant to change, write them all again with
`RECORD_SCREENS=1 pytest tests/report/test_screens.py`, and read the difference before it is committed.
"""

from __future__ import annotations

import io
import os
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from idstorm.findings.matrix import Matrix
from idstorm.findings.results import Stance, Status
from idstorm.findings.verdict import Report, StormReport
from idstorm.report.terminal import show
from judged import HELD, NA, report, storm, verdict

SCREENS = Path(__file__).parent / "screens"
OPERATIONS: dict[str, Any] = {
    "attempted": 1_000,
    "acknowledged": 988,
    "failed": 12,
    "rolled_back": 10,
    "unknown": 0,
    "seconds": 0.41,
    "per_second": 2_410.0,
    "latency_ms": {"p50": 2.1, "p95": 6.4, "p99": 9.9, "max": 31.0},
    "errors": {"by_code": {"sqlite:5 OperationalError": 2}},
}
FLEET: dict[str, Any] = {"processes": 2, "clients": 8, "batch": 1, "seed": 7, "isolation": None, "settings": {}}
ROWS = [{"client": client, "operation": 3, "outcome": "ok", "at": 0.0031 + client / 5_000} for client in (1, 4)]
TWICE = verdict(
    Status.BROKEN,
    figures={"duplicated": 212},
    witnesses=({"id": 5, "times": 2, "rows": ROWS},),
    why="two clients read the same maximum",
)
PRESSURE = verdict(Status.HELD, figures={"attempted": 1_000, "acknowledged": 988, "overlap_mean": 6.9})
GAPS = verdict(
    Status.BROKEN,
    Stance.MAY_BREAK,
    figures={"missing": 12, "gaps": 10, "largest": 2, "ratio": 0.012, "ledger": {"rolled_back": 12}},
    witnesses=({"after": 40, "before": 43},),
    why="a rollback gives its id up",
)
LAGS = verdict(Status.HELD, figures={"polls": 310, "lag_ms": {"p50": 1.2, "p95": 3.0, "p99": 4.4, "max": 9.1}})
FEW = verdict(Status.UNKNOWN, reason="164 inserts were acknowledged, but at least 200 are needed: raise --inserts")


def stormed(scenario: str, target: str = "sqlite", **verdicts: Any) -> StormReport:
    return replace(storm(scenario, target, **verdicts), operations=OPERATIONS, fleet=FLEET)


PASSED = stormed("autoincrement", pressure=PRESSURE, unique=HELD, gapless=GAPS, ordered=HELD, visible=LAGS)
FAILED = stormed("max_plus_one", pressure=PRESSURE, unique=TWICE, gapless=HELD, visible=NA)
INCONCLUSIVE = stormed("uuid4", pressure=FEW, unique=HELD)
MANY = [
    stormed(f"scenario_{number}", target, unique=TWICE if number == 3 else HELD, ordered=HELD)
    for number in range(1, 5)
    for target in ("sqlite", "postgresql")
]
REPORTS = {
    "passed": report(PASSED),
    "failed": report(FAILED),
    "inconclusive": report(INCONCLUSIVE),
    "many": report(*MANY),
}


def screen(shown: Report, width: int) -> str:
    """Return what a terminal of so many columns shows, without what lies beyond the words at the end of a line."""
    console = Console(file=io.StringIO(), width=width, color_system=None)
    show(console, shown)
    assert isinstance(console.file, io.StringIO)
    return "\n".join(line.rstrip() for line in console.file.getvalue().splitlines()) + "\n"


@pytest.mark.parametrize("width", [80, 120])
@pytest.mark.parametrize("name", REPORTS)
def test_the_screen_is_the_one_recorded(name: str, width: int) -> None:
    path, seen = SCREENS / f"{name}-{width}.txt", screen(REPORTS[name], width)
    if "RECORD_SCREENS" in os.environ:
        path.write_text(seen, encoding="utf-8")
    assert seen == path.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", REPORTS)
def test_no_word_is_cut_at_80_columns(name: str) -> None:
    narrow, wide = (set(re.findall(r"\S+", screen(REPORTS[name], width))) for width in (80, 400))
    assert narrow == wide


def test_a_matrix_names_what_failed_however_many_storms_it_has() -> None:
    last = screen(replace(report(*MANY), matrix=Matrix(("sqlite", "postgresql"), ())), 120).partition("FAILED")[2]
    assert last.count("unique is broken") == 2


def test_a_table_of_many_storms_says_what_broke_lawfully_and_what_is_to_be_known() -> None:
    noted = replace(PASSED, notes=("no column can carry a token",))
    shown = " ".join(screen(report(*[noted] * 4), 200).split())
    assert "~ autoincrement sqlite 2,410 gapless broken, as claimed or as it may; no column can carry a token" in shown


def test_what_broke_lawfully_is_not_shown_as_if_it_had_held() -> None:
    marks = {
        line.split()[1]: line[0] for line in screen(REPORTS["passed"], 120).splitlines() if line[:3].endswith("  ")
    }
    assert (marks["gapless"], marks["visible"], marks["held"]) == ("~", "✓", "✓")

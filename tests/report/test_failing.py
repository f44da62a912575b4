"""Where a tenth or more of the operations failed unplanned, every kind of report says so, whatever was claimed."""

from __future__ import annotations

from dataclasses import replace
from io import StringIO
from typing import Any

import pytest
from rich.console import Console

from idstorm.findings.verdict import StormReport
from idstorm.report import terminal
from idstorm.report.junit import junit
from idstorm.report.markdown import markdown
from idstorm.report.text import failing_words
from judged import HELD, report, storm

OPERATIONS = {
    **dict.fromkeys(("attempted", "acknowledged", "failed", "unknown", "rolled_back", "deleted", "per_second"), 1),
    "seconds": 3.0,
    "latency_ms": {},
    "errors": {"total": 0, "by_code": {}},
}


def failing(share: float, raced: float = 0.0, expected: float = 0.0, **more: Any) -> StormReport:
    figures = {"share": share, "share_raced": raced, "expected": expected, **more}
    return replace(storm(unique=HELD), operations={**OPERATIONS, "failing": figures})


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (failing(0.09), ""),
        (failing(0.09, expected=0.05), ""),
        (failing(0.4), "of the operations 40% failed"),
        (failing(0.4, expected=0.5), ""),
        (failing(0.4, commonest="sqlite:1"), "of the operations 40% failed, most with sqlite:1"),
        (failing(0.0, 0.8), "of the operations 80% were ended by the database because of a race"),
        (
            failing(0.06, 0.05, commonest="mysql:1062", message="Duplicate entry"),
            "of the operations 6% failed and 5% were ended by the database because of a race, most with mysql:1062: "
            "Duplicate entry",
        ),
    ],
)
def test_the_share_and_the_commonest_error_are_said(made: StormReport, words: str) -> None:
    assert failing_words(made.operations) == words


def test_a_run_from_before_there_was_such_a_figure_says_nothing() -> None:
    assert failing_words(storm(unique=HELD).operations) == ""


def test_every_kind_of_report_leads_with_it() -> None:
    made = report(failing(0.4, commonest="sqlite:1", message="no such column"))
    out = StringIO()
    terminal.show(Console(file=out, width=100), made)
    headline, below = out.getvalue().splitlines()[:2]
    assert headline.endswith("PASSED")
    words = "of the operations 40% failed, most with sqlite:1: no such column"
    assert below == words
    assert words in markdown(made).replace("\\", "")
    assert f'name="failing" value="{words}"' in junit(made)

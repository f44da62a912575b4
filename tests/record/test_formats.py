"""The history of formats in results/README.md ends with what is written today."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from idstorm.findings.audit import AUDIT_FORMAT
from idstorm.findings.verdict import REPORT_FORMAT
from idstorm.record import archive, ending, store, tape

HISTORY = (Path(__file__).parents[2] / "results" / "README.md").read_text()


@pytest.mark.parametrize(
    ("file", "written"),
    [
        ("plan.json", store.FORMAT),
        ("ending.json", ending.ENDING_FORMAT),
        ("census.zip", archive.FORMAT),
        ("tapes/*.tape", tape.VERSION),
        ("report.json", REPORT_FORMAT),
        ("idstorm audit --json", AUDIT_FORMAT),
    ],
)
def test_the_history_of_a_format_is_complete(file: str, written: int) -> None:
    numbers = [int(number) for files, number in re.findall(r"^\| (.*?) \| (\d+) \|", HISTORY, re.M) if file in files]
    assert numbers == list(range(1, written + 1))

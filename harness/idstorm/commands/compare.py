"""`compare`: what is different between two stored runs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from idstorm.commands.page import drawings_of
from idstorm.findings.changes import Changes
from idstorm.findings.verdict import Report
from idstorm.judge.changes import changes
from idstorm.judge.judge import judge_run
from idstorm.record.stored import open_run
from idstorm.report.page.changes import changes_page


@dataclass(frozen=True)
class Compared:
    """Two runs, and what is different in the second."""

    reports: tuple[Report, Report]
    changes: Changes

    def page(self) -> str:
        """Return the page of the comparison."""
        before, after = self.reports
        return changes_page(self.changes, self.reports, (drawings_of(before), drawings_of(after)))


def compare(before: Path, after: Path) -> Compared:
    """Judge both runs, and compare what was found. Raises UnreadableRun."""
    runs = open_run(before), open_run(after)
    reports = judge_run(runs[0]), judge_run(runs[1])
    return Compared(reports, changes(*reports, (runs[0].made, runs[1].made)))

"""`compare`: what is different between two stored runs."""

from __future__ import annotations

from pathlib import Path

from idstorm.findings.changes import Changes
from idstorm.judge.changes import changes
from idstorm.judge.judge import judge_run
from idstorm.record.stored import open_run


def compare(before: Path, after: Path) -> Changes:
    """Judge both runs, and return what is different in the second. Raises UnreadableRun."""
    runs = open_run(before), open_run(after)
    return changes(judge_run(runs[0]), judge_run(runs[1]), (runs[0].made, runs[1].made))

"""`trend`: what the runs in a folder have found, one after another."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from idstorm.commands.results import stored_runs
from idstorm.errors import UsageError
from idstorm.findings.gate import Gate, require_figure
from idstorm.findings.gate import figures as known_figures
from idstorm.findings.trend import Trend, TrendRun
from idstorm.judge.trend import trend
from idstorm.record.stored import open_run, read_report

FIGURES = ("operations.per_second",)


def trend_of(folder: Path, figures: Sequence[str] = FIGURES, label: str | None = None) -> Trend:
    """Return the trend of the runs in a folder that have a report; with a label, of those that are called that.

    Their stored reports count: nothing is judged again. Raises UsageError where there is none, or for a figure that no
    report has, and EnvironmentFault where the folder cannot be read.
    """
    for path in figures:
        require_figure(Gate(path, ">", 0), known_figures())
    stored, unreadable = stored_runs(folder)
    runs, left_out = [], [] if label is not None else [path.name for path in unreadable]
    for run in reversed([run for run in stored if label in (None, run.label)]):
        report = read_report(open_run(run.folder))
        if report is None:
            left_out.append(run.folder.name)
        else:
            when = run.began.isoformat(timespec="seconds")
            runs.append((TrendRun(report.run, when, run.label, run.commit, report.result), report))
    if not runs:
        called = "" if label is None else f" that is called {label}"
        raise UsageError(f"no run in {folder} has a report{called}: storm something first, or name another folder")
    return trend(runs, figures, sorted(left_out))

"""The page of a report: its pictures are counted from what the run has recorded."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from idstorm.errors import UnreadableRun
from idstorm.findings.drawing import Drawing
from idstorm.findings.results import Result
from idstorm.findings.verdict import Report
from idstorm.judge.drawing import drawing
from idstorm.judge.judge import evidence_of
from idstorm.record import stored
from idstorm.record.provenance import Provenance
from idstorm.report.page.page import page

_MOST = 12  # storms with pictures, those that did not pass first


def page_of(report: Report) -> str:
    """Return the page of a report. Where its run cannot be read, there are no pictures."""
    made = dict[str, str]()
    with suppress(UnreadableRun):
        run = stored.open_run(Path(report.folder))
        made = {} if run.made is None else _in_words(run.made)
    return page(report, drawings_of(report), made)


def drawings_of(report: Report) -> dict[str, Drawing]:
    """Return the pictures of a run's storms, by their names; of many, those that did not pass come first."""
    drawings = dict[str, Drawing]()
    with suppress(UnreadableRun):
        run = stored.open_run(Path(report.folder))
        entries = {entry["name"]: entry for entry in run.storms}
        shown = [storm for storm in report.storms if storm.operations and storm.storm in entries]
        for storm in sorted(shown, key=lambda one: one.result is Result.PASSED)[:_MOST]:
            recorded = stored.read_storm(run, entries[storm.storm])
            if recorded.plan is not None and recorded.history is not None:
                drawn = drawing(evidence_of(recorded.plan, recorded), storm.verdicts)
                drawings |= {} if drawn is None else {storm.storm: drawn}
    return drawings


def _in_words(made: Provenance) -> dict[str, str]:
    """Return when, where and with what a run was made, for readers."""
    words = {"when": made.when, "label": made.label, "host": made.host, "cores": str(made.cores), "commit": made.commit}
    return {name: word for name, word in words.items() if word is not None} | dict(made.versions)

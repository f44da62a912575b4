"""What GitHub shows of a run: annotations, as workflow commands, and as much of the summary as fits.

Facts are from github.com/actions/runner: commands are read from a step's stdout and stderr alike (ScriptHandler),
unescaped by ActionCommand, and a summary over its limit is dropped as a whole (CreateStepSummaryCommand).
"""

from __future__ import annotations

from collections.abc import Sequence

from idstorm.findings.results import Result
from idstorm.findings.verdict import Report, StormReport
from idstorm.report.items import Point, points_of
from idstorm.report.text import target_words, visible

SUMMARY_LIMIT = 1000 * 1024
"""Bytes of a step's summary. The limit is 1024 KiB; files just below it have been refused (actions/runner#4337)."""

_LEVELS = {Result.FAILED: "error", Result.INCONCLUSIVE: "warning"}
_STORMS_NAMED = 5


def workflow_commands(report: Report) -> list[str]:
    """Return one annotation for each kind of finding, however many storms have it; failures come first."""
    kinds: dict[tuple[Result, str, str], list[tuple[StormReport, Point]]] = {}
    for storm, points in points_of(report):
        for point in points:
            kinds.setdefault((point.result, point.kind, point.name), []).append((storm, point))
    return [
        _annotation(report, level, found)
        for result, level in _LEVELS.items()
        for kind, found in kinds.items()
        if kind[0] is result
    ]


def _annotation(report: Report, level: str, found: Sequence[tuple[StormReport, Point]]) -> str:
    point = found[0][1]
    became = "failed" if point.result is Result.FAILED else "is inconclusive"
    where = f" in {len(found)} of {len(report.decisive)} storms" if len(report.decisive) > 1 else ""
    lines = [f"{point.name} ({point.meaning}) {became}{where}"]
    lines += [
        "; ".join((f"{storm.scenario} on {target_words(storm)}: {point.brief}", *point.witnesses[:1]))
        for storm, point in found[:_STORMS_NAMED]
    ]
    lines += [f"and {len(found) - _STORMS_NAMED} more"] if len(found) > _STORMS_NAMED else []
    text = "\n".join([*lines, f"again: {report.command}"])
    return annotation(level, f"idstorm: {point.name} {became}", text)


def annotation(level: str, title: str, text: str) -> str:
    """Return a workflow command that shows an error, a warning or a notice."""
    return f"::{level} title={_property(title)}::{_data(text)}"


def _data(text: str) -> str:
    text = "\r".join(map(visible, text.split("\r")))
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def cut(pieces: Sequence[str], room: int) -> str:
    """Return as many pieces as fit into `room` bytes, and a note on those left out; empty if not even the note fits."""
    sizes = [len(piece.encode()) for piece in pieces]
    if sum(sizes) <= room:
        return "".join(pieces)
    for kept in reversed(range(len(pieces))):
        said = _left_out(pieces[kept:])
        if sum(sizes[:kept]) + len(said.encode()) <= room:
            return "".join(pieces[:kept]) + said
    return ""


def _left_out(pieces: Sequence[str]) -> str:
    rows = sum(piece.startswith("| ") for piece in pieces)
    sections = sum(piece.startswith("\n### ") for piece in pieces)
    return (
        f"\n_GitHub takes at most 1 MiB a step. Lines of the table left out: {rows}; "
        f"sections on what went wrong left out: {sections}. `idstorm check` shows them all._\n"
    )

"""A report as a Markdown summary: the result, a table, and a section on what went wrong for each storm."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from idstorm.findings.checks import in_order
from idstorm.findings.gate import GateVerdict
from idstorm.findings.results import Result
from idstorm.findings.verdict import Report, StormReport, Verdict
from idstorm.report import markdown_escape as md
from idstorm.report.items import Point, points_of
from idstorm.report.matrix_table import matrix_lines
from idstorm.report.text import LEGEND, MARKS, control_words, failing_words, look_of, number_words, target_words

_WITNESSES_SHOWN = 3
_WRONG = (Result.FAILED, Result.INCONCLUSIVE)


def markdown(report: Report) -> str:
    """Return the summary of a report."""
    return "".join(pieces(report))


def unreadable_markdown(folder: str, reason: str) -> str:
    """Return the summary of a run that could not be read."""
    return f"## idstorm: {Result.INCONCLUSIVE.upper()}\n\n{md.code(folder)} could not be read: {md.plain(reason)}\n"


def pieces(report: Report) -> Iterator[str]:
    """Yield the summary in pieces between which it may be cut: a line of the table, a section."""
    yield f"## idstorm: {report.result.upper()}\n\n"
    for words in control_words(report):
        yield f"{md.plain(words)}\n\n"
    yield from _statuses(report.decisive) if report.matrix is None else matrix_lines(report.matrix)
    for storm in report.decisive:
        if words := failing_words(storm.operations):
            yield f"\n**{md.code(storm.scenario)} on {md.plain(target_words(storm))}:** {md.plain(words)}\n"
    yield f"\n{LEGEND}\n\nThe run is {md.code(report.run)}, and again:\n\n{md.block(report.command, 'sh')}"
    for storm, points in points_of(report):
        wrong = [point for point in points if point.result in _WRONG]
        if wrong:
            yield _section(storm, wrong)


def _statuses(storms: Sequence[StormReport]) -> Iterator[str]:
    checks = in_order(check for storm in storms for check in storm.verdicts)
    gates = list(dict.fromkeys(gate.gate for storm in storms for gate in storm.gates))
    head = ["scenario", "target", "result", *checks, *map(md.code, gates)]
    return md.table(head, (_row(storm, checks, gates) for storm in storms))


def _row(storm: StormReport, checks: Sequence[str], gates: Sequence[str]) -> list[str]:
    found = {gate.gate: gate for gate in storm.gates}
    return [
        md.code(storm.scenario),
        md.plain(target_words(storm)),
        f"{MARKS[storm.result]} {_result(storm)}",
        *(_status(storm.verdicts.get(check)) for check in checks),
        *(_limit(found.get(gate)) for gate in gates),
    ]


def _result(storm: StormReport) -> str:
    if storm.result is Result.NA and storm.ending:
        return md.plain(storm.ending.partition("\n")[0])
    return str(storm.result)


def _status(verdict: Verdict | None) -> str:
    if verdict is None:
        return ""
    mark, _ = look_of(verdict.result, verdict.status)
    return mark if verdict.result is Result.NA else f"{mark} {verdict.status}"


def _limit(gate: GateVerdict | None) -> str:
    if gate is None or gate.result is Result.NA:
        return ""
    return f"{MARKS[gate.result]} {'not measured' if gate.value is None else number_words(gate.value)}"


def _section(storm: StormReport, wrong: Sequence[Point]) -> str:
    title = f"\n### {MARKS[storm.result]} {md.code(storm.scenario)} on {md.plain(target_words(storm))}\n\n"
    return title + md.block("\n\n".join(map(_account, wrong)), "text")


def _account(point: Point) -> str:
    more = len(point.witnesses) - _WITNESSES_SHOWN
    return "\n".join(
        (
            f"{MARKS[point.result]} {point.name}: {point.meaning}",
            *(f"  {line}" for line in (*point.details, *point.witnesses[:_WITNESSES_SHOWN])),
            *([f"  more witnesses: {more}"] if more > 0 else []),
        )
    )

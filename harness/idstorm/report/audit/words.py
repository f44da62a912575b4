"""The wording that all reports of an audit share."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from idstorm.findings.audit import KINDS, AuditedId, AuditFinding, AuditReport, Severity
from idstorm.findings.results import Result
from idstorm.report.items import Point
from idstorm.report.text import gate_words

MARKS = {Severity.ERROR: "✗", Severity.WARNING: "!", Severity.NOTE: "·"}
_COLUMNS = ("id", "generator", "position", "limit", "used", "behind", "a day", "until")
_LONG = 10**12  # from here on a number in a table is rounded
_FORECAST = 2  # the last columns, which are left out where nothing is forecast


def headline(report: AuditReport) -> str:
    """Return what was audited."""
    target = report.target
    where = "" if target["name"] == target["dialect"] else f" at {target['name']}"
    since = "" if report.since is None else f", compared with those of {report.since[:16]}"
    return (
        f"{target['dialect']} {target['server']} ({target['driver']}){where}: "
        f"{_count(report.tables, 'table')}, {_count(report.generators, 'generator')}{since}"
    )


def summary(report: AuditReport) -> str:
    """Return how many findings there are, and how much could not be read."""
    counts = Counter(one.severity for one in report.counted)
    parts = [_count(counts[severity], str(severity)) for severity in Severity if counts[severity]] or ["no findings"]
    if accepted := len(report.findings) - len(report.counted):
        parts.append(f"{accepted:,} accepted by the baseline")
    if report.unread:
        parts.append(unread_words(report))
    return ", ".join(parts)


def unread_words(report: AuditReport) -> str:
    """Return how much could not be read."""
    generators = f"{report.unread_generators:,} of {_count(report.generators, 'generator')}"
    others = len(report.unread) if not report.unread_generators else 0
    return f"{_count(others, 'thing') if others else generators} could not be read"


def account(one: AuditFinding) -> list[str]:
    """Return a finding in lines: what it is, what mends it, which lock that takes."""
    lines = [f"{one.severity} {one.about}: {one.sentence}{' (accepted by the baseline)' if one.accepted else ''}"]
    lines += [] if one.remedy is None else [f"  mend  {one.remedy}"]
    return lines + ([] if one.lock is None else [f"  lock  {one.lock}"])


def table(ids: Sequence[AuditedId]) -> tuple[Sequence[str], list[list[str]]]:
    """Return ids as a table: its head and its rows."""
    width = len(_COLUMNS) - (0 if any(one.per_day is not None for one in ids) else _FORECAST)
    return _COLUMNS[:width], [_row(one)[:width] for one in ids]


def _row(one: AuditedId) -> list[str]:
    limits = [limit for limit in (one.generator_limit, one.column_limit) if limit is not None]
    return [
        one.id,
        one.kind,
        _known(one.position),
        _short(min(limits, key=abs)),
        "?" if one.used is None else f"{one.used:.1%}",
        _known(one.behind),
        "" if one.per_day is None else f"{one.per_day:,.0f}",
        one.until or "",
    ]


def ranked(report: AuditReport) -> list[AuditedId]:
    """Return the ids, those that end first at the beginning."""
    return sorted(report.ids, key=lambda one: (-(one.used or 0.0), one.id))


def points_of(report: AuditReport) -> list[Point]:
    """Return a point for each kind of finding, each gate, and what could not be read.

    If the report failed, so did a point. If it did not pass, a point failed or is inconclusive.
    """
    points = [_kind(name, [one for one in report.findings if one.kind == name]) for name in KINDS]
    points += [
        Point("gate", one.gate, "the figure is within its limit", one.result, gate_words(one)) for one in report.gates
    ]
    if report.unread:
        lines = [f"{one.what}: {one.why}" + (f"  {one.grant}" if one.grant else "") for one in report.unread]
        result = Result.PASSED if report.unreadable_allowed else Result.INCONCLUSIVE
        points.append(
            Point("audit", "readable", "everything could be read", result, unread_words(report), tuple(lines))
        )
    return points


def _kind(name: str, found: list[AuditFinding]) -> Point:
    errors = [one for one in found if one.severity is Severity.ERROR and not one.accepted]
    brief = f"{errors[0].about}: {errors[0].sentence}" if errors else ""
    brief += f", and {len(errors) - 1:,} more" if len(errors) > 1 else ""
    details = tuple(line for one in found for line in account(one))
    return Point("audit", name, KINDS[name].meaning, Result.FAILED if errors else Result.PASSED, brief, details)


def _known(value: int | None) -> str:
    return "–" if value is None else _short(value)


def _short(value: int) -> str:
    return f"{value:,}" if abs(value) < _LONG else f"{value:.3g}"


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"

"""What GitHub shows of an audit: an annotation for each finding that is not a note."""

from __future__ import annotations

from idstorm.findings.audit import AuditReport, Severity
from idstorm.report.audit.words import account, unread_words
from idstorm.report.github import annotation

_LEVELS = {Severity.ERROR: "error", Severity.WARNING: "warning"}
_MOST = 10  # of a level that GitHub shows for a step


def workflow_commands(report: AuditReport) -> list[str]:
    """Return as many annotations of each level as GitHub shows, the errors first."""
    lines = [] if not report.unread else [annotation("warning", "idstorm audit", unread_words(report))]
    for severity, level in _LEVELS.items():
        found = [one for one in report.counted if one.severity is severity][:_MOST]
        lines += [annotation(level, f"idstorm audit: {one.kind}", "\n".join(account(one))) for one in found]
    return lines

"""An audit as a Markdown summary: the result, what was found, the ids that end first."""

from __future__ import annotations

from collections.abc import Iterator

from idstorm.findings.audit import AuditReport
from idstorm.report import markdown_escape as md
from idstorm.report.audit.words import MARKS, headline, ranked, summary, table

_IDS = 50


def pieces(report: AuditReport) -> Iterator[str]:
    """Yield the summary in pieces between which it may be cut."""
    yield f"## idstorm audit: {report.result.upper()}\n\n"
    yield f"{md.plain(headline(report))}\n\n{md.plain(summary(report))}\n\n"
    if report.findings:
        titles = ["", "finding", "of", "what", "mend", "lock"]
        yield from md.table(
            titles,
            (
                [
                    MARKS[one.severity],
                    md.code(one.kind),
                    md.code(one.about),
                    md.plain(one.sentence) + (" (accepted)" if one.accepted else ""),
                    md.code(one.remedy or ""),
                    md.plain(one.lock or ""),
                ]
                for one in report.findings
            ),
        )
        yield "\n"
    if report.unread:
        yield from md.table(
            ["could not be read", "why", "what is missing"],
            ([md.code(one.what), md.plain(one.why), md.code(one.grant or "")] for one in report.unread),
        )
        yield "\n"
    if report.ids:
        head, rows = table(ranked(report)[:_IDS])
        yield from md.table(head, ([md.code(cells[0]), *map(md.plain, cells[1:])] for cells in rows))
    yield f"\nAgain:\n\n{md.block(report.command, 'sh')}"


def markdown(report: AuditReport) -> str:
    """Return the summary of a report."""
    return "".join(pieces(report))

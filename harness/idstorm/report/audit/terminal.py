"""An audit for the terminal: what was found, then the ids that end first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from rich.console import Console
from rich.table import Table
from rich.text import Text

from idstorm.findings.audit import AuditedId, AuditReport, Severity
from idstorm.findings.results import Result
from idstorm.report.audit.words import MARKS, headline, ranked, summary, table, unread_words
from idstorm.report.cleaned import cleaned
from idstorm.report.text import STYLES, gate_words

_STYLES = {Severity.ERROR: "bold red", Severity.WARNING: "yellow", Severity.NOTE: "dim"}
_TEXTS = ("id", "generator", "until")
_OF_A_KIND, _IDS, _UNREAD = 5, 10, 5
"""Findings of a kind, ids, and unread things that are shown unless the report is verbose."""


def show(console: Console, report: AuditReport, *, verbose: bool = False, quiet: bool = False) -> None:
    """Print a report. `quiet` prints only its last line, `verbose` all findings and ids."""
    ids, count = ranked(report), len(report.ids)
    report = cleaned(replace(report, ids=() if quiet else tuple(ids if verbose else ids[:_IDS])))
    if not quiet:
        console.print(Text(headline(report), "bold"), soft_wrap=True)
        _findings(console, report, verbose=verbose)
        _unread(console, report, verbose=verbose)
        if report.ids:
            console.print(_ids(report.ids, count))
        for gate in report.gates:
            if gate.result is not Result.PASSED:
                console.print(Text(f"gate  {gate_words(gate)}", STYLES[gate.result]), soft_wrap=True)
    last = Text.assemble((report.result.upper(), STYLES[report.result]), f"  {summary(report)}")
    console.print(last if quiet else last.append(f"\nagain  {report.command}", "dim"), soft_wrap=True)


def _findings(console: Console, report: AuditReport, *, verbose: bool) -> None:
    shown = Counter[tuple[str, Severity, bool]]()
    for one in report.findings:
        kind = (one.kind, one.severity, one.accepted)
        shown[kind] += 1
        if not verbose and (one.accepted or shown[kind] > _OF_A_KIND):
            continue
        text = Text.assemble(
            (f"{MARKS[one.severity]} {one.kind}", _STYLES[one.severity]), f"  {one.about}: {one.sentence}"
        )
        text.append("" if one.remedy is None else f"\n    mend  {one.remedy}", "cyan")
        text.append("" if one.lock is None else f"\n    lock  {one.lock}", "dim")
        console.print(text, soft_wrap=True)
    for (kind_, _, accepted), count in shown.items():
        if not verbose and not accepted and count > _OF_A_KIND:
            console.print(Text(f"  and {count - _OF_A_KIND:,} more of {kind_} (-v shows all)", "dim"), soft_wrap=True)


def _unread(console: Console, report: AuditReport, *, verbose: bool) -> None:
    shown = report.unread if verbose else report.unread[:_UNREAD]
    if shown:
        console.print(Text(f"? {unread_words(report)}", "yellow"), soft_wrap=True)
    for one in shown:
        console.print(
            Text(f"    {one.what}: {one.why}" + (f"\n      {one.grant}" if one.grant else "")), soft_wrap=True
        )
    if len(report.unread) > len(shown):
        console.print(Text(f"    and {len(report.unread) - len(shown):,} more (-v shows all)", "dim"), soft_wrap=True)


def _ids(ids: Sequence[AuditedId], count: int) -> Table:
    """Return ids as a table, below which it says how many more there are."""
    head, rows = table(ids)
    shown = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for name in head:
        shown.add_column(name, justify="left" if name in _TEXTS else "right", overflow="fold", no_wrap=name != "id")
    for row in rows:
        shown.add_row(*map(Text, row))
    if count > len(rows):
        shown.caption = f"and {count - len(rows):,} more, of which less is used up (-v shows all)"
    return shown

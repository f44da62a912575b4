"""What is different between two runs, for a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from idstorm.findings.changes import Change, Changes
from idstorm.report.text import visible

GROUPS = {"made under other conditions": "conditions", "found": "findings", "as fast": "rates"}
"""What may be different, in the order of reports, by heading: the names of the fields."""


def show_changes(console: Console, changes: Changes, *, quiet: bool = False) -> None:
    """Print what is different: the conditions first, which may explain the rest."""
    if not quiet:
        for heading, field in GROUPS.items():
            if some := getattr(changes, field):
                console.print(_table(heading, some, changes))
        for note in changes.notes:
            console.print(Text(visible(note), "yellow"), soft_wrap=True)
    console.print(Text(last_words(changes), "bold red" if changes.worse else "bold"), soft_wrap=True)


def last_words(changes: Changes) -> str:
    """Return what the comparison comes to, in a line."""
    worse = sum(change.worse for change in changes.findings)
    if worse:
        return f"WORSE  {changes.after} in {worse:,} of {len(changes.findings):,} findings that differ"
    if changes.findings or changes.rates:
        return f"DIFFERENT  {changes.after} is not worse"
    return f"THE SAME  nothing that was found in {changes.after} is different"


def _table(heading: str, some: Sequence[Change], changes: Changes) -> Table:
    table = Table(title=heading, title_justify="left", box=None, padding=(0, 2, 0, 0), header_style="bold")
    for name in ("", "", changes.before, changes.after):
        table.add_column(name, overflow="fold")
    last = None
    for change in some:
        style = "bold red" if change.worse else ""
        where = "" if change.where == last else change.where or "the run"
        words = (where, change.what, change.before, change.after)
        table.add_row(*(Text(visible(word), style) for word in words))
        last = change.where
    return table

"""One scenario on several targets, as a table: a column for each target."""

from __future__ import annotations

from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from idstorm.findings.results import Result, Status
from idstorm.findings.verdict import Comparison

_STYLES = {
    Status.HELD: "green",
    Status.BROKEN: "red",
    Status.UNKNOWN: "yellow",
    Result.PASSED: "green",
    Result.FAILED: "bold red",
    Result.INCONCLUSIVE: "yellow",
}


def side_by_side(comparison: Comparison) -> RenderableType:
    """Return the table, and a line on the checks in which the targets differ."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), title=None)
    table.add_column(comparison.scenario, header_style="bold")
    for target in comparison.targets:
        table.add_column(target, justify="right", header_style="bold")
    table.add_row("result", *(_cell(result) for result in comparison.results))
    for check, statuses in comparison.verdicts.items():
        table.add_row(check, *(_cell(status) for status in statuses))
    for path, values in comparison.figures.items():
        table.add_row(Text(path, "dim", overflow="fold"), *(_number(value) for value in values))
    differs = ", ".join(comparison.differs)
    return Group(table, Text(f"differ in {differs}" if differs else "no check came out differently"), Text())


def _cell(value: Status | Result | None) -> Text:
    return Text("" if value is None else str(value), _STYLES.get(value, "dim") if value is not None else "")


def _number(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:,}" if isinstance(value, int) else f"{value:,.4g}" if isinstance(value, float) else str(value)

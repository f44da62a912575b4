"""The matrix for readers: on a terminal and as Markdown. Checks of a scenario with the same cells share a line."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from idstorm.findings.matrix import Cell, Matrix
from idstorm.findings.results import Result, Status
from idstorm.report import markdown_escape as md
from idstorm.report.text import LEGEND, look_of

_LEGEND = f"{LEGEND} What broke as claimed has its count and a witness."


def matrix_table(matrix: Matrix) -> RenderableType:
    """Return the matrix as a table for a terminal."""
    table = Table(pad_edge=False, padding=(0, 1, 0, 0), caption=_LEGEND, caption_justify="left")
    for name in ("scenario", "checks", *matrix.targets):
        table.add_column(name, overflow="fold")
    last = None
    for scenario, checks, cells in grouped(matrix):
        words = [Text(cell_words(cell), look_of(cell.result, cell.status)[1]) for cell in cells]
        table.add_row("" if scenario == last else Text(scenario, "bold"), ", ".join(checks), *words)
        last = scenario
    return table


def matrix_markdown(matrix: Matrix) -> str:
    """Return the matrix as a Markdown table."""
    return "".join(matrix_lines(matrix))


def matrix_lines(matrix: Matrix) -> Iterator[str]:
    """Yield the lines of the matrix as a Markdown table."""
    rows, last = list[list[str]](), None
    for scenario, checks, cells in grouped(matrix):
        words = (md.plain(cell_words(cell)) for cell in cells)
        rows.append(["" if scenario == last else md.code(scenario), ", ".join(checks), *words])
        last = scenario
    return md.table(["scenario", "checks", *map(md.plain, matrix.targets)], rows)


def cell_words(cell: Cell) -> str:
    """Return a cell in words: the claim, its mark, and what was seen if that adds something."""
    mark, _ = look_of(cell.result, cell.status)
    if cell.claim is None or cell.status is Status.NA:
        return mark if cell.result is Result.NA else f"{mark} {cell.seen}"
    claim = str(cell.claim).replace("_", " ")
    plain = cell.seen == "held" and cell.result is Result.PASSED and cell.claim == "holds"
    return f"{claim} {mark}" if plain else f"{claim} {mark} {cell.seen}"


def grouped(matrix: Matrix) -> Iterator[tuple[str, list[str], tuple[Cell, ...]]]:
    """Yield scenario, checks and cells, grouping the checks whose cells are the same on every target."""
    groups: dict[tuple[str, tuple[str, ...]], tuple[list[str], tuple[Cell, ...]]] = {}
    for line in matrix.lines:
        key = (line.scenario, tuple(map(cell_words, line.cells)))
        groups.setdefault(key, ([], line.cells))[0].append(line.check or "")
    for (scenario, _), (checks, cells) in groups.items():
        yield scenario, checks, cells

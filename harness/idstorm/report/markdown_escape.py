"""Pieces of GitHub-flavoured Markdown that hold any text: its characters are never taken for markup."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from idstorm.report.text import visible

_SPECIAL = re.compile(r"[\\`*\[\]<&~$]|(?<![^\W_])_|_(?![^\W_])")  # _ is plain between letters


def plain(text: str) -> str:
    """Return a text for the middle of a line, escaped so that every character means itself."""
    return _SPECIAL.sub(r"\\\g<0>", _line(text))


def code(text: str) -> str:
    """Return a text as code within a line."""
    line = _line(text)
    if not line:
        return ""  # two backticks with nothing between them are not code
    fence = "`" * (_longest_run(line) + 1)
    space = " " if line.startswith("`") or line.endswith("`") else ""
    return f"{fence}{space}{line}{space}{fence}"


def block(text: str, language: str) -> str:
    """Return a text as a block of code."""
    fence = "`" * max(3, _longest_run(text) + 1)
    return f"{fence}{language}\n{visible(text)}\n{fence}\n"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """Yield the lines of a table: first its head, in one piece, then each row. Cells are Markdown."""
    yield f"{_row(head)}{_row(['---'] * len(head))}"
    yield from map(_row, rows)


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", r"\|") for cell in cells) + " |\n"


def _line(text: str) -> str:
    return " ".join(visible(text).splitlines())


def _longest_run(text: str) -> int:
    return max(map(len, re.findall("`+", text)), default=0)

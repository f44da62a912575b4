"""The matrix: every scenario on every target, what is claimed of it, and what was seen."""

from __future__ import annotations

from dataclasses import dataclass

from idstorm.findings.results import Result, Stance, Status


@dataclass(frozen=True)
class Cell:
    """One check of one scenario on one target."""

    claim: Stance | None  #: None: there is nothing to claim, or it did not come to that
    status: Status | None
    result: Result
    seen: str  #: what was seen, in a few words, with its count and a witness; or why nothing was


@dataclass(frozen=True)
class Line:
    """One check of one scenario, on each target."""

    scenario: str
    check: str | None  #: None: no target came to a verdict
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class Matrix:
    """The whole table."""

    targets: tuple[str, ...]  #: the dialect and version of each, or its name where that is all that is known
    lines: tuple[Line, ...]

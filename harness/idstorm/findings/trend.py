"""How what was found of a scenario has changed over runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from idstorm.findings.results import Result


@dataclass(frozen=True)
class TrendRun:
    """One run of a trend."""

    run: str
    when: str  #: in ISO format, in UTC
    label: str | None
    commit: str | None
    result: Result


@dataclass(frozen=True)
class TrendLine:
    """One scenario on one target, with a place for each run; None: it was not in that run, or not measured."""

    scenario: str
    target: str
    results: tuple[Result | None, ...]
    wrong: tuple[tuple[str, ...], ...]  #: the checks and gates that made it fail, or left it inconclusive
    figures: Mapping[str, tuple[float | None, ...]]  #: by path


@dataclass(frozen=True)
class Trend:
    """Runs, the oldest first, and what was found in them."""

    runs: tuple[TrendRun, ...]
    lines: tuple[TrendLine, ...]
    left_out: tuple[str, ...] = ()  #: folders of runs that cannot be read, or have no report

    @property
    def paths(self) -> list[str]:
        """The figures that it follows."""
        return list(dict.fromkeys(path for line in self.lines for path in line.figures))

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON's own types."""
        return {"format": 1, **asdict(self)}

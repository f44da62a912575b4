"""The page of a report: verdicts, pictures, schedules, facts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from idstorm.findings.checks import in_order
from idstorm.findings.drawing import Drawing
from idstorm.findings.results import Result
from idstorm.findings.verdict import Report, StormReport
from idstorm.report.cleaned import cleaned
from idstorm.report.matrix_table import cell_words, grouped
from idstorm.report.page.gallery import Picture, pictures_of
from idstorm.report.page.rendering import render
from idstorm.report.schedule import Shown, exploration_words, shown_schedules
from idstorm.report.text import (
    control_words,
    failing_words,
    figure_words,
    gate_words,
    number_words,
    target_words,
    why_words,
    witness_words,
)


@dataclass(frozen=True)
class Section:
    """What the page has of one storm."""

    storm: StormReport
    pictures: tuple[Picture, ...]

    @property
    def target(self) -> str:
        """The target in words."""
        return target_words(self.storm)

    @property
    def why(self) -> str:
        """Why it did not pass."""
        return self.storm.ending or why_words(self.storm)

    @property
    def failing(self) -> str:
        """How many operations failed, if that is many."""
        return failing_words(self.storm.operations) if self.storm.operations else ""

    @property
    def exploration(self) -> str:
        """How much was explored, if anything was."""
        return "" if self.storm.explored is None else exploration_words(self.storm.explored)

    @property
    def schedules(self) -> list[Shown]:
        """The schedules that broke a check."""
        return [] if self.storm.explored is None else list(shown_schedules(self.storm.explored))

    @property
    def ledger(self) -> list[tuple[str, str]]:
        """To what missing ids are charged."""
        verdict = self.storm.verdicts.get("gapless")
        charged: Mapping[str, Any] = {} if verdict is None else verdict.figures.get("ledger", {})
        return [(cause.replace("_", " "), f"{number:,}") for cause, number in charged.items() if number]

    @property
    def facts(self) -> list[tuple[str, str]]:
        """What the database is set to."""
        return [(name, str(value)) for name, value in self.storm.target.get("facts", {}).items()]


def page(report: Report, drawings: Mapping[str, Drawing], made: Mapping[str, str] | None = None) -> str:
    """Return the page of a report.

    `drawings` has the pictures of its storms, by their names; some may have none. `made` says when, where and with what
    the run was made, in words.
    """
    report, made = cleaned(report), cleaned(made or {})
    storms = report.decisive if report.matrix is None else tuple(one for one in report.storms if _is_news(one))
    lines = () if report.matrix is None else report.matrix.lines
    checks = in_order(line.check for line in lines if line.check)
    return render(
        "page",
        report=report,
        storms=[Section(storm, tuple(pictures_of(drawings.get(storm.storm)))) for storm in storms],
        lines=[] if report.matrix is None else list(grouped(report.matrix)),
        checks=checks,
        number_of={check: place for place, check in enumerate(checks, 1)},
        controls=control_words(report),
        number_words=number_words,
        made=made,
        cell_words=cell_words,
        figure_words=figure_words,
        gate_words=gate_words,
        witness_words=witness_words,
    )


def _is_news(storm: StormReport) -> bool:
    """Whether a storm of a matrix has a section of its own: the table has what came out as claimed."""
    return storm.result in (Result.FAILED, Result.INCONCLUSIVE)

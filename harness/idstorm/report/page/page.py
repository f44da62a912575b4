"""One page of HTML for a report: verdicts, pictures, schedules, facts. It has no script, and asks for no other file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from idstorm.findings.drawing import Drawing
from idstorm.findings.results import Result, Status
from idstorm.findings.verdict import Report, StormReport
from idstorm.report.cleaned import cleaned
from idstorm.report.matrix_table import cell_words, grouped
from idstorm.report.page import pictures
from idstorm.report.schedule import Shown, exploration_words, shown_schedules
from idstorm.report.text import (
    MARKS,
    control_words,
    failing_words,
    figure_words,
    gate_words,
    look_of,
    target_words,
    why_words,
    witness_words,
)

_CLASSES = {Status.BROKEN: "lawful", Status.UNKNOWN: "na"}  # of what passed without having held


@dataclass(frozen=True)
class Picture:
    """One picture, with a sentence that says what to see."""

    heading: str
    svg: Markup
    words: str


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


def page(report: Report, drawings: Mapping[str, Drawing]) -> str:
    """Return the page of a report. `drawings` has the pictures of its storms, by their names; some may have none."""
    report = cleaned(report)
    storms = report.decisive if report.matrix is None else tuple(one for one in report.storms if _is_news(one))
    environment = Environment(
        loader=PackageLoader("idstorm.report.page", ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
    )
    return environment.get_template("page.html.jinja").render(
        report=report,
        storms=[Section(storm, tuple(_pictures(drawings.get(storm.storm)))) for storm in storms],
        lines=[] if report.matrix is None else list(grouped(report.matrix)),
        controls=control_words(report),
        marks=MARKS,
        class_of=_class_of,
        look_of=look_of,
        cell_words=cell_words,
        figure_words=figure_words,
        gate_words=gate_words,
        witness_words=witness_words,
    )


def _class_of(result: Result, status: Status | None = None) -> str:
    """Return the class that the page's style sheet has for a result."""
    if result is Result.PASSED and status in _CLASSES:
        return _CLASSES[status]
    return "na" if result is Result.NA else str(result)


def _is_news(storm: StormReport) -> bool:
    """Whether a storm of a matrix has a section of its own: the table has what came out as claimed."""
    return storm.result in (Result.FAILED, Result.INCONCLUSIVE)


def _pictures(drawing: Drawing | None) -> Iterator[Picture]:
    if drawing is None:
        return
    if drawing.bars:
        told = pictures.culprits(drawing.bars)
        words = f"Red bars are the operations of the first witness of {drawing.check}; a tick is when ids were told."
        yield Picture("A witness", Markup(pictures.witness(drawing)), f"{words} {told}{'.' if told else ''}".rstrip())
    if drawing.ids is not None and drawing.heat:
        words = "A rising line is a generator that counts; a falling one has handed ids out again; caches are stripes."
        yield Picture("Ids over time", Markup(pictures.ids_over_time(drawing)), words)
    yield Picture("Rate", Markup(pictures.rates(drawing)), "Green operations were acknowledged, red ones were not.")
    if any(drawing.latencies):
        words = "Of acknowledged operations: the median, 99 of 100, and the longest, on a scale of powers of ten."
        yield Picture("Latency", Markup(pictures.latencies(drawing)), words)

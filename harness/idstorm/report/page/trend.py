"""The page of a trend: a line for each scenario and target, with a square for each run and a curve for each figure."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from markupsafe import Markup

from idstorm.findings.trend import Trend, TrendRun
from idstorm.report.cleaned import cleaned
from idstorm.report.page.rendering import render
from idstorm.report.text import number_words
from idstorm.report.trend import last_trouble, left_out_words

_HIGH, _EACH = 34, 12


def trend_page(trend: Trend) -> str:
    """Return the page of a trend."""
    trend = cleaned(trend)
    rows = [
        (line, last_trouble(trend, line), [_curve(trend.runs, line.figures[path]) for path in trend.paths])
        for line in trend.lines
    ]
    return render("trend", trend=trend, rows=rows, left_out=left_out_words(trend) if trend.left_out else "")


def _curve(runs: Sequence[TrendRun], values: Sequence[float | None]) -> Markup:
    """Return a figure over the runs, each of which says what it is where one points at it."""
    known = [value for value in values if value is not None]
    if not known:
        return Markup("")
    least, wide = min(known), (max(known) - min(known)) or 1
    dots = [
        (place * _EACH + _EACH / 2, _HIGH - 4 - (value - least) / wide * (_HIGH - 8), run, value)
        for place, (run, value) in enumerate(zip(runs, values, strict=True))
        if value is not None
    ]
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y, _, _ in dots)
    marks = "".join(
        f'<circle class="dot" r="2.5" cx="{x:.1f}" cy="{y:.1f}"><title>{escape(run.when)} {escape(run.run)}: '
        f"{number_words(value)}</title></circle>"
        for x, y, run, value in dots
    )
    words = f"{number_words(known[0])} to {number_words(known[-1])}"
    width = len(runs) * _EACH
    return Markup(
        f'<svg class="curve" style="width:{width}px" viewBox="0 0 {width} {_HIGH}" role="img" aria-label="{words}">'
        f'<polyline class="curve" points="{line}"/>{marks}</svg> {words}'
    )

"""A trend for a terminal: a line for each scenario and target, a mark for each run, and its figures as small bars."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from idstorm.findings.results import Result
from idstorm.findings.trend import Trend, TrendLine
from idstorm.report.cleaned import cleaned
from idstorm.report.text import MARKS, STYLES, number_words

_BARS = "▁▂▃▄▅▆▇█"
_MOST, _FEWEST = 40, 8  # runs that a line of a terminal shows: the newest
_WORDS = 60  # columns that are left to the words of a line


def show_trend(console: Console, trend: Trend) -> None:
    """Print a trend. The newest run is on the right."""
    trend = cleaned(trend)
    paths = trend.paths
    most = max(_FEWEST, min(_MOST, (console.width - _WORDS) // (1 + len(paths))))
    rows: list[tuple[Text, ...]] = [
        (
            Text(line.scenario),
            Text(line.target),
            Text.assemble(*((_mark(result), _style(result)) for result in line.results[-most:])),
            *(Text(bars_of(line.figures[path][-most:])) for path in paths),
            Text(last_trouble(trend, line)),
        )
        for line in trend.lines
    ]
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for place, name in enumerate(("scenario", "target", "runs", *paths, "last trouble")):
        marks = 2 <= place < 3 + len(paths)  # which never give way to words
        widest = max((len(row[place]) for row in rows), default=1)
        table.add_column(name, overflow="fold", min_width=widest if marks else min(widest, _FEWEST))
    for row in rows:
        table.add_row(*row)
    console.print(table)
    for words in _around(trend, most):
        console.print(Text(words, "dim"), soft_wrap=True)


def _around(trend: Trend, most: int) -> Iterator[str]:
    """Yield what the table does not say: how all runs ended, and which are not in it."""
    first, last = trend.runs[0].when, trend.runs[-1].when
    results = Counter(run.result for run in trend.runs)
    counted = ", ".join(f"{number:,} {result}" for result, number in results.items())
    yield f"{counted}; {first} to {last}, the newest on the right"
    if len(trend.runs) > most:
        yield f"the newest {most} of {len(trend.runs):,} are shown: --html shows all"
    if trend.left_out:
        yield left_out_words(trend)


def left_out_words(trend: Trend) -> str:
    """Return which runs are not part of a trend."""
    return f"left out, since there is no report that can be read: {', '.join(trend.left_out)}"


def last_trouble(trend: Trend, line: TrendLine) -> str:
    """Return in which run something last went wrong, and what."""
    for place in range(len(trend.runs) - 1, -1, -1):
        if line.results[place] in (Result.FAILED, Result.INCONCLUSIVE):
            wrong = ", ".join(line.wrong[place]) or str(line.results[place])
            return f"{wrong} in {trend.runs[place].run}"
    return ""


def bars_of(values: Sequence[float | None]) -> str:
    """Return a bar for each value, from the least to the most of them, and the newest that is known in digits."""
    known = [value for value in values if value is not None]
    if not known:
        return ""
    least, wide = min(known), max(known) - min(known)

    def bar(value: float | None) -> str:
        return " " if value is None else _BARS[int((value - least) / wide * (len(_BARS) - 1)) if wide else 0]

    return f"{''.join(map(bar, values))} {number_words(known[-1])}"


def _mark(result: Result | None) -> str:
    return " " if result is None else MARKS[result]


def _style(result: Result | None) -> str:
    return "" if result is None else STYLES[result]

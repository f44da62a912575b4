"""What runs have found, one after another: results and chosen figures of each scenario on each target."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from idstorm.findings.results import Result
from idstorm.findings.trend import Trend, TrendLine, TrendRun
from idstorm.findings.verdict import Report, StormReport
from idstorm.judge.gates import figure_of

Key = tuple[str, str]

_RANKED = (Result.NA, Result.PASSED, Result.INCONCLUSIVE, Result.FAILED)
_LARGEST = 1e300  # of a figure: a difference of two is a number as well


def trend(runs: Sequence[tuple[TrendRun, Report]], figures: Sequence[str], left_out: Sequence[str] = ()) -> Trend:
    """Return the trend of runs, the oldest first, and of these figures, by their paths in a report.

    `left_out` are the folders of those that are not among them, since they have no report.
    """
    keys = list(dict.fromkeys(_key(storm) for _, report in runs for storm in report.decisive))
    lines = (_line(key, [_worst(key, report) for _, report in runs], figures) for key in keys)
    return Trend(tuple(run for run, _ in runs), tuple(lines), tuple(left_out))


def _worst(key: Key, report: Report) -> StormReport | None:
    """Return the storm of a scenario on a target, the worst where a run has several; None: it has none."""
    storms = [storm for storm in report.decisive if _key(storm) == key]
    return max(storms, key=lambda storm: _RANKED.index(storm.result), default=None)


def _key(storm: StormReport) -> Key:
    return storm.scenario, str(storm.target["name"])


def _line(key: Key, storms: Sequence[StormReport | None], figures: Sequence[str]) -> TrendLine:
    return TrendLine(
        *key,
        tuple(None if storm is None else storm.result for storm in storms),
        tuple(() if storm is None else tuple(_wrong(storm)) for storm in storms),
        {path: tuple(None if storm is None else _figure(path, storm) for storm in storms) for path in figures},
    )


def _wrong(storm: StormReport) -> Iterator[str]:
    """Yield the names of what decided a storm that did not pass."""
    if storm.result in (Result.FAILED, Result.INCONCLUSIVE):
        yield from (name for name, verdict in storm.verdicts.items() if verdict.result is storm.result)
        yield from (gate.gate for gate in storm.gates if gate.result is storm.result)


def _figure(path: str, storm: StormReport) -> float | None:
    """Return a figure; None: it was not measured, or what the stored report has there is not a number."""
    found: object = figure_of(path, storm.operations, storm.verdicts) if storm.operations else None
    is_number = isinstance(found, int | float) and not isinstance(found, bool) and abs(found) < _LARGEST
    return found if is_number else None  # type: ignore[return-value]

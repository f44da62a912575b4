"""One scenario on several targets: the results, side by side, and where they differ."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from idstorm.findings.checks import CHECKS, in_order
from idstorm.findings.results import Status
from idstorm.findings.verdict import Comparison, StormReport


def compare(storms: Sequence[StormReport]) -> tuple[Comparison, ...]:
    """Return a comparison for each scenario that was stormed on more than one target.

    Explorations are compared with those at the same isolation level.
    """
    groups: dict[tuple[str, str | None], list[StormReport]] = {}
    for storm in storms:
        level = None if storm.explored is None else storm.explored["isolation"]
        groups.setdefault((storm.scenario, level), []).append(storm)
    return tuple(_side_by_side(group) for group in groups.values() if len(group) > 1)


def _side_by_side(storms: Sequence[StormReport]) -> Comparison:
    verdicts = {
        check: tuple(storm.verdicts[check].status if check in storm.verdicts else None for storm in storms)
        for check in in_order([*CHECKS, *(check for storm in storms for check in storm.verdicts)])
    }
    return Comparison(
        scenario=storms[0].scenario,
        targets=_names(storms),
        results=tuple(storm.result for storm in storms),
        verdicts=verdicts,
        figures=_figures(storms),
        differs=tuple(check for check, statuses in verdicts.items() if len(set(statuses) - {None, Status.NA}) > 1),
    )


def _names(storms: Sequence[StormReport]) -> tuple[str, ...]:
    names = [
        f"{storm.target['dialect']} {storm.target['server']}" if "dialect" in storm.target else storm.target["name"]
        for storm in storms
    ]
    if len(set(names)) < len(names):
        names = [storm.target["name"] for storm in storms]
    return tuple(names)


def _figures(storms: Sequence[StormReport]) -> dict[str, tuple[Any, ...]]:
    """Return the figures that are numbers, without those that are zero everywhere."""
    columns = [_flat(storm) for storm in storms]
    paths = dict.fromkeys(path for column in columns for path in column)
    rows = {path: tuple(column.get(path) for column in columns) for path in paths}
    return {path: row for path, row in rows.items() if any(row)}


def _flat(storm: StormReport) -> dict[str, Any]:
    operations = storm.operations
    if not operations:
        return {}
    figures = {
        "operations.per_second": operations["per_second"],
        "operations.acknowledged": operations["acknowledged"],
        "operations.failed": operations["failed"],
        "operations.unknown": operations["unknown"],
        **{f"operations.latency_ms.{name}": value for name, value in operations["latency_ms"].items()},
        **{f"errors.{code}": number for code, number in operations["errors"]["by_code"].items()},
    }
    for check, verdict in storm.verdicts.items():
        if check != "pressure":  # its counts are among the operations
            figures |= {
                f"{check}.{name}": value for name, value in verdict.figures.items() if not isinstance(value, dict)
            }
    return figures

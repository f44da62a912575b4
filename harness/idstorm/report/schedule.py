"""A schedule in columns: a client each, a line a step, and what came of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.table import Table
from rich.text import Text

from idstorm.findings.results import Result, Status
from idstorm.findings.schedules import NAMES, SETTLED, named
from idstorm.findings.verdict import StormReport, Verdict

_RIGHT = ("unique", "durable", "faithful")  # whatever a scenario claims of them
_LONGEST = 300  # characters of a statement


def exploration_words(explored: Mapping[str, Any]) -> str:
    """Return how much was explored, in a line."""
    number = explored["schedules"]
    by = ", ".join(f"{times:,} with {cost}" for cost, times in explored["by_preemptions"].items())
    rate = number / explored["seconds"] if explored["seconds"] else 0.0
    reader = " and a reader" if explored["reader"] else ""
    level = "" if explored["isolation"] is None else f" · {explored['isolation']}"
    each = "1 operation" if explored["operations"] == 1 else f"{explored['operations']} operations"
    return (
        f"{explored['clients']} clients of {each}{reader}{level} · {number:,} schedules in {explored['seconds']:.1f} s "
        f"({rate:.0f}/s) · by preemptions: {by or 'none'}"
    )


def level_words(storms: Sequence[StormReport]) -> list[str]:
    """Return, for each scenario that was explored at several isolation levels of a target, from which on it is safe."""
    series: dict[tuple[str, str], list[StormReport]] = {}
    for storm in storms:
        series.setdefault((storm.scenario, str(storm.target["name"])), []).append(storm)
    return [
        f"{name} on {target}: {_from_which(of)}"
        for (name, target), of in series.items()
        if len({one.explored["isolation"] for one in of if one.explored is not None and not one.operations}) > 1
    ]


def _from_which(storms: Sequence[StormReport]) -> str:
    """Return from which isolation level on all that is claimed, and has to be right, held, and what that costs."""
    safe = list[Mapping[str, Any]]()
    for storm in reversed(storms):  # from the strictest level on
        if storm.explored is None or not all(map(_is_right, storm.verdicts.items())):
            break
        safe.append(storm.explored)
    if not safe:
        known = any(verdict.status is Status.BROKEN for name, verdict in storms[-1].verdicts.items() if name in _RIGHT)
        failed = any(verdict.result is Result.FAILED for verdict in storms[-1].verdicts.values())
        return "not safe at any isolation level" if known or failed else "from which isolation level on is not known"
    refused = sum(safe[-1]["raced"].values())
    retry = f"; in {refused} of {safe[-1]['schedules']:,} schedules an operation is refused, and has to be retried"
    return f"safe from {safe[-1]['isolation']} on{retry if refused else ''}"


def _is_right(named: tuple[str, Verdict]) -> bool:
    name, verdict = named
    return verdict.result is not Result.FAILED and (name not in _RIGHT or verdict.status is Status.HELD)


def explore_words(storm: StormReport) -> str:
    """Return what to do about a storm that failed by what an exploration may settle; else ""."""
    broken = [name for name, verdict in storm.verdicts.items() if name in SETTLED and verdict.result is Result.FAILED]
    return f"--explore-failures shows the schedule that breaks {broken[0]}" if broken else ""


@dataclass(frozen=True)
class Shown:
    """A schedule in columns."""

    heading: str
    columns: tuple[str, ...]
    lines: tuple[tuple[str, ...], ...]  #: a cell for each column
    told: tuple[str, ...]  #: what became of each client


def schedule_tables(explored: Mapping[str, Any]) -> Iterator[Text | Table]:
    """Yield each schedule that broke a check; one that broke several is shown once."""
    for shown in shown_schedules(explored):
        yield Text(shown.heading, "bold")
        yield _table(shown)


def shown_schedules(explored: Mapping[str, Any]) -> Iterator[Shown]:
    """Yield each schedule that broke a check; one that broke several is shown once."""
    by_clients: dict[tuple[int, ...], list[Mapping[str, Any]]] = {}
    for broken in explored["broken"]:
        by_clients.setdefault(tuple(broken["clients"]), []).append(broken)
    number = explored["clients"]
    columns = (*NAMES[:number], *([f"{NAMES[number]} (reader)"] if explored["reader"] else []))
    for clients, several in by_clients.items():
        checks = ", ".join(one["check"] for one in several)
        first = several[0]
        cost = f"{first['preemptions']} preemption{'' if first['preemptions'] == 1 else 's'}"
        there = f", {first['rows']:,} rows being there" if first["rows"] else ""
        yield Shown(
            f"{checks}: broken by schedule {first['number']:,}, with {cost} ({named(*clients)}){there}",
            columns,
            tuple(_cells(len(columns), *move) for move in first["moves"]),
            tuple(f"= {words}" if words else "" for words in [*first["told"], *[""] * len(columns)][: len(columns)]),
        )


def _table(shown: Shown) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold", show_edge=False)
    for name in shown.columns:
        table.add_column(name, ratio=1, overflow="fold")
    for cells in shown.lines:
        table.add_row(*map(Text, cells))
    table.add_row(*(Text(words, "dim") for words in shown.told))
    return table


def _cells(columns: int, client: int, step: str, answer: str) -> tuple[str, ...]:
    shown = step if len(step) <= _LONGEST else f"{step[:_LONGEST]} …"
    if not step:
        shown = "… goes on"
    words = f"{shown}  -- {answer}" if answer else shown
    return tuple(words if column == client else "" for column in range(columns))

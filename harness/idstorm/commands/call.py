"""`idstorm.run(...)` and `idstorm.explore(...)`: what the commands do, in a script, a notebook or a test."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from idstorm.catalogue import Found
from idstorm.commands.explore import ExploreRequest, explored
from idstorm.commands.outcome import StormResult
from idstorm.commands.references import found_of, path_here
from idstorm.commands.run import Request
from idstorm.commands.run import run as storm
from idstorm.errors import UsageError
from idstorm.explore.bounds import Bounds
from idstorm.options import options_of
from idstorm.scenario import Scenario


def run(
    *scenarios: str | type | Scenario,
    on: str | tuple[str, ...] | list[str] = "sqlite",
    results: str | Path = "results",
    **options: object,
) -> StormResult:
    """Storm mapped classes, scenarios, or references to them, and return the result.

    `on` is one or several targets, as `--on` takes them; the other options are those of `idstorm run`, with
    underscores, each as a word or a value (times in seconds). A class or a scenario has to be at the top level of a
    module, since the clients are in other processes: a script calls this under ``if __name__ == "__main__":``, and a
    notebook imports its models. Raises UsageError for what cannot be done as asked, and EnvironmentFault where the
    results cannot be written; what goes wrong with a storm is in its result.
    """
    report = storm(
        Request(
            scenarios=_found(scenarios, "run"),
            on=(on,) if isinstance(on, str) else tuple(on),
            options=options_of(options).resolved(),
            results=Path(results),
            path=path_here(),
        )
    )
    return StormResult(report, Path(report.folder))


def explore(
    *scenarios: str | type | Scenario,
    on: str | tuple[str, ...] | list[str] = "sqlite",
    clients: int = 2,
    operations: int | None = None,
    max_preemptions: int | None = None,
    max_schedules: int | None = None,
    max_time: float | None = None,
    results: str | Path = "results",
    **options: object,
) -> StormResult:
    """Step the clients of mapped classes or scenarios through their statements in every order, and return the result.

    The bounds are those of `idstorm explore` (`max_time` in seconds), the other options those that it has in common
    with `idstorm run`. What is said of `run` about modules, and about errors, holds here, too.
    """
    bounds = Bounds(operations, max_preemptions, max_schedules, max_time)
    report = explored(
        ExploreRequest(
            scenarios=_found(scenarios, "explore"),
            on=(on,) if isinstance(on, str) else tuple(on),
            clients=clients,
            bounds=bounds,
            options=options_of(options),
            results=Path(results),
            path=path_here(),
        )
    )
    return StormResult(report, Path(report.folder))


def _found(scenarios: Sequence[str | type | Scenario], function: str) -> tuple[Found, ...]:
    """Return the scenarios that were asked for. Raises UsageError in a worker, which only imports the file."""
    if "IDSTORM_WORKER" in os.environ:
        raise UsageError(
            f"idstorm.{function} was called while a worker imported this file: call it under if __name__ == '__main__':"
        )
    here = sys.modules.get("__main__")
    return tuple(one for asked in scenarios for one in found_of(asked, here))

"""`idstorm.run(...)`: a run in a script or a notebook."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from idstorm.commands.outcome import StormResult
from idstorm.commands.references import found_of
from idstorm.commands.run import Request
from idstorm.commands.run import run as storm
from idstorm.errors import UsageError
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
    if "IDSTORM_WORKER" in os.environ:
        raise UsageError(
            "idstorm.run was called while a worker imported this file: call it under if __name__ == '__main__':"
        )
    here = sys.modules.get("__main__")
    report = storm(
        Request(
            scenarios=tuple(one for asked in scenarios for one in found_of(asked, here)),
            on=(on,) if isinstance(on, str) else tuple(on),
            options=options_of(options).resolved(),
            results=Path(results),
            path=tuple(dict.fromkeys(os.path.abspath(path) for path in sys.path)),
        )
    )
    return StormResult(report, Path(report.folder))

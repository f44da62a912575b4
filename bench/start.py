"""How fast idstorm starts: its `--help` beside `import click`, and a small storm from command to verdict."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Sequence
from statistics import median

from bench.figures import Figure, Measured, cpu_of

HELP_LIMIT, STORM_LIMIT = 2.0, 3.0


def measure(*, quick: bool, on: Sequence[str]) -> Measured:
    """Alternate the two, and storm a few times."""
    alternations, storms = (5, 1) if quick else (20, 5)
    idstorm = [sys.executable, "-m", "idstorm"]
    click, help_ = [], []
    for _ in range(alternations):
        click.append(cpu_of([sys.executable, "-c", "import click"]))
        help_.append(cpu_of([*idstorm, "--help"]))
    with tempfile.TemporaryDirectory(prefix="idstorm-bench-") as folder:
        storm = [*idstorm, "run", "autoincrement", "-n", "500", "--results", folder]
        whole = [cpu_of(storm) for _ in range(storms)]
    figures = (
        Figure("import click", median(click) * 1e3, "ms"),
        Figure("idstorm --help", median(help_) * 1e3, "ms"),
        Figure("idstorm --help / import click", median(help_) / median(click), at_most=HELP_LIMIT),
        Figure("idstorm run autoincrement -n 500", median(whole), "s", at_most=STORM_LIMIT),
    )
    method = f"CPU, user and system, of processes and their children; medians of {alternations} and {storms} runs"
    return Measured("start", method, figures, {"click": click, "help": help_, "storm": whole})

"""How fast idstorm starts: its `--help` beside `import click`, and a small storm from command to verdict.

Beside it, what its plugin costs a test suite that does not use it.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
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
        suite = Path(folder, "test_nothing.py")
        suite.write_text("def test_nothing(): ...\n")
        pytest = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", str(suite)]
        unused, absent = [], []
        for _ in range(alternations):
            unused.append(cpu_of(pytest))
            absent.append(cpu_of([*pytest, "-p", "no:idstorm"]))
        storm = [*idstorm, "run", "autoincrement", "-n", "500", "--results", folder]
        whole = [cpu_of(storm) for _ in range(storms)]
    figures = (
        Figure("import click", median(click) * 1e3, "ms"),
        Figure("idstorm --help", median(help_) * 1e3, "ms"),
        Figure("idstorm --help / import click", median(help_) / median(click), at_most=HELP_LIMIT),
        Figure("pytest with the plugin unused / without it", median(unused) / median(absent)),
        Figure("idstorm run autoincrement -n 500", median(whole), "s", at_most=STORM_LIMIT),
    )
    method = f"CPU, user and system, of processes and their children; medians of {alternations} and {storms} runs"
    return Measured("start", method, figures, {"click": click, "help": help_, "storm": whole, "unused": unused})

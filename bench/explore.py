"""How many schedules a second are played on each database: of a read, a write and a read back, by two clients."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from bench.figures import Figure, Measured
from bench.servers import opened
from idstorm.databases.targets import variable_of

SCENARIO = "hilo:read_then_write"  # some hundred schedules, of eight steps
RATES = {"sqlite": 100.0, "postgresql": 25.0, "mysql": 25.0, "mariadb": 25.0}


def measure(*, quick: bool, on: Sequence[str]) -> Measured:
    """Explore a scenario some times, the databases in turn."""
    times = 1 if quick else 5
    rates: dict[str, list[float]] = {}
    with opened(on) as found, tempfile.TemporaryDirectory(prefix="idstorm-bench-") as folder:
        servers = {variable_of(dialect): server.url for dialect, server in found.servers.items()}
        for _ in range(times):
            for dialect in found.urls:
                rates.setdefault(dialect, []).append(_rate(dialect, {**os.environ, **servers}, Path(folder)))
    figures = tuple(
        Figure(f"schedules of {SCENARIO} on {dialect}", median(some), "/s", at_least=RATES[dialect])
        for dialect, some in rates.items()
    )
    method = f"schedules by the wall clock, without the start of their process; medians of {times} explorations"
    return Measured("explore", method, figures, rates, tuple(found.left_out))


def _rate(dialect: str, environ: dict[str, str], folder: Path) -> float:
    report = folder / "report.json"
    command = [sys.executable, "-m", "idstorm", "explore", SCENARIO, "--on", dialect, "--results", str(folder)]
    subprocess.run([*command, "-q", "--json", str(report)], env=environ, check=True, stdout=subprocess.DEVNULL)
    (storm,) = json.loads(report.read_text())["storms"]
    return float(storm["explored"]["schedules"] / storm["explored"]["seconds"])

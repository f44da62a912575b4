"""How many schedules a second are played on each database, and how long all of a small race take beside frontrun.

The first are of a read, a write and a read back, by two clients. frontrun steps Python's own operations as well, so it
tries more for the same answer; it times out on counters under FOR UPDATE, and on SQLite.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Sequence
from pathlib import Path
from statistics import median

import sqlalchemy as sa

import idstorm
from bench.figures import Figure, Measured
from bench.servers import opened
from idstorm.databases.targets import variable_of

SCENARIO = "hilo:read_then_write"  # some hundred schedules, of eight steps
RATES = {"sqlite": 100.0, "postgresql": 25.0, "mysql": 25.0, "mariadb": 25.0}


FRONTRUN = "frontrun==0.7.0"
FASTER = 5.0


def measure(*, quick: bool, on: Sequence[str]) -> Measured:
    """Explore a scenario some times, the databases in turn."""
    times = 1 if quick else 5
    rates: dict[str, list[float]] = {}
    with opened(on) as found, tempfile.TemporaryDirectory(prefix="idstorm-bench-") as folder:
        servers = {variable_of(dialect): server.url for dialect, server in found.servers.items()}
        for _ in range(times):
            for dialect in found.urls:
                rates.setdefault(dialect, []).append(_rate(dialect, {**os.environ, **servers}, Path(folder)))
        beside = _beside(found.urls["postgresql"], times) if "postgresql" in found.urls else ()
    figures = tuple(
        Figure(f"schedules of {SCENARIO} on {dialect}", median(some), "/s", at_least=RATES[dialect])
        for dialect, some in rates.items()
    )
    method = f"schedules by the wall clock, without the start of their process; medians of {times} explorations"
    return Measured("explore", method, (*figures, *beside), rates, tuple(found.left_out))


def _rate(dialect: str, environ: dict[str, str], folder: Path) -> float:
    report = folder / "report.json"
    command = [sys.executable, "-m", "idstorm", "explore", SCENARIO, "--on", dialect, "--results", str(folder)]
    subprocess.run([*command, "-q", "--json", str(report)], env=environ, check=True, stdout=subprocess.DEVNULL)
    (storm,) = json.loads(report.read_text())["storms"]
    return float(storm["explored"]["schedules"] / storm["explored"]["seconds"])


def _beside(url: sa.URL, times: int) -> tuple[Figure, ...]:
    """Measure both tools on max(number) + 1 by two clients, in turn, until each has tried all that it tries."""
    python = _environment()
    plain = url.set(drivername="postgresql").render_as_string(hide_password=False)
    ours, theirs = list[float](), list[float]()
    for _ in range(times):
        ours.append(_interleaved(url))
        command = [
            str(python.with_name("frontrun")),
            str(python),
            str(Path(__file__).with_name("by_frontrun.py")),
            plain,
        ]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        theirs.append(float(done.stdout.split()[1]))
    ratios = sorted(their / our for our, their in zip(ours, theirs, strict=True))
    words = "times as fast as frontrun with max + 1 on postgresql"
    return (Figure(words, median(ratios), "x", at_least=FASTER),)


def _environment() -> Path:
    """Return the Python of an environment in which frontrun is."""
    folder = Path(__file__).parents[1] / ".cache" / "frontrun"
    python = folder / "bin" / "python"
    if not (folder / "bin" / "frontrun").exists():
        venv.create(folder, with_pip=True, clear=True)
        install = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*install, FRONTRUN, "psycopg[binary]>=3.2"], check=True)
    return python


def _interleaved(url: sa.URL) -> float:
    """Return the seconds in which `interleave` tries all schedules of the task."""
    engine = sa.create_engine(url)

    def setup() -> None:
        with engine.begin() as connection:
            connection.exec_driver_sql("DROP TABLE IF EXISTS taken")
            connection.exec_driver_sql("CREATE TABLE taken (id serial PRIMARY KEY, number int)")

    def take() -> None:
        with engine.begin() as connection:
            number = connection.exec_driver_sql("SELECT coalesce(max(number), 0) + 1 FROM taken").scalar_one()
            connection.exec_driver_sql("INSERT INTO taken (number) VALUES (%s)", (number,))

    began = time.monotonic()
    found = idstorm.interleave(take, take, setup=setup, invariant=lambda: True)
    assert found.schedules > 1
    engine.dispose()
    return time.monotonic() - began

"""What a benchmark measured: on the terminal as a table, in `bench/results/` as JSON."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

RESULTS = Path(__file__).parent / "results"


@dataclass(frozen=True)
class Figure:
    """One number that was measured."""

    name: str
    value: float
    unit: str = ""
    interval: tuple[float, float] | None = None  #: 95 %, by bootstrap
    at_most: float | None = None
    at_least: float | None = None

    @property
    def met(self) -> bool | None:
        """Whether the target was met; None where there is none."""
        if self.at_most is None and self.at_least is None:
            return None
        return (self.at_most is None or self.value <= self.at_most) and (
            self.at_least is None or self.value >= self.at_least
        )


@dataclass(frozen=True)
class Measured:
    """What one benchmark found, how it was found, and the raw numbers behind it."""

    name: str
    method: str
    figures: tuple[Figure, ...]
    raw: Any = None
    left_out: tuple[str, ...] = ()  #: what could not be measured, and why

    def save(self) -> Path:
        """Write all of it down. Returns where."""
        RESULTS.mkdir(exist_ok=True)
        path = RESULTS / f"{self.name}.json"
        figures = [{**asdict(figure), "met": figure.met} for figure in self.figures]
        machine = {
            "processors": os.cpu_count(),
            "python": sys.version,
            "platform": sys.platform,
            "load": os.getloadavg(),
        }
        whole = {"name": self.name, "method": self.method, "machine": machine, "figures": figures}
        whole |= {"left_out": self.left_out, "raw": self.raw}
        path.write_text(json.dumps(whole, indent=2) + "\n")
        return path

    def show(self, console: Console) -> None:
        """Print the figures beside their targets."""
        table = Table(title=self.name, caption=self.method, title_justify="left", caption_justify="left")
        table.add_column("figure", no_wrap=True)
        for heading in ("measured", "95 %", "target"):
            table.add_column(heading, justify="right", no_wrap=True)
        table.add_column("")
        for figure in self.figures:
            table.add_row(
                figure.name,
                f"{_short(figure.value)} {figure.unit}".rstrip(),
                "" if figure.interval is None else " – ".join(_short(end) for end in figure.interval),
                _target(figure),
                {None: "", True: "[green]met[/]", False: "[red]missed[/]"}[figure.met],
            )
        console.print(table)
        for left in self.left_out:
            console.print(f"left out: {left}", style="yellow", markup=False, highlight=False)


def cpu_of(command: Sequence[str]) -> float:
    """Run a command and return the CPU seconds, user and system, of it and of all its children."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def peak() -> int:
    """Return the bytes of memory that this process has held at most."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def resident() -> int:
    """Return the bytes of memory that this process holds now; where the system has no /proc, has held at most."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()
    except OSError:
        return peak()


def _short(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def _target(figure: Figure) -> str:
    if figure.at_most is not None:
        return f"≤ {_short(figure.at_most)}"
    return "" if figure.at_least is None else f"≥ {_short(figure.at_least)}"

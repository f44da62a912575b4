"""How fast a finished storm is judged, and how much memory that takes: all checks over a long synthetic history."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from statistics import median
from typing import Any

from bench.figures import Figure, Measured
from bench.judging import CLIENTS

KINDS = {"int64": "64-bit ids", "uuid": "128-bit ids"}  # dense the ones, random the others
JUDGED = "int64"
RATE, BYTES = 5_000_000, 100


def measure(*, quick: bool, on: Sequence[str]) -> Measured:
    """Judge a few times, each in a fresh process."""
    operations, times = (1_000_000, 1) if quick else (10_000_000, 3)
    runs = {kind: [_judge(kind, operations) for _ in range(times)] for kind in KINDS}
    figures = []
    for kind, words in KINDS.items():
        of_kind, aim = runs[kind], kind == JUDGED
        rate = operations / median(run["seconds"] for run in of_kind)
        peak, columns = (max(run["bytes"][what] for run in of_kind) / operations for what in ("peak", "columns"))
        figures += [
            Figure(f"{words}: operations a second", rate, at_least=RATE if aim else None),
            Figure(f"{words}: memory at the peak", peak, "B an operation", at_most=BYTES if aim else None),
            Figure(f"{words}: of that, columns", columns, "B an operation"),
        ]
        for check in of_kind[0]["checks"]:
            figures.append(Figure(f"{words}: {check}", median(run["checks"][check] for run in of_kind) * 1e3, "ms"))
    method = (
        f"{operations:,} operations of {CLIENTS} clients, one row each, with their census; medians of {times} fresh "
        "processes; memory is the resident peak beyond that before the columns were made, columns included"
    )
    return Measured("judge", method, tuple(figures), runs)


def _judge(kind: str, operations: int) -> dict[str, Any]:
    command = [sys.executable, "-m", "bench.judging", kind, str(operations)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    judged: dict[str, Any] = json.loads(done.stdout)
    wrong = {check: status for check, status in judged["found"].items() if status not in ("held", "n/a")}
    if wrong:
        raise RuntimeError(f"a storm without faults was judged otherwise: {wrong}")
    return judged

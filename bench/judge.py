"""How fast a finished storm is judged, how much memory that takes, and whether both grow with its length alone.

All checks over long synthetic histories with faults planted in them, up to 100 million operations; beside them, in the
same run, a plain sort of the ids, and the same questions asked of DuckDB in SQL.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from math import log
from typing import Any

from bench.figures import Figure, Measured
from bench.judging import CLIENTS
from bench.synthetic import PLANTED

FOUR = ("unique", "durable", "faithful", "gapless")
SIX = (*FOUR, "ordered", "visible")
LONGEST = 100_000_000
GIBIBYTE = 1 << 30


def measure(*, quick: bool, on: Sequence[str]) -> Measured:
    """Judge histories of growing length, each in a fresh process."""
    longest = LONGEST // 10 if quick else LONGEST
    sizes = [size - size % CLIENTS for size in (longest // 100, longest // 10, longest)]
    runs = [_run("judging", "int64", size) for size in sizes]
    for size, run in zip(sizes, runs, strict=True):
        _see_that_it_found_all(size, run["found"])
    figures = []
    for size, run in zip(sizes, runs, strict=True):
        four, six = (sum(run["checks"][check] for check in checks) for checks in (FOUR, SIX))
        last = size == sizes[-1]
        figures += [
            Figure(f"{size:,}: operations a second, {', '.join(FOUR)}", size / four, at_least=1e7 if last else None),
            Figure(f"{size:,}: with ordered and visible", size / six, at_least=4e6 if last else None),
            Figure(f"{size:,}: all checks and figures", size / run["seconds"]),
            Figure(f"{size:,}: memory", run["bytes"]["resident"] / GIBIBYTE, "GiB", at_most=8 if last else None),
        ]
    exponent = log(runs[-1]["seconds"] / runs[0]["seconds"]) / log(sizes[-1] / sizes[0])
    figures.append(Figure("exponent of the time", exponent, at_most=1.1))
    figures += [Figure(f"{sizes[-1]:,}: {name}", value, "s") for name, value in runs[-1]["checks"].items()]
    middle, judged = sizes[1], runs[1]["checks"]
    four = sum(judged[check] for check in FOUR)
    asked = {how: _run("asking", how, middle) for how in ("sort", "duckdb") if how != "duckdb" or find_spec("duckdb")}
    figures += [Figure(f"{middle:,}: time of {how} / of the four", run["seconds"] / four) for how, run in asked.items()]
    wide = _run("judging", "uuid", middle)
    figures.append(Figure(f"{middle:,} random 128-bit ids: all checks, operations a second", middle / wide["seconds"]))
    scoped = [_run("judging", scopes, middle) for scopes in ("1", "10000")]
    slower = scoped[1]["seconds"] / scoped[0]["seconds"]
    figures.append(Figure(f"{middle:,} ids: time of 10,000 scopes / of one", slower, at_most=1.5))
    method = (
        f"{CLIENTS} clients, one row an operation, with census and reader, {PLANTED} faults of each kind planted; each "
        "size once, in a fresh process; memory is the resident peak of the whole process, the columns included"
    )
    left_out = () if "duckdb" in asked else ("duckdb is not installed",)
    return Measured(
        "judge", method, tuple(figures), {"judged": runs, "asked": asked, "wide": wide, "scoped": scoped}, left_out
    )


def _run(module: str, what: str, operations: int) -> dict[str, Any]:
    command = [sys.executable, "-m", f"bench.{module}", what, str(operations)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def _see_that_it_found_all(size: int, found: dict[str, dict[str, int]]) -> None:
    counted = {
        "lost": found["durable"]["lost"],
        "revived": found["durable"]["revived"],
        "duplicated": found["unique"]["duplicated"],
    }
    wrong = {fault: number for fault, number in counted.items() if number < PLANTED}
    if wrong or found["faithful"]["misattributed"] < 2 * PLANTED or found["visible"]["skipped"]:
        raise RuntimeError(f"of {size:,} operations the planted faults were not all found: {found}")

"""What idstorm adds to an insert, beside a bare loop that does the same over the same SQLAlchemy API.

Three variants take turns, each two processes of four threads: idstorm's clients, the bare loop, and the bare loop once
more, which shows how far chance alone goes. The order changes from turn to turn, and now and then all processes are
replaced, since one process may be luckier with its memory than another.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray

from bench.figures import Figure, Measured
from bench.inserter import SCENARIOS, Round
from bench.servers import Opened, opened
from idstorm.databases.registry import DATABASES

LIMIT = 1.03
PROCESSES, CLIENTS, INSERTS = 2, 8, 2_000
VARIANTS = {"idstorm": "idstorm", "bare": "bare", "again": "bare"}
REFERENCE = "bare"

_WARM_UP, _RESAMPLES = 200, 4_000

Totals = NDArray[np.float64]
"""Of each generation of processes: rows, seconds of CPU, seconds of wall time."""


@dataclass(frozen=True)
class Turn:
    """One round of one variant."""

    generation: int
    work: str
    variant: str
    rows: int  #: acknowledged, and found in the table
    cpu: float  #: seconds, of both processes
    wall: float  #: seconds, of the slower one


def measure(*, quick: bool, on: Sequence[str]) -> Measured:
    """Let the variants take turns, and compare."""
    generations, served, rounds = (3, 2, 1) if quick else (7, 3, 3)
    figures, raw = list[Figure](), dict[str, list[dict[str, Any]]]()
    with opened(on) as databases:
        for dialect in databases.urls:
            base, many = _base(dialect, databases), generations if dialect == "sqlite" else served
            turns = [turn for generation in range(many) for turn in _generation(generation, rounds, base)]
            figures += [figure for work in SCENARIOS for figure in _figures(dialect, work, turns)]
            raw[dialect] = [asdict(turn) for turn in turns]
    method = (
        f"{generations} (on servers {served}) × {rounds} rounds of {INSERTS:,} inserts a variant; "
        f"{PROCESSES} processes, {CLIENTS} threads; "
        "SQLite in WAL mode, a fresh file or namespace for each process; CPU of the clients, not of servers; "
        "CPU of the insert phase alone, user and system; intervals by bootstrap over generations of processes"
    )
    return Measured("overhead", method, tuple(figures), raw, tuple(databases.left_out))


def _base(dialect: str, databases: Opened) -> sa.URL:
    server = databases.servers.get(dialect)
    return databases.urls[dialect] if server is None else sa.make_url(server.url)


def _figures(dialect: str, work: str, turns: Sequence[Turn]) -> list[Figure]:
    totals = {name: _totals([turn for turn in turns if (turn.work, turn.variant) == (work, name)]) for name in VARIANTS}
    others = [name for name in VARIANTS if name != REFERENCE]
    figures = [
        Figure(
            f"{dialect}, {work}, {what}: {name} / {REFERENCE}",
            *_ratio(totals[name], totals[REFERENCE], quantity),
            at_most=limit,
        )
        for what, quantity, limits in (
            ("CPU an insert", _cpu, (LIMIT, None)),
            ("inserts a second", _rate, (None, None)),
        )
        for name, limit in zip(others, limits, strict=True)
    ]
    for name in VARIANTS:
        figures.append(
            Figure(f"{dialect}, {work}, CPU an insert: {name}", float(_cpu(totals[name].sum(axis=0))) * 1e6, "µs")
        )
    return figures


def _totals(turns: Sequence[Turn]) -> Totals:
    totals = np.zeros((1 + max(turn.generation for turn in turns), 3))
    for turn in turns:
        totals[turn.generation] += turn.rows, turn.cpu, turn.wall
    return totals


def _cpu(totals: Totals) -> Totals:
    return totals[..., 1] / totals[..., 0]


def _rate(totals: Totals) -> Totals:
    return totals[..., 0] / totals[..., 2]


def _ratio(one: Totals, other: Totals, quantity: Callable[[Totals], Totals]) -> tuple[float, str, tuple[float, float]]:
    """Return a ratio, its unit and its 95 % interval."""
    picks = np.random.default_rng(0).integers(len(one), size=(_RESAMPLES, len(one)))
    ratios = quantity(one[picks].sum(axis=1)) / quantity(other[picks].sum(axis=1))
    low, high = np.percentile(ratios, [2.5, 97.5]).tolist()
    return float(quantity(one.sum(axis=0)) / quantity(other.sum(axis=0))), "", (low, high)


def _generation(number: int, rounds: int, base: sa.URL) -> list[Turn]:
    """Start processes for every variant, and let them take turns."""
    turns = []
    database = DATABASES[base.get_backend_name()]
    with ExitStack() as stack:
        fleets = {
            name: [
                _start(stack, kind, place, stack.enter_context(database.namespace(base, f"{name}-{place}")))
                for place in range(PROCESSES)
            ]
            for name, kind in VARIANTS.items()
        }
        for name, fleet in fleets.items():
            for work in SCENARIOS:
                _turn(number, work, name, fleet, _WARM_UP)
        for place in range(rounds):
            for work in SCENARIOS:
                names = list(VARIANTS)
                random.Random(f"{number}/{place}/{work}").shuffle(names)
                turns += [_turn(number, work, name, fleets[name], INSERTS) for name in names]
    return turns


def _start(stack: ExitStack, kind: str, number: int, url: sa.URL) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "bench.inserter", kind, str(number)]
    process = stack.enter_context(subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True))
    assert process.stdin is not None
    print(url.render_as_string(hide_password=False), file=process.stdin, flush=True)
    return process


def _turn(generation: int, work: str, variant: str, fleet: Sequence[subprocess.Popen[str]], inserts: int) -> Turn:
    """Let the processes of one variant insert at the same time, each into a file of its own."""
    with tempfile.TemporaryDirectory(prefix="idstorm-bench-") as tapes:
        order = json.dumps(asdict(Round(work, tapes, len(fleet), CLIENTS, inserts)))
        for process in fleet:
            assert process.stdin is not None
            print(order, file=process.stdin, flush=True)
        answers = [_answer(process) for process in fleet]
    return Turn(
        generation,
        work,
        variant,
        rows=sum(answer["rows"] for answer in answers),
        cpu=sum(answer["cpu"] for answer in answers),
        wall=max(answer["wall"] for answer in answers),
    )


def _answer(process: subprocess.Popen[str]) -> dict[str, Any]:
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        raise RuntimeError("an inserting process gave up: its error is above")
    answer: dict[str, Any] = json.loads(line)
    return answer

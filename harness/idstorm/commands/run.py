"""`run`: storm scenarios on targets, judge what was recorded, write the report."""

from __future__ import annotations

import os
import shlex
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from idstorm import catalogue
from idstorm.databases import targets
from idstorm.errors import UsageError
from idstorm.judge.judge import judge_run
from idstorm.record import store
from idstorm.record.plan import Fleet
from idstorm.record.verdict import Report
from idstorm.storm import fleet as storming
from idstorm.storm.fleet import Order
from idstorm.storm.progress import Watch

DEFAULT_SECONDS = 5.0


@dataclass(frozen=True)
class Request:
    """What `idstorm run` was asked for. None: as the scenario has it."""

    scenarios: tuple[str, ...]
    on: tuple[str, ...] = ("sqlite",)
    fleet: Fleet = field(default_factory=lambda: Fleet(seconds=DEFAULT_SECONDS))
    batch: int | None = None
    rollback: float | None = None
    deletes: float | None = None
    pool_size: int | None = None
    max_overflow: int = 0
    pool_timeout: float = 30.0
    isolation: str | None = None
    settings: tuple[tuple[str, str], ...] = ()
    results: Path = Path("results")


def run(request: Request, watch: Watch = lambda _: None) -> Report:
    """Storm each scenario on each target, judge what was recorded, and write the report into the run's folder.

    Raises UsageError and EnvironmentFault. The first Ctrl-C ends the storm in bounded time, with what it has.
    """
    orders = _orders(request)
    for order in orders:
        storming.check_order(order)
    names = [f"{number:02}-{_slug(order)}" for number, order in enumerate(orders, start=1)]
    stored = store.create(
        request.results,
        repeat_command(request, [order.address.again for order in orders[: len(request.on)]]),
        [
            {"name": name, "scenario": order.found.name, "target": order.address.name}
            for name, order in zip(names, orders, strict=True)
        ],
    )
    with _interruptible() as stop:
        for name, order in zip(names, orders, strict=True):
            if stop():
                store.write_ending(stored.folder / name, store.Ending("interrupted", "before it began"))
            else:
                storming.storm(order, stored.name, stored.folder / name, watch, stop)
        report = judge_run(stored)
    try:
        store.write_json(stored.folder / "report.json", report.to_json())
    except OSError as error:
        raise store.cannot_write(stored.folder, error) from error
    return report


def repeat_command(request: Request, on: Sequence[str]) -> str:
    """Return the command line that repeats a run. A target with a secret is named by the variable to set."""
    fleet, words = request.fleet, ["idstorm", "run", *map(shlex.quote, request.scenarios)]
    for target in on:
        words += ["--on", target if target.startswith('"$') else shlex.quote(target)]
    words += ["--processes", str(fleet.processes), "--clients", str(fleet.clients)]
    words += ["--inserts", str(fleet.inserts)] if fleet.inserts is not None else ["--time", f"{fleet.seconds:g}s"]
    optional: dict[str, Any] = {
        "--batch": request.batch,
        "--rollback": request.rollback,
        "--deletes": request.deletes,
        "--think": "{:g}..{:g}ms".format(*(1_000 * end for end in fleet.think)) if fleet.think[1] else None,
        "--pool-size": request.pool_size,
        "--max-overflow": request.max_overflow or None,
        "--pool-timeout": request.pool_timeout if request.pool_timeout != Request.pool_timeout else None,
        "--isolation": request.isolation,
    }
    for option, value in optional.items():
        words += (
            [] if value is None else [option, shlex.quote(f"{value:g}" if isinstance(value, float) else str(value))]
        )
    for name, value in request.settings:
        words += ["--set", shlex.quote(f"{name}={value}")]
    return " ".join([*words, "--seed", str(fleet.seed)])


def _orders(request: Request) -> list[Order]:
    catalogue.current_directory_first()
    found = [one for reference in request.scenarios for one in catalogue.find(reference)]
    addresses = [targets.resolve(text) for text in request.on]
    if not found:
        raise UsageError("name a scenario; `idstorm list` shows the catalogue")
    return [
        Order(
            found=one,
            address=address,
            fleet=request.fleet,
            path=os.getcwd(),
            batch=request.batch,
            rollback=request.rollback,
            deletes=request.deletes,
            pool_size=request.pool_size,
            max_overflow=request.max_overflow,
            pool_timeout=request.pool_timeout,
            isolation=request.isolation,
            settings=request.settings,
        )
        for one in found
        for address in addresses
    ]


def _slug(order: Order) -> str:
    return f"{order.found.name.rpartition('.')[2].replace(':', '-')}-{order.address.database.name}"


@contextmanager
def _interruptible() -> Iterator[Callable[[], bool]]:
    """Yield what tells whether Ctrl-C or SIGTERM came. The first only asks to stop; the second stops there and then."""
    asked: list[int] = []

    def on_signal(number: int, _: object) -> None:
        asked.append(number)
        if len(asked) > 1:
            raise KeyboardInterrupt

    before = {number: signal.signal(number, on_signal) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: bool(asked)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)

"""`run`: storm scenarios on targets, judge what was recorded, write the report."""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

from idstorm import catalogue
from idstorm.catalogue import Found
from idstorm.commands.signals import interruptible
from idstorm.databases import targets
from idstorm.databases.targets import Address
from idstorm.errors import UsageError
from idstorm.judge.judge import judge_run
from idstorm.record import store
from idstorm.record.gate import Gate
from idstorm.record.plan import DIALECTS, Fleet
from idstorm.record.verdict import Report
from idstorm.storm import fleet as storming
from idstorm.storm.fleet import Order
from idstorm.storm.progress import Watch

DEFAULT_SECONDS = 5.0


@dataclass(frozen=True)
class Request:
    """What `idstorm run` was asked for. None: as the scenario has it."""

    scenarios: tuple[str | Found, ...]
    on: tuple[str | Address, ...] = ("sqlite",)
    fleet: Fleet = field(default_factory=lambda: Fleet(seconds=DEFAULT_SECONDS))
    batch: int | None = None
    rollback: float | None = None
    deletes: float | None = None
    think: tuple[float, float] | None = None
    reader: bool | None = None
    headroom: float | None = None
    forecast: float | None = None
    pool_size: int | None = None
    max_overflow: int = 0
    pool_timeout: float = 30.0
    isolation: str | None = None
    settings: tuple[tuple[str, str], ...] = ()
    gates: tuple[Gate, ...] = ()
    keep: bool = False
    results: Path = Path("results")
    path: tuple[str, ...] = ()  #: what comes first on a worker's sys.path, if not the current directory
    notes: tuple[str, ...] = ()  #: what the report has to say of how it was made


def run(request: Request, watch: Watch = lambda _: None) -> Report:
    """Storm each scenario on each target, judge what was recorded, and write the report into the run's folder.

    Raises UsageError and EnvironmentFault. The first Ctrl-C ends the storm in bounded time, with what it has.
    """
    with interruptible() as stop:
        orders = orders_of(request)
        names = names_of(orders)
        again = repeat_command(request, [order.address.again for order in orders[: len(request.on)]])
        stored = store.create(request.results, again, entries_of(orders), gates=request.gates)
        with targets.opened([order.address for order in orders[: len(request.on)]]) as addresses:
            for place, (name, order) in enumerate(zip(names, orders, strict=True)):
                if stop.asked():
                    store.write_ending(stored.folder / name, store.Ending("interrupted", "before it began"))
                else:
                    order = replace(order, address=addresses[place % len(addresses)])
                    storming.storm(order, stored.name, stored.folder / name, watch, stop)
        report = judge_run(stored)
        store.write_report(stored, report)
    return report


def repeat_command(request: Request, on: Sequence[str]) -> str:
    """Return the command line that repeats a run. A target with a secret is named by the variable to set."""
    fleet, words = request.fleet, ["idstorm", "run", *(shlex.quote(_reference(one)) for one in request.scenarios)]
    for target in on:
        words += ["--on", target if target.startswith('"$') else shlex.quote(target)]
    words += ["--processes", str(fleet.processes), "--clients", str(fleet.clients)]
    words += ["--inserts", str(fleet.inserts)] if fleet.inserts is not None else ["--time", f"{_plain(fleet.seconds)}s"]
    optional: dict[str, Any] = {
        "--batch": request.batch,
        "--rollback": request.rollback,
        "--deletes": request.deletes,
        "--think": None if request.think is None else "..".join(map(_plain, request.think)) + "s",
        "--headroom": request.headroom,
        "--forecast": None if request.forecast is None else f"{_plain(request.forecast)}/s",
        "--pool-size": request.pool_size,
        "--max-overflow": request.max_overflow or None,
        "--pool-timeout": request.pool_timeout if request.pool_timeout != Request.pool_timeout else None,
        "--isolation": request.isolation,
    }
    for option, value in optional.items():
        words += (
            [] if value is None else [option, shlex.quote(f"{value:g}" if isinstance(value, float) else str(value))]
        )
    words += {None: [], True: ["--reader"], False: ["--no-reader"]}[request.reader]
    words += ["--keep"] if request.keep else []
    for gate in request.gates:
        words += ["--fail-if", shlex.quote(str(gate))]
    for name, value in request.settings:
        words += ["--set", shlex.quote(f"{name}={value}")]
    return " ".join([*words, "--seed", str(fleet.seed)])


def _reference(asked: str | Found) -> str:
    return asked.reference if isinstance(asked, Found) else asked


def _plain(number: float | None) -> str:
    """Return a number as options take it: all its digits, no exponent."""
    return format(Decimal(repr(number or 0.0)).normalize(), "f")


def orders_of(request: Request) -> list[Order]:
    """Return the storms that are asked for, each scenario on all targets. Raises UsageError; touches no database."""
    if not request.path:
        catalogue.current_directory_first()
    found = [
        one for asked in request.scenarios for one in ([asked] if isinstance(asked, Found) else catalogue.find(asked))
    ]
    addresses = [one if isinstance(one, Address) else targets.resolve(one) for one in request.on]
    if not found:
        raise UsageError("name a scenario; `idstorm list` shows the catalogue")
    if not addresses:
        raise UsageError(f"name a target with --on: {', '.join(DIALECTS)}, or a SQLAlchemy URL")
    orders = [order_of(request, one, address) for one in found for address in addresses]
    for order in orders:
        storming.check_order(order)
    return orders


def order_of(request: Request, found: catalogue.Found, address: targets.Address) -> Order:
    """Return what is asked of one scenario on one target."""
    return Order(
        found=found,
        address=address,
        fleet=request.fleet,
        path=request.path or (os.getcwd(),),
        notes=request.notes,
        batch=request.batch,
        rollback=request.rollback,
        deletes=request.deletes,
        think=request.think,
        reader=request.reader,
        headroom=request.headroom,
        forecast=request.forecast,
        pool_size=request.pool_size,
        max_overflow=request.max_overflow,
        pool_timeout=request.pool_timeout,
        isolation=request.isolation,
        settings=request.settings,
        keep=request.keep,
    )


def names_of(orders: Sequence[Order]) -> list[str]:
    """Return the names of the storms' folders."""
    width = max(2, len(str(len(orders))))
    return [f"{number:0{width}}-{_slug(order)}" for number, order in enumerate(orders, start=1)]


def entries_of(orders: Sequence[Order]) -> list[dict[str, str]]:
    """Return what a run's folder says of its storms."""
    return [
        {"name": name, "scenario": order.found.name, "target": order.address.name}
        for name, order in zip(names_of(orders), orders, strict=True)
    ]


def _slug(order: Order) -> str:
    return f"{order.found.name.rpartition('.')[2].replace(':', '-')}-{order.address.database.name}"

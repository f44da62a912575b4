"""`run`: storm scenarios on targets, judge what was recorded, write the report."""

from __future__ import annotations

import os
import secrets
import shlex
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from decimal import Decimal
from itertools import chain
from pathlib import Path
from time import monotonic
from typing import Any

from idstorm import catalogue
from idstorm.catalogue import Found
from idstorm.commands.control import controls
from idstorm.commands.signals import Signals, interruptible
from idstorm.commands.turns import Turn, rounds
from idstorm.databases import targets
from idstorm.databases.targets import Address
from idstorm.errors import UsageError
from idstorm.findings.gate import Gate, check_gates
from idstorm.findings.verdict import Report, StormReport
from idstorm.judge.judge import judge_run, judge_stored
from idstorm.processes import require_posix
from idstorm.quantities import check_bounds
from idstorm.record import store
from idstorm.record.plan import DIALECTS, Fleet
from idstorm.record.store import Ending
from idstorm.storm import fleet as storming
from idstorm.storm.fleet import Order
from idstorm.storm.launch import Crew
from idstorm.storm.progress import Watch

DEFAULT_SECONDS = 5.0


def fleet_of(
    processes: int, clients: int, *, inserts: int | None, seconds: float | None, seed: int | None = None
) -> Fleet:
    """Return who storms, for how long where no number of inserts is given, with a seed. Raises UsageError."""
    check_bounds(processes=processes, clients=clients, inserts=inserts, time=seconds, seed=seed)
    if processes > clients:
        raise UsageError(f"{processes} processes are too many for {clients} clients: each needs one at least")
    return Fleet(
        processes=processes,
        clients=clients,
        seed=secrets.randbelow(1_000_000) if seed is None else seed,
        inserts=inserts,
        seconds=None if inserts is not None else seconds or DEFAULT_SECONDS,
    )


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
    patience: float = 30.0
    isolation: str | None = None
    settings: tuple[tuple[str, str], ...] = ()
    gates: tuple[Gate, ...] = ()
    keep: bool = False
    allow_replicated: bool = False
    results: Path = Path("results")
    repeat: int | None = None  #: None: nothing is repeated
    control: bool = False  #: storm what is known to break first
    until_broken: bool = False  #: repeat until something breaks of which something is claimed, at most `repeat` times
    path: tuple[str, ...] = ()  #: what comes first on a worker's sys.path, if not the current directory
    notes: tuple[str, ...] = ()  #: what the report has to say of how it was made


def run(request: Request, watch: Watch = lambda _: None) -> Report:
    """Storm each scenario on each target, judge what was recorded, and write the report into the run's folder.

    Raises UsageError, and EnvironmentFault where the run's folder cannot be made. Where it cannot be written later, the
    run ends, what it has recorded is judged, and the report says so. The first Ctrl-C ends the storm in bounded time,
    with what it has.
    """
    require_posix()
    judged = list[StormReport]()
    with interruptible() as stop:
        orders = orders_of(request)
        asked = [order.address for order in orders[: len(request.on)]]
        first = controls(orders, asked) if request.control else []
        coming = rounds(orders, request.repeat, endless=request.until_broken and request.repeat is None)
        known = [next(coming)] if request.until_broken else list(coming)
        stored = store.create(
            request.results,
            repeat_command(request, [address.again for address in asked]),
            [turn.entry for turns in known for turn in turns],
            gates=request.gates,
            until_broken=request.until_broken,
            controls=[turn.entry for turn in first],
        )
        troubles, began = list[str](), monotonic()
        several = len(first) + sum(map(len, known)) > 1 or request.until_broken
        workers = Crew(many=True) if several else nullcontext()  # starting some takes half a second of a processor
        with store.enduring(troubles), targets.opened(asked) as addresses, workers as crew:
            for turn in first:
                if stop.asked() or not _storm(turn, stored, addresses, watch, stop, crew):
                    break
            began = monotonic()
            for turn in (turn for turns in chain(known, coming) for turn in turns):
                with stop.gently():  # one that is not begun any more is written down, too: it was interrupted
                    stored = store.added(stored, turn.entry)
                if stop.asked() or not _storm(turn, stored, addresses, watch, stop, crew):
                    break
                if request.until_broken:
                    with stop.gently():
                        judged.append(judge_stored(stored, turn.entry))
                    if _is_over(judged, len(orders)):
                        break
        with store.enduring(troubles):
            stored = _closed(stored, stop, monotonic() - began)
        return store.close(stored, judge_run(stored, judged), troubles)


def _storm(
    turn: Turn, stored: store.Run, addresses: Sequence[Address], watch: Watch, stop: Signals, crew: Crew | None
) -> bool:
    """Storm, and return whether it may go on: a first Ctrl-C that allows no gentle end is one all the same."""
    order = replace(turn.order, address=addresses[turn.place % len(addresses)])
    try:
        storming.storm(order, stored.name, stored.folder / turn.name, turn.told(watch), stop, crew)
    except KeyboardInterrupt:
        if stop.insisted():
            raise
        return False
    return True


def _is_over(judged: Sequence[StormReport], each: int) -> bool:
    """Whether something broke; or a round of `each` storms came to nothing, as every further one would."""
    if any(verdict.is_witness for verdict in judged[-1].verdicts.values()):
        return True
    return len(judged) % each == 0 and all(storm.state != "finished" for storm in judged[-each:])


def _closed(stored: store.Run, stop: Signals, seconds: float) -> store.Run:
    """Write down why storms did not begin that were to, and how long it took until something broke."""
    before = Ending("interrupted", "before it began")
    unneeded = Ending("not started", "something else had broken by then, and that ended the run")
    for entry in (*stored.controls, *stored.storms):
        if not store.has_ended(stored, entry):
            ending = before if stop.asked() else unneeded
            store.write_ending(stored.folder / entry["name"], ending, stored.stamp(entry["name"]))
    if stored.until_broken:
        stored = replace(stored, seconds=round(seconds, 1))
        store.write_run(stored)
    return stored


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
        "--patience": f"{_plain(request.patience)}s" if request.patience != Request.patience else None,
        "--isolation": request.isolation,
    }
    for option, value in optional.items():
        words += (
            [] if value is None else [option, shlex.quote(f"{value:g}" if isinstance(value, float) else str(value))]
        )
    words += {None: [], True: ["--reader"], False: ["--no-reader"]}[request.reader]
    words += ["--control"] if request.control else []
    words += ["--keep"] if request.keep else []
    words += ["--allow-replicated"] if request.allow_replicated else []
    words += [] if request.repeat is None else ["--repeat", str(request.repeat)]
    words += ["--until-broken"] if request.until_broken else []
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
    check_bounds(repeat=request.repeat)
    if not request.path:
        catalogue.current_directory_first()
    found = [
        one for asked in request.scenarios for one in ([asked] if isinstance(asked, Found) else catalogue.find(asked))
    ]
    check_gates(request.gates)  # on figures of a user's own checks, too, which the scenarios have brought
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
        patience=request.patience,
        isolation=request.isolation,
        settings=request.settings,
        keep=request.keep,
        allow_replicated=request.allow_replicated,
    )

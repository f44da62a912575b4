"""`run`: storm scenarios on targets, judge what was recorded, write the report."""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path
from time import monotonic

from idstorm import catalogue
from idstorm.catalogue import Found
from idstorm.commands.control import controls
from idstorm.commands.schedule import Turn, rounds
from idstorm.commands.signals import Signals, interruptible
from idstorm.databases import targets
from idstorm.databases.registry import DATABASES
from idstorm.databases.targets import Address
from idstorm.errors import UsageError
from idstorm.findings.gate import check_gates
from idstorm.findings.results import StormState
from idstorm.findings.verdict import Report, StormReport
from idstorm.judge.judge import judge_run, judge_stored
from idstorm.options import StormOptions, words_of
from idstorm.processes import require_posix
from idstorm.record import store
from idstorm.record.store import Ending
from idstorm.storm import lifecycle as storming
from idstorm.storm.lifecycle import Order
from idstorm.storm.progress import Watch
from idstorm.storm.worker_pool import WorkerPool


@dataclass(frozen=True)
class Request:
    """What `idstorm run` was asked for."""

    scenarios: tuple[str | Found, ...]
    on: tuple[str | Address, ...] = ("sqlite",)
    options: StormOptions = field(default_factory=lambda: StormOptions().resolved())
    results: Path = Path("results")
    path: tuple[str, ...] = ()  #: what comes first on a worker's sys.path, if not the current directory
    notes: tuple[str, ...] = ()  #: notes of the report on how the run was made


def run(request: Request, watch: Watch = lambda _: None) -> Report:
    """Storm each scenario on each target, judge what was recorded, and write the report into the run's folder.

    Raises UsageError, and EnvironmentFault where the run's folder cannot be made. Where it cannot be written later, the
    run ends, what it has recorded is judged, and the report says so. The first Ctrl-C ends the storm in bounded time,
    with what it has.
    """
    require_posix()
    options = request.options
    judged = list[StormReport]()
    with interruptible() as stop:
        orders = orders_of(request)
        asked = [order.address for order in orders[: len(request.on)]]
        first = controls(orders, asked) if options.control else []
        coming = rounds(orders, options.repeat, endless=options.until_broken and options.repeat is None)
        known = [next(coming)] if options.until_broken else list(coming)
        stored = store.create(
            request.results,
            repeat_command(request, [address.again for address in asked]),
            [turn.entry for turns in known for turn in turns],
            gates=options.fail_if,
            until_broken=options.until_broken,
            controls=[turn.entry for turn in first],
        )
        troubles, began = list[str](), monotonic()
        several = len(first) + sum(map(len, known)) > 1 or options.until_broken
        workers = (
            WorkerPool(many=True) if several else nullcontext()
        )  # starting some takes half a second of a processor
        with store.enduring(troubles), targets.opened(asked) as addresses, workers as crew:
            for turn in first:
                if stop.asked() or not _storm(turn, stored, addresses, watch, stop, crew):
                    break
            began = monotonic()
            for turn in (turn for turns in chain(known, coming) for turn in turns):
                with stop.gently():  # a storm that did not begin is written down, too, as interrupted
                    stored = store.added(stored, turn.entry)
                if stop.asked() or not _storm(turn, stored, addresses, watch, stop, crew):
                    break
                if options.until_broken:
                    with stop.gently():
                        judged.append(judge_stored(stored, turn.entry))
                    if _is_over(judged, len(orders)):
                        break
        with store.enduring(troubles):
            stored = _closed(stored, stop, monotonic() - began)
        return store.close(stored, judge_run(stored, judged), troubles)


def _storm(
    turn: Turn, stored: store.Run, addresses: Sequence[Address], watch: Watch, stop: Signals, crew: WorkerPool | None
) -> bool:
    """Storm, and return whether the run may go on: a first Ctrl-C counts even where no gentle end is possible."""
    order = replace(turn.order, address=addresses[turn.place % len(addresses)])
    try:
        storming.storm(order, stored.name, stored.folder / turn.name, turn.told(watch), stop, crew)
    except KeyboardInterrupt:
        if stop.insisted():
            raise
        return False
    return True


def _is_over(judged: Sequence[StormReport], each: int) -> bool:
    """Whether something broke, or a round of `each` storms came to nothing, as every further one would."""
    if any(verdict.is_witness for verdict in judged[-1].verdicts.values()):
        return True
    return len(judged) % each == 0 and all(storm.state != StormState.FINISHED for storm in judged[-each:])


def _closed(stored: store.Run, stop: Signals, seconds: float) -> store.Run:
    """Write down why planned storms did not begin, and how long it took until something broke."""
    before = Ending(StormState.INTERRUPTED, "before it began")
    unneeded = Ending(StormState.NOT_STARTED, "something else had broken by then, and that ended the run")
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
    words = ["idstorm", "run", *(shlex.quote(_reference(one)) for one in request.scenarios)]
    for target in on:
        words += ["--on", target if target.startswith('"$') else shlex.quote(target)]
    return " ".join([*words, words_of(request.options)])


def _reference(asked: str | Found) -> str:
    return asked.reference if isinstance(asked, Found) else asked


def orders_of(request: Request) -> list[Order]:
    """Return the storms that are asked for, each scenario on all targets. Raises UsageError; touches no database."""
    if not request.path:
        catalogue.current_directory_first()
    found = [
        one for asked in request.scenarios for one in ([asked] if isinstance(asked, Found) else catalogue.find(asked))
    ]
    check_gates(request.options.fail_if)  # on figures of a user's own checks, too, which the scenarios have brought
    addresses = [one if isinstance(one, Address) else targets.resolve(one) for one in request.on]
    if not found:
        raise UsageError("name a scenario; `idstorm list` shows the catalogue")
    if not addresses:
        raise UsageError(f"name a target with --on: {', '.join(DATABASES)}, or a SQLAlchemy URL")
    path = request.path or (os.getcwd(),)
    orders = [Order(one, address, request.options, path, notes=request.notes) for one in found for address in addresses]
    for order in orders:
        storming.check_order(order)
    return orders

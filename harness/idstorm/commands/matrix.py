"""`matrix`: storm every scenario on every database, the databases in parallel, and put the results into one table."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path

from idstorm import catalogue
from idstorm.catalogue import Found, Missing
from idstorm.commands.control import controls
from idstorm.commands.schedule import turns_of
from idstorm.commands.signals import Signals, interruptible
from idstorm.databases import targets
from idstorm.databases.registry import DATABASES
from idstorm.databases.targets import Address
from idstorm.errors import UsageError
from idstorm.findings.results import StormState
from idstorm.findings.verdict import Report
from idstorm.judge.judge import judge_run
from idstorm.options import StormOptions, words_of
from idstorm.processes import require_posix
from idstorm.record import store
from idstorm.storm import lifecycle as storming
from idstorm.storm.lifecycle import Order
from idstorm.storm.worker_pool import WorkerPool

QUICK_INSERTS = 1_200
_LOOK_EVERY = 0.2  # seconds

Show = Callable[[str, int, str], None]


@dataclass(frozen=True)
class MatrixRequest:
    """What `idstorm matrix` was asked for. No scenarios: the whole catalogue; no targets: all that there are."""

    scenarios: tuple[str, ...] = ()
    on: tuple[str, ...] = ()
    options: StormOptions = field(default_factory=lambda: StormOptions(inserts=QUICK_INSERTS, control=True).resolved())
    results: Path = Path("results")
    quick: bool = False


@dataclass(frozen=True)
class Preparation:
    """What a matrix is going to be."""

    found: tuple[Found, ...]
    addresses: tuple[Address, ...]
    left_out: tuple[str, ...]  #: targets that were not named and are not available, with the reason


def prepare(request: MatrixRequest) -> Preparation:
    """Find the scenarios and the targets. Raises UsageError, too, where nothing can be stormed."""
    require_posix()
    catalogue.current_directory_first()
    named: list[Found | Missing] = [one for name in request.scenarios for one in catalogue.find(name)]
    every = named or list(catalogue.all_scenarios())
    found = [one for one in every if isinstance(one, Found)]
    left_out = [one.reason for one in every if isinstance(one, Missing)]
    addresses = [targets.resolve(text) for text in request.on or DATABASES]
    if not request.on:
        left_out += [f"{address.name} is left out: {address.fault}" for address in addresses if address.fault]
        addresses = [address for address in addresses if not address.fault]
    if len({address.name for address in addresses}) < len(addresses):
        raise UsageError("--on: each target can be given only once")
    return Preparation(tuple(found), tuple(addresses), tuple(left_out))


def matrix(request: MatrixRequest, preparation: Preparation, show: Show = lambda *_: None) -> Report:
    """Storm, judge, and return the report with its matrix. `show` is told each target's progress.

    The first Ctrl-C ends the current storms in bounded time and judges what they recorded; a second ends them at once.
    """
    options = replace(request.options, reader=None)
    orders = [
        Order(found, address, options, (os.getcwd(),), reader_if_possible=bool(request.options.reader))
        for found in preparation.found
        for address in preparation.addresses
    ]
    for order in orders:
        storming.check_order(order)
    with interruptible() as stop:
        turns = turns_of(orders)
        again = _repeat_command(request, preparation)
        first = controls(orders, preparation.addresses) if options.control else []
        entries = [[turn.entry for turn in some] for some in (turns, first)]
        stored = store.create(request.results, again, entries[0], "matrix", controls=entries[1])
        troubles = list[str]()
        with store.enduring(troubles), targets.opened(preparation.addresses) as opened:
            columns = [
                _Column(
                    stored,
                    [
                        (turn.name, replace(turn.order, address=address))
                        for turn in (*first, *turns)
                        if turn.order.address.name == address.name
                    ],
                    stop,
                    show,
                    WorkerPool(many=True),
                )
                for address in opened
            ]
            _side_by_side(columns, stop)
        return store.close(stored, judge_run(stored), troubles)


@dataclass(frozen=True)
class _Column:
    """The storms of one target, one after another."""

    stored: store.Run
    orders: Sequence[tuple[str, Order]]
    stop: Signals
    show: Show
    crew: WorkerPool

    def asked(self) -> bool:
        """Whether to stop: only the main thread receives signals, and this is another."""
        return self.stop.asked()

    def gently(self) -> AbstractContextManager[None]:
        """Nothing: no signal is ever raised here."""
        return nullcontext()

    def storm(self) -> None:
        with self.crew:
            before = len(self.stored.controls) > 0  # a control is stormed first, and not counted
            for done, (name, order) in enumerate(self.orders, start=-before):
                folder = self.stored.folder / name
                self.show(order.address.name, max(0, done), order.found.name)
                if self.asked():
                    ending = store.Ending(StormState.INTERRUPTED, "before it began")
                    store.write_ending(folder, ending, self.stored.stamp(name))
                else:
                    storming.storm(order, self.stored.name, folder, lambda _: None, self, self.crew)
            self.show(self.orders[-1][1].address.name, len(self.orders) - before, "")


def _side_by_side(columns: Sequence[_Column], stop: Signals) -> None:
    """Let all columns storm, and wait for them where signals can be heard. Raises what one of them raised."""
    with ThreadPoolExecutor(len(columns)) as pool, stop.gently():
        running: list[Future[None]] = [pool.submit(column.storm) for column in columns]
        try:
            while wait(running, _LOOK_EVERY).not_done:
                pass
        except KeyboardInterrupt:
            for column in columns:
                column.crew.strike()  # without their workers, the storms end
            raise
    for future in running:
        future.result()


def _repeat_command(request: MatrixRequest, preparation: Preparation) -> str:
    words = ["idstorm", "matrix"]
    for target in preparation.addresses:
        words += ["--on", target.again if target.again.startswith('"$') else shlex.quote(target.again)]
    for scenario in request.scenarios:
        words += ["--scenario", shlex.quote(scenario)]
    if request.quick:
        words.append("--quick")
    options = replace(request.options, inserts=None if request.quick else request.options.inserts, reader=None)
    words.append(words_of(replace(options, control=False)))
    words += [] if request.options.reader else ["--no-reader"]
    words += [] if request.options.control else ["--no-control"]
    return " ".join(words)

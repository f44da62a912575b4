"""`matrix`: storm every scenario on every database, the databases in parallel, and put the results into one table."""

from __future__ import annotations

import os
import shlex
from dataclasses import dataclass, field, replace
from pathlib import Path

from idstorm import catalogue
from idstorm.catalogue import Found, Missing
from idstorm.commands.engine import Schedule, carry_out
from idstorm.commands.run import command_line
from idstorm.commands.schedule import controls, rounds
from idstorm.databases import targets
from idstorm.databases.registry import DATABASES
from idstorm.databases.targets import Address
from idstorm.errors import UsageError
from idstorm.findings.verdict import Report
from idstorm.options import StormOptions, words_of
from idstorm.processes import require_posix
from idstorm.storm.progress import Watch
from idstorm.storm.scheduled import ScheduledStorm, check_scheduled
from idstorm.storm.stop import interruptible

QUICK_INSERTS = 1_200


@dataclass(frozen=True)
class MatrixRequest:
    """What `idstorm matrix` was asked for. No scenarios: the whole catalogue; no targets: all that there are."""

    scenarios: tuple[str, ...] = ()
    on: tuple[str, ...] = ()
    options: StormOptions = field(default_factory=lambda: StormOptions(inserts=QUICK_INSERTS, control=True).resolved())
    results: Path = Path("results")
    quick: bool = False
    explore: bool = False  #: afterwards, each scenario as well


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


def matrix(request: MatrixRequest, preparation: Preparation, watch: Watch = lambda _: None) -> Report:
    """Storm, judge, and return the report with its matrix. `watch` is shown the progress of every lane."""
    options = replace(request.options, reader=None)
    storms = [
        ScheduledStorm(found, address, options, (os.getcwd(),), reader_if_possible=bool(request.options.reader))
        for found in preparation.found
        for address in preparation.addresses
    ]
    for one in storms:
        check_scheduled(one)
    schedule = Schedule(
        storms=next(rounds(storms)),
        controls=controls(storms) if options.control else (),
        side_by_side=True,
        kind="matrix",
    )
    with interruptible() as stop:
        return carry_out(schedule, request.results, _repeat_command(request, preparation), watch, stop)


def _repeat_command(request: MatrixRequest, preparation: Preparation) -> str:
    words = [command_line("matrix", (), [target.again for target in preparation.addresses])]
    for scenario in request.scenarios:
        words += ["--scenario", shlex.quote(scenario)]
    if request.quick:
        words.append("--quick")
    words += ["--explore"] if request.explore else []
    options = replace(request.options, inserts=None if request.quick else request.options.inserts, reader=None)
    words.append(words_of(replace(options, control=False)))
    words += [] if request.options.reader else ["--no-reader"]
    words += [] if request.options.control else ["--no-control"]
    return " ".join(words)

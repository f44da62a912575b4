"""`run`: storm scenarios on targets, judge what was recorded, write the report."""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path

from idstorm import catalogue
from idstorm.catalogue import Found
from idstorm.commands.engine import Schedule, carry_out
from idstorm.commands.schedule import addresses_of, controls, rounds
from idstorm.databases import targets
from idstorm.databases.registry import DATABASES
from idstorm.databases.targets import Address
from idstorm.errors import UsageError
from idstorm.findings.gate import check_gates
from idstorm.findings.verdict import Report
from idstorm.options import EACH, StormOptions, words_of
from idstorm.processes import require_posix
from idstorm.storm.progress import Watch
from idstorm.storm.scheduled import ScheduledStorm, check_scheduled
from idstorm.storm.stop import interruptible
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


def run(request: Request, watch: Watch = lambda _: None, workers: WorkerPool | None = None) -> Report:
    """Storm each scenario on each target, judge what was recorded, and write the report into the run's folder.

    Raises UsageError, and what `carry_out` raises.
    """
    require_posix()
    if request.options.isolation == EACH:
        raise UsageError("--isolation each is for `idstorm explore`: name one level")
    with interruptible() as stop:
        storms = storms_of(request)
        schedule = scheduled(storms, request.options)
        command = repeat_command(request, [address.again for address in addresses_of(storms)])
        return carry_out(schedule, request.results, command, watch, stop, workers)


def scheduled(storms: Sequence[ScheduledStorm], options: StormOptions) -> Schedule:
    """Return the schedule of a run: all repetitions in turn, or one after another until something breaks."""
    coming = rounds(storms, options.repeat, endless=options.until_broken and options.repeat is None)
    return Schedule(
        storms=next(coming) if options.until_broken else list(chain.from_iterable(coming)),
        controls=controls(storms) if options.control else (),
        further=coming if options.until_broken else None,
        gates=options.fail_if,
    )


def storms_of(request: Request) -> list[ScheduledStorm]:
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
    if (admin := request.options.admin_url) is not None:
        if len(addresses) > 1:
            raise UsageError("--admin-url belongs to one target: name one with --on")
        addresses = [targets.past_pooler(addresses[0], admin)]
    path = request.path or (os.getcwd(),)
    storms = [
        ScheduledStorm(one, address, request.options, path, notes=request.notes)
        for one in found
        for address in addresses
    ]
    for storm in storms:
        check_scheduled(storm)
    return storms


def repeat_command(request: Request, on: Sequence[str]) -> str:
    """Return the command line that repeats a run. A target with a secret is named by the variable to set."""
    return command_line("run", request.scenarios, on, words_of(request.options))


def command_line(command: str, scenarios: Sequence[str | Found], on: Sequence[str], *options: str) -> str:
    """Return the command line of a command on scenarios and targets, for a shell."""
    words = ["idstorm", command]
    words += [shlex.quote(one.reference if isinstance(one, Found) else one) for one in scenarios]
    for target in on:
        words += ["--on", target if target.startswith('"$') else shlex.quote(target)]
    return " ".join([*words, *filter(None, options)])

"""`explore`: every interleaving of a few clients, of each scenario on each target."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path

from idstorm.catalogue import Found
from idstorm.commands.engine import provenance_of, why_not_begun
from idstorm.commands.matrix import MatrixRequest, Preparation
from idstorm.commands.run import Request, command_line, storms_of
from idstorm.commands.schedule import addresses_of, rounds
from idstorm.databases import targets
from idstorm.databases.targets import Address
from idstorm.explore.bounds import Bounds
from idstorm.explore.explorable import can_step, check_explorable, why_not
from idstorm.explore.exploring import explore
from idstorm.findings.results import Result
from idstorm.findings.schedules import SETTLED
from idstorm.findings.verdict import Report
from idstorm.judge.judge import judge_run, with_exploration
from idstorm.options import EACH, EXPLORATION, StormOptions, words_of
from idstorm.processes import require_posix
from idstorm.record import store
from idstorm.record.stored import open_run
from idstorm.storm.applicability import LEVELS
from idstorm.storm.scheduled import ScheduledStorm
from idstorm.storm.stop import StopSignal, interruptible

Show = Callable[[str, int, int], None]

_PREEMPTIONS = 2  # of the schedules that a matrix explores: most races need no more


@dataclass(frozen=True)
class ExploreRequest:
    """What `idstorm explore` was asked for."""

    scenarios: tuple[str | Found, ...]
    on: tuple[str | Address, ...] = ("sqlite",)
    clients: int = 2
    bounds: Bounds = field(default_factory=Bounds)
    options: StormOptions = field(default_factory=StormOptions)
    results: Path = Path("results")
    path: tuple[str, ...] = ()  #: what comes first on sys.path, if not the current directory


def explored(request: ExploreRequest, show: Show = lambda *_: None) -> Report:
    """Explore each scenario on each target, judge what was recorded, and write the report into the run's folder.

    Raises UsageError, and EnvironmentFault where the run's folder cannot be made.
    """
    require_posix()
    options = replace(
        request.options,
        processes=1,
        clients=request.clients,
        inserts=request.clients,
        time=None,
        seed=request.options.seed or 0,
    )
    with interruptible() as stop:
        asked = storms_of(Request(request.scenarios, request.on, options, request.results, request.path))
        storms = next(rounds([one for storm in asked for one in _by_level(storm)]))
        for storm in storms:
            check_explorable(storm)
        return _carry_out(storms, request, show, stop)


def explore_failures(report: Report, request: Request, show: Show = lambda *_: None) -> Report:
    """Return the report of a run in which each storm that failed has the shortest schedule that breaks it, if any does.

    Two clients are explored, on the same targets. Each exploration is a run of its own beside the storm's.
    """
    storms = list(report.storms)
    for found, address in _failed(report, request):
        options = replace(request.options, keep=False, fail_if=())
        asked = ExploreRequest((found,), (address,), options=options, results=request.results, path=request.path)
        (explored_storm,) = explored(asked, show).storms
        for place, storm in enumerate(storms):
            if (storm.scenario, storm.target["name"]) == (found.name, address.name):
                storms[place] = replace(storm, explored=explored_storm.explored)
    by_entry = {(storm.scenario, storm.target["name"]): storm.explored for storm in storms if storm.explored}
    merged = (replace(one, explored=by_entry.get((one.scenario, one.target["name"]))) for one in report.repeats)
    return replace(report, storms=tuple(storms), repeats=tuple(merged))


def explore_matrix(report: Report, request: MatrixRequest, preparation: Preparation, show: Show) -> Report:
    """Return the report of a matrix with what exploring each scenario came to, as one more line of each.

    That is a run of its own beside it, which the matrix names: two clients, in schedules of up to two preemptions.
    """
    options = replace(request.options, reader=None, control=False)
    bounds = Bounds(preemptions=_PREEMPTIONS)
    addresses = tuple(one for one in preparation.addresses if can_step(one))
    if not addresses:
        return report
    asked = ExploreRequest(preparation.found, addresses, bounds=bounds, options=options, results=request.results)
    found = explored(asked, show)
    store.write_run(replace(open_run(Path(report.folder)), explored=found.run))
    return with_exploration(report, found)


def _failed(report: Report, request: Request) -> list[tuple[Found, Address]]:
    """Return the scenarios that failed by what an exploration may settle, with their targets, each once."""
    failed = {
        (storm.scenario, str(storm.target["name"]))
        for storm in report.storms
        if any(storm.verdicts[name].result is Result.FAILED for name in SETTLED if name in storm.verdicts)
    }
    storms = storms_of(request)
    return [
        (one.found, one.address)
        for one in storms
        if (one.found.name, one.address.name) in failed and why_not(one) is None
    ]


def _by_level(storm: ScheduledStorm) -> list[ScheduledStorm]:
    """Return the exploration at each isolation level that the driver can set, where that is asked for."""
    if storm.options.isolation != EACH:
        return [storm]
    levels = storm.address.url.get_dialect()().get_isolation_level_values(None)  # type: ignore[arg-type]
    return [replace(storm, options=replace(storm.options, isolation=level)) for level in LEVELS if level in levels]


def _carry_out(storms: Sequence[ScheduledStorm], request: ExploreRequest, show: Show, stop: StopSignal) -> Report:
    entries, made = [storm.entry for storm in storms], provenance_of(storms)
    run = store.create(request.results, _command(request, storms), entries, store.EXPLORE, made=made)
    troubles = list[str]()
    with store.enduring(troubles), ExitStack() as stack:
        there = {one.name: one for one in stack.enter_context(targets.opened(addresses_of(storms)))}
        for storm in storms:
            if stop.asked():
                break
            explore(replace(storm, address=there[storm.address.name]), request.bounds, run, show, stop)
    with store.enduring(troubles):
        store.write_the_rest(run, why_not_begun(stop, troubles))
    return store.close(run, judge_run(run), troubles)


def _command(request: ExploreRequest, storms: Sequence[ScheduledStorm]) -> str:
    """Return the command line that repeats it."""
    on, clients = [address.again for address in addresses_of(storms)], ("--clients", str(request.clients))
    options = words_of(request.options, EXPLORATION)
    return command_line("explore", request.scenarios, on, *clients, *request.bounds.words, options)

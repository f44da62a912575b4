"""The engine of every command that storms: a schedule of storms, a pool of warm workers for each lane, one report.

A lane is a sequence of storms that follow one another. `run` has one lane; `matrix` has one for each target, and they
storm side by side.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path
from time import monotonic

from idstorm import catalogue
from idstorm.commands.schedule import addresses_of, by_target
from idstorm.databases import targets
from idstorm.databases.targets import Address
from idstorm.findings.gate import Gate
from idstorm.findings.results import StormState
from idstorm.findings.verdict import Report, StormReport
from idstorm.judge.judge import judge_run, judge_stored
from idstorm.record import store
from idstorm.record.ending import Ending
from idstorm.record.provenance import Provenance, provenance
from idstorm.storm.lifecycle import storm
from idstorm.storm.progress import Progress, Watch
from idstorm.storm.scheduled import ScheduledStorm
from idstorm.storm.stop import StopSignal
from idstorm.storm.worker_pool import WorkerPool

_LOOK_EVERY = 0.2  # seconds

Lane = Sequence[ScheduledStorm]


@dataclass(frozen=True)
class Schedule:
    """The storms of a run, and how they are carried out."""

    storms: Lane
    controls: Lane = ()  #: stormed before all others, and not counted among them
    further: Iterator[Lane] | None = None  #: rounds that follow, one by one, until something breaks
    gates: tuple[Gate, ...] = ()
    side_by_side: bool = False  #: each target has a lane of its own
    kind: str = "run"  #: the command, by name

    @property
    def lanes(self) -> list[tuple[Lane, Lane]]:
        """The controls and the storms of each lane."""
        if not self.side_by_side:
            return [(self.controls, self.storms)]
        controls = by_target(self.controls)
        return [(controls.get(target, []), storms) for target, storms in by_target(self.storms).items()]

    def written_below(self, results: Path, command: str) -> store.Run:
        """Make the run's folder. Raises EnvironmentFault."""
        return store.create(
            results,
            command,
            [one.entry for one in self.storms],
            self.kind,
            self.gates,
            until_broken=self.further is not None,
            controls=[one.entry for one in self.controls],
            made=provenance_of(self.storms),
        )


@dataclass
class _Execution:
    """A run that is under way. Lanes share it between their threads; each writes only its own storms' folders."""

    stored: store.Run
    addresses: Mapping[str, Address]  #: the targets, by name, with the servers that were started for them
    watch: Watch
    stop: StopSignal
    judged: list[StormReport] = field(default_factory=list)  #: by now, if the run ends once something broke

    def storm(self, scheduled: ScheduledStorm, pool: WorkerPool, number: int = 0, total: int | None = None) -> bool:
        """Storm, as the one with this number of its lane, from 0. Returns whether the lane may go on.

        A first Ctrl-C counts even where no gentle end is possible.
        """

        def watch(progress: Progress) -> None:
            self.watch(replace(progress, scenario=scheduled.title, number=number, total=total))

        if self.stop.asked():
            return False
        watch(Progress(scheduled.title, scheduled.address.name))
        here = replace(scheduled, address=self.addresses[scheduled.address.name])
        try:
            storm(here, self.stored, watch, self.stop, pool)
        except KeyboardInterrupt:
            if self.stop.insisted():
                raise
            return False
        return True

    def lane(self, controls: Sequence[ScheduledStorm], storms: Sequence[ScheduledStorm], pool: WorkerPool) -> None:
        """Storm one after another, until the user wants an end."""
        if all(self.storm(one, pool, total=len(storms)) for one in controls):
            all(self.storm(one, pool, number, len(storms)) for number, one in enumerate(storms))

    def side_by_side(self, lanes: Sequence[tuple[Lane, Lane]], pools: Sequence[WorkerPool]) -> None:
        """Storm all lanes at once, and wait where signals can be heard. Raises what one of them raised."""

        def storm(controls: Lane, storms: Lane, pool: WorkerPool) -> None:
            self.lane(controls, storms, pool)
            self.watch(Progress("", storms[-1].address.name, number=len(storms), total=len(storms)))

        with ThreadPoolExecutor(len(lanes)) as threads, self.stop.gently():
            running = [threads.submit(storm, *lane, pool) for lane, pool in zip(lanes, pools, strict=True)]
            try:
                while wait(running, _LOOK_EVERY).not_done:
                    pass
            except KeyboardInterrupt:
                for pool in pools:
                    pool.strike()  # without their workers, the storms end
                raise
        for lane in running:
            lane.result()

    def until_broken(self, rounds: Iterable[Lane], pool: WorkerPool) -> None:
        """Storm round after round until something breaks, and write down how long that took."""
        began = monotonic()
        for storms in rounds:
            if not self._round(storms, pool) or _came_to_nothing(self.judged[-len(storms) :]):
                break
        self.stored = replace(self.stored, seconds=round(monotonic() - began, 1))
        store.write_run(self.stored)

    def _round(self, storms: Lane, pool: WorkerPool) -> bool:
        """Storm one round. Returns whether nothing broke, and the user did not want an end."""
        for scheduled in storms:
            with self.stop.gently():  # a storm that did not begin is written down, too, as interrupted
                self.stored = store.added(self.stored, scheduled.entry)
            if not self.storm(scheduled, pool, len(self.judged)):
                return False
            with self.stop.gently():
                self.judged.append(judge_stored(self.stored, scheduled.entry))
            if any(verdict.is_witness for verdict in self.judged[-1].verdicts.values()):
                return False
        return True


def _came_to_nothing(reports: Sequence[StormReport]) -> bool:
    """Whether no storm of a round came to its end, so that no further round would."""
    return all(report.state != StormState.FINISHED for report in reports)


def carry_out(
    schedule: Schedule,
    results: Path,
    command: str,
    watch: Watch,
    stop: StopSignal,
    workers: WorkerPool | None = None,
) -> Report:
    """Storm everything that is scheduled, judge what was recorded, and return the report, written below `results`.

    `command` is the command line that repeats the run. `workers` outlive the run; without them, it starts its own. The
    first Ctrl-C ends each lane's storm in bounded time, with what it has; a second ends them at once.

    Raises EnvironmentFault where the run's folder cannot be made. Where it cannot be written later, the run ends, what
    it has recorded is judged, and the report says so.
    """
    execution = _Execution(schedule.written_below(results, command), {}, watch, stop)
    troubles = list[str]()
    try:
        with store.enduring(troubles):
            _storm_all(schedule, execution, workers)
    finally:  # also where a second Ctrl-C ended it at once
        with store.enduring(troubles):
            store.write_the_rest(execution.stored, why_not_begun(stop, troubles))
    return store.close(execution.stored, judge_run(execution.stored, execution.judged), troubles)


def _storm_all(schedule: Schedule, execution: _Execution, workers: WorkerPool | None) -> None:
    """Storm everything, on servers and with workers that are there for the run."""
    lanes = schedule.lanes
    with ExitStack() as stack:
        opened = stack.enter_context(targets.opened(addresses_of(schedule.storms)))
        execution.addresses = {address.name: address for address in opened}
        own = [WorkerPool() for _ in lanes[0 if workers is None else 1 :]]
        pools = [*([] if workers is None else [workers]), *map(stack.enter_context, own)]
        if schedule.side_by_side:
            execution.side_by_side(lanes, pools)
        elif schedule.further is None:
            execution.lane(schedule.controls, schedule.storms, pools[0])
        elif all(execution.storm(one, pools[0]) for one in schedule.controls):
            execution.until_broken(chain([schedule.storms], schedule.further), pools[0])


def provenance_of(storms: Lane) -> Provenance:
    """Return when, where and with what these storms are made, which begin now."""
    named: dict[str, list[catalogue.Found]] = {}  # several files may have one stem
    for one in storms:
        named.setdefault(one.found.name, []).append(one.found)
    digests = {name: catalogue.digest_of(some) for name, some in named.items()}
    sources = {name: digest for name, digest in digests.items() if digest is not None}
    return provenance(next((one.options.label for one in storms), None), sources)


def why_not_begun(stop: StopSignal, troubles: Sequence[str]) -> Ending:
    """Return the ending of storms that were scheduled, and did not begin."""
    if stop.asked():
        return Ending(StormState.INTERRUPTED, "before it began")
    if troubles:
        return Ending(StormState.NOT_STARTED, f"the run had ended by then: {troubles[0]}")
    return Ending(StormState.NOT_STARTED, "something else had broken by then, and that ended the run")

"""Supervising a storm: its workers are started, watched, perhaps paused halfway, and stopped."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from time import monotonic, monotonic_ns

import sqlalchemy as sa

from idstorm.databases.registry import DATABASES
from idstorm.databases.urls import secrets_of
from idstorm.findings.results import StormState
from idstorm.model.awaiting import is_async
from idstorm.record.ending import CensusQuality, ClientsEnd, Ending
from idstorm.record.plan import Plan
from idstorm.scenario import Place, Scenario
from idstorm.storm.assignment import Assignment
from idstorm.storm.engine import as_user_error, place_for
from idstorm.storm.environment import environment_of
from idstorm.storm.loops import awaited, in_loop
from idstorm.storm.progress import Follow, Watch
from idstorm.storm.stop import StopSignal
from idstorm.storm.worker_pool import WorkerPool, Workers

_READY_WITHIN = 120.0  # seconds: importing the user's application may take long
_HEAD_START = 100_000_000  # nanoseconds from the order to the start, so that it reaches every worker in time
_STOP_WITHIN = 10.0  # seconds within which a client must have finished its last operation
_STUCK_STOP_WITHIN = 1.0  # seconds for clients that were silent for longer than the patience
_LOOK_EVERY = 0.2  # seconds
_NO_HOPE_WITHIN = 2.0  # seconds: what keeps all clients from working in the beginning may pass


def supervise(
    scenario: Scenario, plan: Plan, url: sa.URL, folder: Path, watch: Watch, stop: StopSignal, pool: WorkerPool
) -> Ending:
    """Let workers of the pool storm in the scenario's environment. Returns how that ended."""
    database = DATABASES[plan.target.dialect]
    with environment_of(scenario, place_for(scenario.environment, database, url, plan.target)) as given:
        assignment = Assignment(plan, url.render_as_string(hide_password=False), str(folder.absolute()), given)
        place = place_for(scenario.interlude, database, url, plan.target)
        interlude = None if scenario.interlude is None else _calling(scenario.interlude, place)
        ending = _let_loose(pool, assignment, url, folder, watch, stop, interlude)
        notes = given.get("notes", ()) if isinstance(given, dict) else ()
        return replace(ending, notes=tuple(str(note) for note in notes))


def _let_loose(
    pool: WorkerPool,
    assignment: Assignment,
    url: sa.URL,
    folder: Path,
    watch: Watch,
    stop: StopSignal,
    interlude: Callable[[], object] | None,
) -> Ending:
    """Let the workers storm, and return once none of them is at work any more."""
    plan = assignment.plan
    follow, state, message = Follow(plan, folder / "tapes"), StormState.FINISHED, None
    seen, moved = (0, False), 0.0
    hopeless_since: float | None = None
    with pool.acquire(assignment, plan.fleet.processes, secrets_of(url)) as workers:
        if workers.until_ready(_READY_WITHIN, stop.asked):
            begun = moved = monotonic()
            workers.send(f"start {monotonic_ns() + _HEAD_START}")
            while workers.talking and not workers.fatal:
                workers.listen(_LOOK_EVERY)
                watch(follow.look(monotonic() - begun))
                if interlude is not None and workers.still:
                    stands = monotonic()
                    with as_user_error(DATABASES[plan.target.dialect], url, "the interlude failed"):
                        interlude()
                    interlude = None
                    workers.send("resume")
                    begun += monotonic() - stands
                    moved = monotonic()
                error, hopeless_since = follow.hopeless(), hopeless_since or monotonic()
                if error is None:
                    hopeless_since = None
                elif monotonic() - hopeless_since > _NO_HOPE_WITHIN:
                    state, message = StormState.FAILED_FAST, _hopeless(error)
                if seen != (follow.ended, workers.working):
                    seen, moved = (follow.ended, workers.working), monotonic()
                limit = plan.patience if workers.working else max(plan.patience, _READY_WITHIN)
                if workers.talking and monotonic() - moved > limit:
                    state, message = StormState.STUCK, _stuck(limit)
                if stop.asked():
                    state, message = StormState.INTERRUPTED, "by the user"
                if state != StormState.FINISHED:
                    break
        elif stop.asked():
            state, message = StormState.INTERRUPTED, "by the user"
        _stop(workers, _STUCK_STOP_WITHIN if state == StormState.STUCK else _STOP_WITHIN)
        if state == StormState.FINISHED:
            follow.look(0.0)
            if error := follow.hopeless():
                state, message = StormState.FAILED_FAST, _hopeless(error)
    if workers.fatal:
        state = StormState.UNFINISHED if workers.environment else StormState.AT_FAULT
        message = f"a client could not go on\n{workers.fatal}"
    lost = tuple(filter(None, (worker.lost() for worker in workers.all)))
    full = sum(worker.full_clients for worker in workers.all)
    because = next((worker.full_because for worker in workers.all if worker.full_because), None)
    census = next((worker.census for worker in workers.all if worker.census), None)
    opened = [worker.connections for worker in workers.all]
    connections = None if None in opened else sum(number or 0 for number in opened)
    lost = () if state == StormState.INTERRUPTED else lost
    clients = ClientsEnd(lost, full, because, connections=connections)
    return Ending(state, message, clients, CensusQuality(unread=census))


def _calling(interlude: Callable[[Place], object], place: Place) -> Callable[[], object]:
    """Return a function that calls the interlude, and waits for it if it is an async one."""
    if is_async(interlude):
        return lambda: in_loop(lambda: awaited(interlude(place)))
    return partial(interlude, place)


def _hopeless(error: str) -> str:
    return f"every client's first operations all failed with {error}"


def _stuck(seconds: float) -> str:
    return (
        f"no operation ended for {seconds:g} s, so the storm was ended; what was under way is unknown. "
        "If the work takes that long, raise --patience"
    )


def _stop(workers: Workers, seconds: float) -> None:
    """Tell all clients to end, within bounded time. Workers that remain are killed when `workers` is closed."""
    workers.send("stop")
    deadline = monotonic() + seconds
    while workers.talking and monotonic() < deadline:
        workers.listen(0.1)

"""One storm from beginning to end: rehearse, plan, launch, watch, quiesce, take the census, write it all down."""

from __future__ import annotations

import secrets
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from time import monotonic, monotonic_ns
from typing import Any, Protocol

import sqlalchemy as sa

from idstorm.catalogue import Found
from idstorm.databases.base import CensusUnreadable
from idstorm.databases.targets import DATABASES, Address
from idstorm.databases.urls import mask, reaching, secrets_of
from idstorm.errors import EnvironmentFault, UsageError, redact
from idstorm.record import store
from idstorm.record.history import read_history, trim
from idstorm.record.plan import Fleet, Plan, Pool, Tokens
from idstorm.record.store import Ending
from idstorm.record.tape import Layout
from idstorm.scenario import resolve_claims
from idstorm.storm.engine import AUTOCOMMIT, Manner, open_engine
from idstorm.storm.launch import Workers
from idstorm.storm.progress import Follow, Watch
from idstorm.storm.rehearsal import NotApplicable, facts_of, make_tables, rehearse
from idstorm.storm.work import Work, work_of

_READY_WITHIN = 120.0  # seconds: importing the user's application may take long
_HEAD_START = 100_000_000  # nanoseconds from the word to the start, so that it has reached every worker
_STOP_WITHIN = 10.0  # seconds in which a client must have finished its last operation
_LOOK_EVERY = 0.2  # seconds
_NO_CENSUS = "there is no census: the storm did not come to its end"


class Stop(Protocol):
    """Whether the user wants an end."""

    def asked(self) -> bool:
        """Whether the user has asked to stop."""

    def gently(self) -> AbstractContextManager[None]:
        """While this lasts, a first request only shows in `asked`; at other times it raises KeyboardInterrupt."""


@dataclass(frozen=True)
class Order:
    """What is to be stormed, and how. A fraction, a batch or a pool of None leaves it to the scenario."""

    found: Found
    address: Address
    fleet: Fleet
    path: str
    batch: int | None = None
    rollback: float | None = None
    deletes: float | None = None
    pool_size: int | None = None
    max_overflow: int = 0
    pool_timeout: float = 30.0
    isolation: str | None = None
    keep: bool = False  #: leave the namespace where it is
    settings: tuple[tuple[str, str], ...] = ()

    @property
    def final_fleet(self) -> Fleet:
        """The fleet with the scenario's own wishes where the user has none."""
        scenario = self.found.scenario
        return replace(
            self.fleet,
            batch=scenario.batch if self.batch is None else self.batch,
            rollback=scenario.rollback if self.rollback is None else self.rollback,
            deletes=scenario.deletes if self.deletes is None else self.deletes,
        )

    @property
    def manner(self) -> Manner:
        """How connections are opened: the pool of a worker holds what its clients need, unless told otherwise."""
        most = len(self.fleet.of_worker(0)) * self.found.scenario.connections
        pool = Pool(self.pool_size or most, self.max_overflow, self.pool_timeout)
        return Manner(pool, self.isolation, dict(self.settings))


def check_order(order: Order) -> None:
    """Raise UsageError for an order that makes no sense, before anything is done."""
    fleet = order.final_fleet
    order.address.database.check_settings(order.manner.settings)
    if fleet.rollback and order.isolation == AUTOCOMMIT:
        raise UsageError("a rollback means nothing under AUTOCOMMIT: leave out --rollback or --isolation")
    work_of(order.found.scenario)


def storm(order: Order, run: str, folder: Path, watch: Watch, stop: Stop) -> None:
    """Storm, and write down in `folder` all that there is to judge, and how it ended.

    `watch` is shown how it goes; `stop` is asked whether to end early. Raises EnvironmentFault where the results cannot
    be written. What else goes wrong is in the ending.
    """
    try:
        ending = _storm(order, run, folder, watch, stop)
    except NotApplicable as error:
        ending = Ending("not applicable", str(error))
    except sa.exc.SQLAlchemyError as error:  # of idstorm's own statements; those of the work are the client's
        words = redact(str(getattr(error, "orig", None) or error), secrets_of(order.address.url))
        ending = Ending("not started", f"{order.address.name} refused what idstorm needs: {words}", census=_NO_CENSUS)
    except UsageError as error:
        ending = Ending("at fault", str(error), census=_NO_CENSUS)
    except (EnvironmentFault, OSError) as error:
        ending = Ending("not started", str(error), census=_NO_CENSUS)
    except KeyboardInterrupt:
        store.write_ending(folder, Ending("interrupted", "at once, by the user", census=_NO_CENSUS))
        raise
    store.write_ending(folder, ending)


def _storm(order: Order, run: str, folder: Path, watch: Watch, stop: Stop) -> Ending:
    database, url, scenario = order.address.database, order.address.url, order.found.scenario
    if order.address.fault is not None:
        raise EnvironmentFault(order.address.fault)
    work, label = work_of(scenario), f"{run}-{folder.name.partition('-')[0]}"
    with database.namespace(url, f"{label}r") as inside:
        rehearsed_with = replace(scenario, deletes=order.final_fleet.deletes)
        rehearsed = rehearse(rehearsed_with, work, order.address, inside, order.manner, order.final_fleet.batch)
    plan = Plan(
        run=run,
        storm=folder.name,
        scenario=order.found.name,
        reference=order.found.reference,
        path=order.path,
        target=rehearsed.target,
        fleet=order.final_fleet,
        pool=order.manner.pool,
        ids=rehearsed.ids,
        tokens=Tokens(1 + secrets.randbelow(1 << 62)),
        claims=resolve_claims(scenario, rehearsed.target),
        isolation=order.isolation,
        settings=dict(order.manner.settings),
    )
    if plan.fleet.rollback and plan.ids.autonomous:
        raise UsageError(
            f"the work of {plan.scenario} commits by itself: a rollback means nothing, leave out --rollback"
        )
    store.write_plan(folder, plan)
    database = DATABASES[plan.target.dialect]
    with database.namespace(url, label, keep=order.keep) as inside, reaching(inside):
        before = _prepare(order, plan, work, inside, folder)
        with stop.gently():
            ending = _unleash(plan, inside, folder, watch, stop)
            ending = _take_census(order, plan, work, inside, folder, ending)
            return replace(ending, before=before, kept=mask(inside) if order.keep else None)


def _prepare(order: Order, plan: Plan, work: Work, url: sa.URL, folder: Path) -> int:
    """Make the tables, and take the census of what `setup` put there. Returns the number of its rows."""
    database = DATABASES[plan.target.dialect]
    engine = open_engine(order.found.scenario, database, url, order.manner)
    try:
        make_tables(order.found.scenario, engine)
    finally:
        engine.dispose()
    before = database.read_census(url, work.ids, work.token, plan.ids.codec)
    if len(before):
        store.write_census(folder, "before", before)
    return len(before)


def _unleash(plan: Plan, url: sa.URL, folder: Path, watch: Watch, stop: Stop) -> Ending:
    """Let the workers storm, and see them all gone."""
    orders = {
        "plan": plan.to_json(),
        "url": url.render_as_string(hide_password=False),
        "tapes": str((folder / "tapes").absolute()),
    }
    follow, state, message = Follow(plan, folder / "tapes"), "finished", None
    with Workers(orders, plan.fleet.processes, secrets_of(url)) as workers:
        if workers.until_ready(_READY_WITHIN, stop.asked):
            begun = monotonic()
            workers.send(f"start {monotonic_ns() + _HEAD_START}")
            while workers.talking and not workers.fatal:
                workers.listen(_LOOK_EVERY)
                watch(follow.look(monotonic() - begun))
                error = follow.hopeless()
                if error is not None:
                    state, message = "failed fast", f"every client's first operations all failed with {error}"
                if stop.asked():
                    state, message = "interrupted", "by the user"
                if state != "finished" or _overdue(plan, monotonic() - begun):
                    break
        elif stop.asked():
            state, message = "interrupted", "by the user"
        _stop(workers)
    if workers.fatal:
        state, message = "at fault", f"a client could not go on\n{workers.fatal}"
    lost = tuple(filter(None, (worker.lost() for worker in workers.all)))
    full = sum(worker.full_clients for worker in workers.all)
    return Ending(state, message, () if state == "interrupted" else lost, full)


def _overdue(plan: Plan, elapsed: float) -> bool:
    """Whether clients that should have ended by now must be told so, or be ended: they may hang in the database."""
    return plan.fleet.seconds is not None and elapsed > plan.fleet.seconds + plan.pool.timeout + _STOP_WITHIN


def _stop(workers: Workers) -> None:
    """Tell all clients to end, and give them bounded time for it. Whoever is left is killed when the workers close."""
    workers.send("stop")
    deadline = monotonic() + _STOP_WITHIN
    while workers.talking and monotonic() < deadline:
        workers.listen(0.1)


def _take_census(order: Order, plan: Plan, work: Work, url: sa.URL, folder: Path, ending: Ending) -> Ending:
    """Wait until the database is quiet, and read the table back."""
    database, tapes = DATABASES[plan.target.dialect], folder / "tapes"
    layout = Layout(plan.fleet.batch, plan.ids.codec.words)
    for client in range(plan.fleet.clients):
        trim(tapes, client, layout)
    offsets = read_history(tapes, plan).op_offsets
    quiet, unreadable = database.quiesce(url), None
    try:
        store.write_census(folder, "census", database.read_census(url, work.ids, work.token, plan.ids.codec))
    except CensusUnreadable as error:
        unreadable = redact(str(error), secrets_of(url))
    return replace(
        ending,
        quiet=quiet,
        census=unreadable,
        operations=tuple((offsets[1:] - offsets[:-1]).tolist()),
        facts=_facts(order, plan, url),
    )


def _facts(order: Order, plan: Plan, url: sa.URL) -> dict[str, Any]:
    """Return the facts afterwards, or none where the database has gone."""
    database = DATABASES[plan.target.dialect]
    engine = open_engine(order.found.scenario, database, url, order.manner)
    try:
        return facts_of(database, engine, url, order.manner)
    except EnvironmentFault:
        return {}
    finally:
        engine.dispose()

"""A storm that is going to be: what is stormed, where, how, and its place in the run."""

from __future__ import annotations

from dataclasses import dataclass

from idstorm.catalogue import Found
from idstorm.databases.registry import DATABASES
from idstorm.databases.targets import Address
from idstorm.errors import UsageError
from idstorm.model.schema import schemas_of
from idstorm.model.work import work_of
from idstorm.options import StormOptions, check_bounds
from idstorm.record.plan import Fleet, Pool, Target
from idstorm.storm.engine import AUTOCOMMIT, ConnectionOptions

_ROWS_A_SECOND = 500  # a slow machine's rate, in large batches, for all clients together
_ANSWER_WITHIN = 10.0  # seconds after its own timeout within which a database has answered


@dataclass(frozen=True)
class ScheduledStorm:
    """One storm of a run."""

    found: Found
    address: Address
    options: StormOptions
    path: tuple[str, ...]  #: what comes first on a worker's sys.path
    reader_if_possible: bool = False  #: a reader wherever one makes sense, even if not asked for
    notes: tuple[str, ...] = ()  #: what the report has to say about how the storm came to be
    name: str = ""  #: of its folder
    repeats: str | None = None  #: the name of its first repetition; None: nothing is repeated
    label: str = ""  #: which repetition it is, in words

    @property
    def entry(self) -> dict[str, str]:
        """What a run's folder says of it."""
        entry = {"name": self.name, "scenario": self.found.name, "target": self.address.name}
        return entry if self.repeats is None else {**entry, "repeats": self.repeats}

    @property
    def title(self) -> str:
        """The scenario, and which repetition it is, for readers."""
        return f"{self.found.name}, {self.label}" if self.label else self.found.name

    @property
    def fleet(self) -> Fleet:
        """The fleet, by the user's options, or the scenario's where the user gave none."""
        scenario, asked = self.found.scenario, self.options
        return Fleet(
            processes=1 if scenario.local else asked.processes,
            clients=asked.clients,
            batch=scenario.batch if asked.batch is None else asked.batch,
            seed=asked.seed or 0,
            inserts=None if asked.inserts is None else max(asked.inserts, scenario.least),
            seconds=asked.time,
            rollback=scenario.rollback if asked.rollback is None else asked.rollback,
            deletes=scenario.deletes if asked.deletes is None else asked.deletes,
            think=scenario.think if asked.think is None else asked.think,
        )

    @property
    def connection_options(self) -> ConnectionOptions:
        """How connections are opened: by default a worker's pool holds as many as its clients need."""
        scenario, asked = self.found.scenario, self.options
        most = len(self.fleet.of_worker(0)) * scenario.connections
        pool = Pool(asked.pool_size or most, asked.max_overflow, asked.pool_timeout)
        return ConnectionOptions(pool, asked.isolation or scenario.isolation, dict(asked.settings))

    @property
    def wants_reader(self) -> bool:
        """Whether a reader polls throughout the storm, if the model can have one."""
        asked, own = self.options.reader, bool(self.found.scenario.reader)
        return self.reader_if_possible or (own if asked is None else asked)

    @property
    def namespace(self) -> str | None:
        """What a storm makes for its tables; None: what the driver can be led into.

        Through a pooler, and for migrations that name schemas, that is a database.
        """
        if self.address.direct is not None or (self.migrated and "schema" in self.address.database.kinds):
            return "database"
        return self.options.namespace

    @property
    def migrated(self) -> str | None:
        """A schema that the model names, where migrations make its tables: there, nothing maps it to the storm's."""
        scenario = self.found.scenario
        return None if scenario.tables is None else min(schemas_of(scenario.metadata), default=None)

    def patience_on(self, target: Target) -> float:
        """The patience, in seconds, that leaves a pool, a lock or a pause the time to end by itself."""
        fleet = self.fleet
        rows = fleet.clients * fleet.batch / _ROWS_A_SECOND
        lock = DATABASES[target.dialect].lock_timeout(target.facts)
        return max(self.options.patience, max(self.options.pool_timeout, lock, fleet.think[1], rows) + _ANSWER_WITHIN)


def check_scheduled(scheduled: ScheduledStorm) -> None:
    """Raise UsageError for a storm that makes no sense, before anything is done."""
    fleet, how, found = scheduled.fleet, scheduled.connection_options, scheduled.found
    check_bounds(batch=fleet.batch, think=fleet.think)
    database, place = scheduled.address.database, scheduled.options.namespace
    database.check_settings(how.settings)
    if place is not None and place not in database.kinds:
        raise UsageError(f"--namespace {place}: {database.name} makes a {database.kinds[0]} for each storm")
    if scheduled.address.direct is not None and place == "schema":
        raise UsageError("--namespace schema: a pooler would lead clients elsewhere; leave it out with --admin-url")
    if scheduled.migrated and ("schema" not in database.kinds or place == "schema"):
        raise UsageError(
            f"the model names the schema {scheduled.migrated}, in which migrations would alter what is really there: "
            f"{'leave out --namespace schema' if place else 'let tables= and the model name none'}"
        )
    if fleet.rollback and how.isolation == AUTOCOMMIT:
        raise UsageError("a rollback means nothing under AUTOCOMMIT: leave out --rollback or --isolation")
    if found.scenario.client is not None and (fleet.rollback or fleet.deletes or fleet.think[1]):
        raise UsageError(f"the clients of {found.name} are its own: leave out --rollback, --deletes and --think")
    work_of(found.scenario)

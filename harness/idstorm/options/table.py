"""The table of options: a row is a field of `StormOptions`, with all that there is to know of it."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any

from idstorm.errors import UsageError
from idstorm.options.kinds import (
    ADDRESS,
    DURATION,
    FLAG,
    FRACTION,
    GATE,
    LEVEL,
    LINE,
    NUMBER,
    PLACE,
    RATE,
    SETTING,
    SPAN,
    WHOLE,
    Kind,
)

if TYPE_CHECKING:
    from idstorm.findings.gate import Gate

EXPLORATION = ("reader", "isolation", "settings", "namespace", "keep", "allow_replicated", "label")
"""The options that an exploration has, too."""

DEFAULT_SECONDS = 5.0  #: of a storm that has neither a time nor a number of inserts


@dataclass(frozen=True)
class Option:
    """A row of the table."""

    name: str  #: of the field, and of the keyword
    default: Any  #: None: the scenario's, the database's, or none
    help: str
    kind: Kind
    group: str  #: under which help shows it
    flags: tuple[str, ...]  #: how a command line writes it
    says: str | None  #: what the default is, where that is None, in words
    bounds: tuple[float, float] | None
    many: bool  #: several may be given: the value is a tuple

    @property
    def key(self) -> str:
        """Its name in a profile, and in words."""
        return next(flag for flag in self.flags if flag.startswith("--")).removeprefix("--").partition("/")[0]

    @property
    def negation(self) -> str | None:
        """The flag that says no, for an option that is one of two flags."""
        return self.flags[-1].partition("/")[2] or None

    @property
    def is_flag(self) -> bool:
        """Whether it takes no word."""
        return self.kind is FLAG

    def take(self, value: object) -> Any:
        """Return a value that a person wrote as a word, or that Python code gave. Raises UsageError."""
        if isinstance(value, str):
            taken = self.kind.read(value)
        else:
            try:
                taken = self.kind.accept(value)
            except (TypeError, ValueError):
                words = f"{self.key} cannot be {value!r}: write it as `idstorm run --help` says"
                raise UsageError(words) from None
        if self.bounds is not None:
            self._check(*self.bounds, taken[-1] if isinstance(taken, tuple) else taken)
        return taken

    def _check(self, least: float, most: float, value: float) -> None:
        if self.kind is FRACTION and not least <= value < most:  # which no NaN is
            raise UsageError(f"{self.key} has to be at least 0 and less than 1, and {value} is not")
        if not least <= value <= most:
            raise UsageError(f"{self.key} has to be from {least:,} to {most:,}, and {value} is not")

    def words(self, value: Any) -> list[str]:
        """Return the words of a command line that give the option this value."""
        if self.is_flag:
            return [flag for flag in [f"--{self.key}" if value else self.negation] if flag]
        return [word for one in (value if self.many else [value]) for word in (f"--{self.key}", self.kind.write(one))]


def _option(
    kind: Kind,
    group: str,
    flags: str,
    help_: str,
    default: Any = None,
    *,
    says: str | None = None,
    bounds: tuple[float, float] | None = None,
) -> Any:
    """Return a row of the table: a field of StormOptions. `flags` are as a command line has them, between blanks."""
    row = {"kind": kind, "group": group, "flags": tuple(flags.split()), "help": help_, "says": says, "bounds": bounds}
    return field(default=default, repr=kind is not ADDRESS, metadata={**row, "many": isinstance(default, tuple)})


_LOAD, _JUDGED, _CONNECTIONS, _RUN = "Load", "What is judged", "Connections", "The run"


@dataclass(frozen=True)
class StormOptions:
    """How to storm, and how often. None: as the scenario or the database has it. Times are in seconds."""

    processes: int = _option(WHOLE, _LOAD, "-j --processes", "Worker processes.", 2, bounds=(1, 10_000))
    clients: int = _option(
        WHOLE, _LOAD, "-c --clients", "Client threads in total, spread over the processes.", 8, bounds=(1, 10_000)
    )
    inserts: int | None = _option(
        WHOLE,
        _LOAD,
        "-n --inserts",
        "Rows to attempt in total, instead of a time.",
        bounds=(1, 4_000_000_000),  # the tokens of one client
    )
    time: float | None = _option(
        DURATION,
        _LOAD,
        "-T --time --duration",
        "How long to storm: 30s, 5m.",
        says=f"{DEFAULT_SECONDS:g}s",
        bounds=(0, 365 * 86_400),
    )
    batch: int | None = _option(
        WHOLE, _LOAD, "--batch", "Rows per transaction.", says="the scenario's, mostly 1", bounds=(1, 100_000)
    )
    rollback: float | None = _option(
        FRACTION,
        _LOAD,
        "--rollback",
        "Roll back this fraction of the inserts after their ids were seen.",
        bounds=(0, 1),
    )
    deletes: float | None = _option(
        FRACTION,
        _LOAD,
        "--deletes",
        "Let this fraction of the operations delete rows that the client inserted.",
        bounds=(0, 1),
    )
    think: tuple[float, float] | None = _option(
        SPAN, _LOAD, "--think", "Hold transactions open this long between insert and COMMIT.", bounds=(0, 3_600)
    )
    reader: bool | None = _option(
        FLAG,
        _JUDGED,
        "--reader/--no-reader",
        "Poll the table for newer rows, to see what such a reader misses.",
        says="the scenario's",
    )
    headroom: float | None = _option(
        FRACTION,
        _JUDGED,
        "--headroom",
        "Fraction of the ids that may be used up.",
        says="the scenario's, mostly 0.5",
        bounds=(0, 1),
    )
    forecast: float | None = _option(
        RATE,
        _JUDGED,
        "--forecast",
        "Expected rate of inserts, to tell how long the ids will last.",
        bounds=(1e-9, 10**12),
    )
    pool_size: int | None = _option(
        WHOLE,
        _CONNECTIONS,
        "--pool-size",
        "Connections of each process.",
        says="one for each client",
        bounds=(1, 10_000),
    )
    max_overflow: int = _option(
        WHOLE, _CONNECTIONS, "--max-overflow", "Connections beyond the pool's size.", 0, bounds=(0, 10_000)
    )
    pool_timeout: float = _option(
        NUMBER, _CONNECTIONS, "--pool-timeout", "Seconds to wait for a connection.", 30.0, bounds=(1e-3, 86_400)
    )
    patience: float = _option(
        DURATION,
        _CONNECTIONS,
        "--patience",
        "End a storm in which no operation ends for this long; never sooner than the timeouts of pool and locks allow.",
        30.0,
        bounds=(0, 86_400),
    )
    isolation: str | None = _option(
        LEVEL, _CONNECTIONS, "--isolation", "Isolation level, or AUTOCOMMIT.", says="the database's"
    )
    control: bool = _option(
        FLAG,
        _JUDGED,
        "--control/--no-control",
        "First storm a known fault on each target: a run that does not see it is inconclusive.",
        False,
    )
    keep: bool = _option(FLAG, _RUN, "--keep", "Keep the storm's own schema, database or file afterwards.", False)
    namespace: str | None = _option(
        PLACE,
        _RUN,
        "--namespace",
        "What a storm makes for its tables: a schema, or a database of its own, into which any driver can be led.",
        says="the first that the driver can be led into",
    )
    admin_url: str | None = _option(
        ADDRESS,
        _RUN,
        "--admin-url",
        "Where --on leads to a pooler: the URL of the server itself, for idstorm's own work. The storm then has a "
        "database of its own, to which the pooler has to lead.",
        says="the target's own",
    )
    allow_replicated: bool = _option(
        FLAG,
        _RUN,
        "--allow-replicated",
        "Storm a server even if what it writes is sent elsewhere, such as to replicas.",
        False,
    )
    label: str | None = _option(
        LINE, _RUN, "--label", "What to call the machine, or the occasion, where stored runs are listed and compared."
    )
    repeat: int | None = _option(
        WHOLE,
        _RUN,
        "--repeat",
        "Storm everything N times, and judge the repetitions together: broken once is broken.",
        bounds=(1, 10_000),
    )
    until_broken: bool = _option(
        FLAG,
        _RUN,
        "--until-broken",
        "Repeat until a check that is claimed to hold or to break is broken: N times at most, else until Ctrl-C.",
        False,
    )
    fail_if: tuple[Gate, ...] = _option(
        GATE,
        _JUDGED,
        "--fail-if",
        "Fail if this is true, whatever the claims: 'gapless.ratio > 0.05', 'operations.latency_ms.p99 > 200'.",
        (),
    )
    settings: tuple[tuple[str, str], ...] = _option(
        SETTING,
        _CONNECTIONS,
        "--set",
        "Change a setting of the database's sessions, such as begin=immediate on SQLite.",
        (),
    )
    seed: int | None = _option(
        WHOLE,
        _LOAD,
        "--seed",
        "Fixes what is chosen (which inserts to roll back, how long to think), not how clients interleave.",
        says="chosen at random",
        bounds=(0, (1 << 63) - 1),
    )

    def resolved(self) -> StormOptions:
        """Return the options with a time, where they have no number of inserts, and a seed. Raises UsageError."""
        if self.inserts is not None and self.time is not None:
            raise UsageError("inserts and time cannot be used together: give one of them")
        if self.processes > self.clients:
            raise UsageError(
                f"{self.processes} processes are too many for {self.clients} clients: each needs one at least"
            )
        return replace(
            self,
            time=DEFAULT_SECONDS if self.inserts is None and self.time is None else self.time,
            seed=secrets.randbelow(1_000_000) if self.seed is None else self.seed,
        )


OPTIONS: Mapping[str, Option] = {
    one.name: Option(one.name, one.default, **one.metadata) for one in fields(StormOptions)
}
"""The table, by the names of the fields."""

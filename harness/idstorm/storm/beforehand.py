"""Checks before a storm: whether the server has enough connections for it, and who else it would affect."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from idstorm.databases.bystanders import Bystanders
from idstorm.errors import EnvironmentFault, UsageError
from idstorm.record.tape import Layout
from idstorm.redaction import redact

if TYPE_CHECKING:
    from idstorm.storm.scheduled import ScheduledStorm

_OWN = 3  #: idstorm's own: the one that holds the lock, and those that make, watch and read the tables
_TRIES, _INSTANT = 6, 0.5  # tries, and seconds between them: a storm that has just ended is still closing its own


_ROW_HERE = 0.5e-3  # megabytes of a plain row on a server: in the table, the index and the log
_ROWS_A_SECOND = 4_000  # that of a fast server on the same machine, so that estimates are too large rather than small


@dataclass(frozen=True)
class Needs:
    """What a storm needs, as far as that can be known without querying the database."""

    connections: int
    rows: int  #: an estimate, if the storm is limited by time instead of a number
    results: float  #: megabytes of the run's folder while it lasts
    server: float  #: megabytes in the namespace and in the log, for plain rows
    privileges: tuple[str, ...]  #: the statements that grant them


def needs_of(scheduled: ScheduledStorm) -> Needs:
    """Return what a storm needs."""
    fleet, database = scheduled.fleet, scheduled.address.database
    rows = fleet.inserts or round((fleet.seconds or 0) * _ROWS_A_SECOND * fleet.batch)
    tapes = Layout(fleet.batch, 1).words * 8 * rows / fleet.batch
    private = scheduled.address.programs is not None
    two_phase = "two_phase" in scheduled.found.scenario.needs
    return Needs(
        connections=0 if database.serverless else connections_of(scheduled),
        rows=rows,
        results=max(1.0, tapes / 1e6),
        server=max(1.0, rows * _ROW_HERE),
        privileges=()
        if private
        else tuple(database.privileges(scheduled.address.own_url, two_phase=two_phase, kind=scheduled.namespace)),
    )


def connections_of(scheduled: ScheduledStorm) -> int:
    """Return how many connections a storm has open at most, not counting those that an application itself opens."""
    fleet, pool, scenario = scheduled.fleet, scheduled.connection_options.pool, scheduled.found.scenario
    wanted = [len(fleet.of_worker(number)) * scenario.connections for number in range(fleet.processes)]
    if scenario.engine is None:
        wanted = [min(one, pool.size + pool.max_overflow) for one in wanted]
    return sum(wanted) + scheduled.wants_reader + _OWN


def look_around(scheduled: ScheduledStorm) -> list[str]:
    """Return what the report has to say about a server that the storm shares.

    Raises UsageError where the server is replicated and that was not allowed, and EnvironmentFault where it is out of
    reach, or has too few connections left.
    """
    if scheduled.address.database.serverless or scheduled.found.scenario.local:
        return []
    needed = connections_of(scheduled)
    there = _look(scheduled, needed)
    if there.followers and not scheduled.options.allow_replicated:
        raise UsageError(
            f"{scheduled.address.name} is replicated, and everything that the storm writes would be sent to "
            f"{_listed(there.followers)}: storm another server, or allow it with --allow-replicated"
        )
    if there.free is not None and needed > there.free:
        raise EnvironmentFault(
            f"the storm needs {needed} connections, and {scheduled.address.name} has {there.free} left: storm with "
            f"fewer clients (-c), or raise {there.limit}"
        )
    notes = [f"it was not seen {redact(one, scheduled.address.secrets)}" for one in there.unseen]
    if there.free is not None and 2 * needed > there.free:
        notes.append(f"the storm needed up to {needed} of the {there.free} connections that the server had left")
    if there.followers:
        notes.append(f"what the storm wrote was sent to {_listed(there.followers)}, too")
    if there.triggers:
        notes.append(f"{_listed(there.triggers)} fired where the storm made and dropped its tables")
    return notes


def _look(scheduled: ScheduledStorm, needed: int) -> Bystanders:
    """Look for bystanders, and look again while there are too few connections."""
    with scheduled.address.database.administer(scheduled.address.own_url) as connection:
        for _ in range(_TRIES):
            there = scheduled.address.database.bystanders(connection)
            if there.free is None or needed <= there.free:
                break
            time.sleep(_INSTANT)
    return there


def _listed(words: tuple[str, ...]) -> str:
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)

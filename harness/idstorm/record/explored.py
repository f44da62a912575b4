"""What an exploration came to: the schedules that were tried, and the first that broke each check.

It is `explored.json` in the folder of its storm. The folder of a schedule that broke something, beside it, is that of a
storm: its tapes and its census are judged again by the same checks.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from idstorm.findings.results import Status
from idstorm.findings.schedules import NAMES
from idstorm.record.plan import Plan
from idstorm.record.shapes import read_as


@dataclass(frozen=True)
class Broken:
    """The first schedule that broke a check: one with as few preemptions as any."""

    folder: str  #: of its tapes, in that of the exploration
    number: int  #: how many schedules had been tried by then, it included
    preemptions: int
    clients: tuple[int, ...]  #: the client of each step
    moves: tuple[tuple[int, str, str], ...]  #: client, step (empty: it goes on after waiting), and what came of it
    told: tuple[str, ...]  #: what became of each client, in words
    rows: int = 0  #: that were there before, besides those of `setup`


@dataclass(frozen=True)
class Seen:
    """What one check found over all schedules."""

    statuses: dict[str, int]  #: in how many schedules it had this status
    reason: str | None = None  #: of the first schedule in which it was unknown or n/a
    broken: Broken | None = None


@dataclass(frozen=True)
class Explored:
    """What an exploration came to."""

    operations: int  #: of each client
    by_preemptions: dict[str, int]  #: schedules that were tried
    schedules: tuple[str, ...]  #: the client of each step of each of them, a letter each
    asked: tuple[str, ...] = ()  #: bounds that the user named, in words
    limits: tuple[str, ...] = ()  #: why it is not complete, in sentences
    rows: tuple[int, ...] = (0,)  #: how many were there, besides those of `setup`: all schedules were tried with each
    raced: dict[str, int] = field(default_factory=dict)
    """In how many schedules the database ended an operation because of others, by the name of the error."""
    seconds: float = 0.0
    checks: dict[str, Seen] = field(default_factory=dict)

    @property
    def number(self) -> int:
        """How many schedules were tried."""
        return sum(self.by_preemptions.values())

    @property
    def most(self) -> int:
        """The most preemptions of any schedule that was tried."""
        return max(map(int, self.by_preemptions), default=0)

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON's own types."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any], plan: Plan) -> Explored:
        """Return what is stored, for the plan beside it. Raises what `intact` turns into UnreadableRun."""
        explored, fleet = read_as(cls, data), plan.fleet
        counts = [*explored.by_preemptions.values(), *map(int, explored.by_preemptions), *explored.rows]
        counts += [number for seen in explored.checks.values() for number in seen.statuses.values()]
        if min(counts, default=0) < 0 or explored.seconds < 0 or not explored.checks.keys() <= plan.claims.keys():
            raise ValueError("it counts less than nothing, or checks that the plan does not have")
        for name, seen in explored.checks.items():
            statuses = {Status(status): number for status, number in seen.statuses.items()}
            if (seen.broken is not None) != (statuses.get(Status.BROKEN, 0) > 0):
                raise ValueError(f"{name} is broken without a witness, or has one and is not")
            if sum(statuses.values()) > explored.number:
                raise ValueError(f"{name} was judged in more schedules than were tried")
        for broken in (seen.broken for seen in explored.checks.values() if seen.broken is not None):
            clients = {*broken.clients, *(client for client, _, _ in broken.moves)}
            if not clients <= set(range(min(fleet.clients + plan.reader, len(NAMES)))) or len(broken.told) > len(NAMES):
                raise ValueError(f"a schedule has clients that the plan does not have: {sorted(clients)}")
        return explored

"""How a storm ended, and what was learned afterwards about its clients, its census and its server.

======= ===================================================================
format  what it is
======= ===================================================================
1       one flat object: `_FLAT` says where each of its fields went
2       an object for each of the clients, the census and the server
======= ===================================================================
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from idstorm.findings.results import StormState
from idstorm.record.capacity import Capacity
from idstorm.record.shapes import read_as

ENDING_FORMAT = 2

_FLAT = {
    "lost_workers": ("clients", "lost_workers"),
    "full_clients": ("clients", "full"),
    "full_because": ("clients", "full_because"),
    "operations": ("clients", "operations"),
    "connections": ("clients", "connections"),
    "quiet": ("census", "quiet"),
    "census": ("census", "unread"),
    "before": ("census", "before"),
    "facts": ("server", "facts"),
    "capacity": ("server", "capacity"),
    "capacity_unread": ("server", "capacity_unread"),
    "at": ("server", "at"),
}


@dataclass(frozen=True)
class ClientsEnd:
    """What became of the clients."""

    lost_workers: tuple[str, ...] = ()  #: what is known of each worker that ended without being told to
    full: int = 0  #: clients that stopped because their tapes could not be written
    full_because: str | None = None  #: the system's reason; None: the disk was full
    operations: tuple[int, ...] | None = None  #: the operations on each client's tape
    connections: int | None = None  #: that the clients opened, one after another; None: they were not counted


@dataclass(frozen=True)
class CensusQuality:
    """How far the census can be trusted."""

    quiet: bool = True  #: the storm's own sessions had ended before it was taken
    unread: str | None = None  #: why it could not be read
    before: int = 0  #: rows of the census that was taken before the first client started


@dataclass(frozen=True)
class ServerAfterwards:
    """What the server said once the storm was over."""

    facts: dict[str, Any] = field(default_factory=dict)  #: the target's facts
    capacity: Capacity | None = None  #: how far the ids can go
    capacity_unread: str | None = None  #: why the database did not say how far they can go
    at: str | None = None  #: when it was asked, in UTC; None: it was not


@dataclass(frozen=True)
class Ending:
    """How a storm ended."""

    state: StormState = StormState.FINISHED
    message: str | None = None  #: for a reader: why it ended as it did
    clients: ClientsEnd = field(default_factory=ClientsEnd)
    census: CensusQuality = field(default_factory=CensusQuality)
    server: ServerAfterwards = field(default_factory=ServerAfterwards)
    reader: str | None = None  #: why the reader did not finish
    notes: tuple[str, ...] = ()  #: what the scenario's environment had to say
    kept: str | None = None  #: where the namespace is that was not removed

    def to_json(self) -> dict[str, Any]:
        """Return the ending as JSON's own types."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any], written: int = ENDING_FORMAT) -> Ending:
        """Return the ending that was written in this format. Raises ValueError for anything else."""
        return read_as(cls, _grouped(data) if written == 1 else data)


def _grouped(flat: Mapping[str, Any]) -> dict[str, Any]:
    """Return an ending of format 1 in the shape of format 2."""
    groups: dict[str, dict[str, Any]] = {group: {} for group, _ in _FLAT.values()}
    if strange := groups.keys() & (flat.keys() - _FLAT.keys()):
        raise ValueError(f"an ending of format 1 has no {min(strange)}")
    for name in flat.keys() & _FLAT.keys():
        group, inner = _FLAT[name]
        groups[group][inner] = flat[name]
    return {**{name: value for name, value in flat.items() if name not in _FLAT}, **groups}

"""What other distributions add to idstorm by entry points: listed here by name and distribution, loaded elsewhere.

Names are all that the lower layers need: which words a condition may have, and what is a scenario of the catalogue.

https://packaging.python.org/en/latest/specifications/entry-points/
"""

from __future__ import annotations

from functools import cache
from importlib.metadata import EntryPoint, entry_points

DATABASES = "idstorm.databases"
"""The group of entry points that are databases: each is called like the dialect, and leads to a class."""
SCENARIOS = "idstorm.scenarios"
"""The group of entry points that lead to modules of scenarios, or to packages of such modules."""

DIALECTS = {
    "sqlite": "idstorm.databases.sqlite:SQLite",
    "postgresql": "idstorm.databases.postgresql:PostgreSQL",
    "mysql": "idstorm.databases.mysql:MySQL",
    "mariadb": "idstorm.databases.mariadb:MariaDB",
}
"""The dialects that idstorm brings itself, in the order in which they are shown."""


@cache
def added(group: str) -> tuple[EntryPoint, ...]:
    """Return what other distributions have added, in an order that is always the same."""
    return tuple(sorted(entry_points(group=group), key=lambda one: (one.name, one.value)))


def dialects() -> tuple[str, ...]:
    """Return the names of all dialects: idstorm's own first. Whether one of them can be loaded is not known here."""
    return tuple(dict.fromkeys((*DIALECTS, *(one.name for one in added(DATABASES)))))


def giver_of(one: EntryPoint) -> str:
    """Return the distribution that adds something, for a reader."""
    return "a distribution" if one.dist is None else f"the distribution {one.dist.name}"

"""Whether a scenario applies to a target, and what becomes of it there that its author may not expect."""

from __future__ import annotations

from collections.abc import Container

import sqlalchemy as sa

from idstorm.databases.registry import DATABASES
from idstorm.databases.targets import Address, target_behind
from idstorm.model.awaiting import is_async
from idstorm.model.work import Work
from idstorm.record.plan import Target
from idstorm.scenario import Scenario

LEVELS = ("READ UNCOMMITTED", "READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE")  # any other is a mistake


class NotApplicable(Exception):
    """The target lacks what the scenario needs."""


def applicable_target(scenario: Scenario, address: Address, url: sa.URL) -> Target:
    """Return the target as found. Raises NotApplicable where it lacks what the scenario needs."""
    with address.database.administer(url) as connection:
        target = target_behind(address.database, connection, address.url, address.name)
        missing = sorted(set(scenario.needs) - target.traits)
        if missing:
            raise NotApplicable(f"{target.dialect} has no {', '.join(missing)}")
        if scenario.isolation in LEVELS and scenario.isolation not in _levels(address.url):
            raise NotApplicable(f"{target.driver} has no {scenario.isolation}")
        for name, wanted in scenario.server.get(target.dialect, {}).items():
            value = DATABASES[target.dialect].setting(connection, name)
            if value != wanted:
                how = f"has no {name}" if value is None else f"was started with {name}={value}"
                raise NotApplicable(f"it takes a server with {name}={wanted}, and this one {how}")
    return target


def _levels(url: sa.URL) -> Container[str]:
    """Return the isolation levels that a driver can set: some have fewer than their database."""
    return url.get_dialect()().get_isolation_level_values(None)  # type: ignore[arg-type]


def left_out(work: Work, target: Target) -> list[str]:
    """Return sentences on what SQLAlchemy silently leaves out of the id's columns here."""
    asked = [column.default.name for column in work.ids if isinstance(column.default, sa.Sequence)]
    if "sequences" in target.capabilities:
        return []
    return [f"{target.dialect} has no sequences: SQLAlchemy silently leaves out {name}" for name in asked]


def looped(scenario: Scenario, engine: sa.Engine) -> list[str]:
    """Return a sentence if the work awaits, and nothing of the engine's has to be awaited."""
    if engine.dialect.is_async or not (is_async(scenario.insert) or is_async(scenario.delete)):
        return []
    return [f"the work awaits, and {engine.dialect.driver} does not: each client ran it in an event loop of its own"]

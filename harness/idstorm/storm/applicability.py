"""Whether a scenario applies to a target: what is looked at before anything is made there."""

from __future__ import annotations

from collections.abc import Container

import sqlalchemy as sa

from idstorm.databases.registry import DATABASES
from idstorm.databases.targets import Address, target_behind
from idstorm.record.plan import Target
from idstorm.scenario import Scenario

_LEVELS = ("READ UNCOMMITTED", "READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE")  # any other is a mistake


class NotApplicable(Exception):
    """The target lacks what the scenario needs."""


def applicable_target(scenario: Scenario, address: Address, url: sa.URL) -> Target:
    """Return the target as found. Raises NotApplicable where it lacks what the scenario needs."""
    with address.database.administer(url) as connection:
        target = target_behind(address.database, connection, address.url, address.name)
        missing = sorted(set(scenario.needs) - target.traits)
        if missing:
            raise NotApplicable(f"{target.dialect} has no {', '.join(missing)}")
        if scenario.isolation in _LEVELS and scenario.isolation not in _levels(url):
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

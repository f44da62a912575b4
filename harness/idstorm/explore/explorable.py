"""What can be stepped: which targets, and which scenarios."""

from __future__ import annotations

from idstorm.databases.targets import Address
from idstorm.errors import UsageError
from idstorm.scenario import Scenario
from idstorm.storm.scheduled import ScheduledStorm


def check_explorable(scheduled: ScheduledStorm) -> None:
    """Raise UsageError for a target on which nothing can be stepped."""
    if why := _unsteppable(scheduled.address):
        raise UsageError(why)


def why_not(scheduled: ScheduledStorm) -> str | None:
    """Return why a scenario cannot be explored on a target; None: it can."""
    return _unsteppable(scheduled.address) or unexplorable(scheduled.found.scenario)


def can_step(address: Address) -> bool:
    """Return whether anything can be explored on a target."""
    return _unsteppable(address) is None


def _unsteppable(address: Address) -> str | None:
    if address.direct is not None:
        return "a pooler hides which session waits: leave out --admin-url, and let --on lead to the server itself"
    if not address.database.explorable:
        return f"{address.database.name} does not say who waits for whom, so nothing can be explored there"
    return None


def unexplorable(scenario: Scenario) -> str | None:
    """Return why a scenario's work cannot be stepped."""
    if scenario.client is not None:
        return "its clients are its own, and what they do is not seen statement by statement"
    if scenario.local:
        return "its database lives in one process, whose clients cannot be stepped"
    if scenario.interlude is not None:
        return "its interlude takes place while all clients stand still"
    return None

"""What a scenario is made of: an author's single import.

    from idstorm.scenario import Row, Scenario, breaks, unique

A scenario is a mapped model, the work that inserts into it, and what is claimed to hold. The docstring of its module is
its essay: `idstorm list` and `idstorm show` print it.
"""

from __future__ import annotations

from idstorm.record.keys import Burned, Existing
from idstorm.scenario.claims import (
    Claims,
    accepted,
    breaks,
    durable,
    explained,
    faithful,
    gapless,
    headroom,
    holds,
    may_break,
    ordered,
    pressure,
    single_use,
    starts_at,
    unique,
    visible,
)
from idstorm.scenario.clients import NotYet, Place, Refused
from idstorm.scenario.conditions import Failing
from idstorm.scenario.row import Row
from idstorm.scenario.scenario import Scenario

__all__ = [
    "Burned",
    "Claims",
    "Existing",
    "Failing",
    "NotYet",
    "Place",
    "Refused",
    "Row",
    "Scenario",
    "accepted",
    "breaks",
    "durable",
    "explained",
    "faithful",
    "gapless",
    "headroom",
    "holds",
    "may_break",
    "ordered",
    "pressure",
    "single_use",
    "starts_at",
    "unique",
    "visible",
]

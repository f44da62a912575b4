"""What a scenario is made of: an author's single import.

    from idstorm.scenario import Row, Scenario, breaks, unique

A scenario is a mapped model, the work that inserts into it, and what is claimed to hold. The docstring of its module is
its essay: `idstorm list` and `idstorm show` print it.
"""

from __future__ import annotations

from idstorm.findings.checks import names
from idstorm.findings.finding import Finding
from idstorm.findings.results import Status
from idstorm.record.keys import Burned, Existing
from idstorm.scenario.claims import Claims, breaks, holds, may_break
from idstorm.scenario.clients import NotYet, Place, Refused
from idstorm.scenario.conditions import Failing
from idstorm.scenario.own import check
from idstorm.scenario.row import Row
from idstorm.scenario.scenario import Scenario
from idstorm.scenario.sqlite import sqlite_begin

__all__ = [
    "Burned",
    "Claims",
    "Existing",
    "Failing",
    "Finding",
    "NotYet",
    "Place",
    "Refused",
    "Row",
    "Scenario",
    "Status",
    "breaks",
    "check",
    "holds",
    "may_break",
    "sqlite_begin",
    *names(),
]


def __getattr__(name: str) -> str:
    """Return the name of a check, for claims: whatever `idstorm.findings.checks` has can be imported from here."""
    if name in names():
        return name
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

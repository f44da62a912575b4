"""What is different between two runs."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Change:
    """One thing that is different."""

    where: str  #: the scenario and its target; empty: it concerns the whole run
    what: str  #: a check, a setting of the database, a package, …
    before: str
    after: str
    worse: bool = False


@dataclass(frozen=True)
class Changes:
    """All that is different, and what could not be compared."""

    before: str  #: the name of the run
    after: str
    conditions: tuple[Change, ...]  #: under which they were made: what to look at before anything else
    findings: tuple[Change, ...]
    rates: tuple[Change, ...]
    notes: tuple[str, ...] = ()

    @property
    def worse(self) -> bool:
        """Whether a check is broken or unknown that had held, or a result is worse."""
        return any(change.worse for change in self.findings)

    def to_json(self) -> dict[str, Any]:
        """Return them as JSON's own types."""
        return {"format": 1, "worse": self.worse, **asdict(self)}

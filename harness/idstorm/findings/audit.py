"""What `idstorm audit` found in a database, and the report that holds it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from idstorm.findings.gate import GateVerdict
from idstorm.findings.results import ExitCode, Result, exit_code

AUDIT_FORMAT = 1
AUDIT_MARK = "idstorm audit"


class Severity(StrEnum):
    """How much a finding matters."""

    ERROR = "error"  #: it fails the audit
    WARNING = "warning"  #: it goes wrong under circumstances that the finding names
    NOTE = "note"  #: it may be as intended


@dataclass(frozen=True)
class Kind:
    """One thing that an audit looks for."""

    name: str  #: also that of its figure for `--fail-if`
    meaning: str  #: what is true if nothing is found
    severity: Severity
    figure: str | None = None  #: what a finding's `value` is; None: findings have none, and are counted


KINDS: Mapping[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind("used", "ids will last", Severity.ERROR, "the share of the range that is used up"),
        Kind("behind", "no generator is behind its table", Severity.ERROR, "ids that will be refused"),
        Kind("narrow_reference", "what refers to an id can hold it", Severity.ERROR),
        Kind("days_left", "ids will last for the time asked for", Severity.ERROR, "days until inserts fail"),
        Kind("logical_subscriber", "the generators are those of this database", Severity.WARNING),
        Kind("went_back", "no generator was set back", Severity.WARNING),
        Kind("cycles", "no generator begins again at its other end", Severity.WARNING),
        Kind("narrow_generator", "generators go as far as their columns", Severity.WARNING),
        Kind("max_plus_one", "no trigger or default takes the maximum and adds to it", Severity.WARNING),
        Kind("wide_generator", "columns go as far as their generators", Severity.NOTE),
        Kind("shared_generator", "each generator serves one column", Severity.NOTE),
        Kind("unowned_generator", "each generator belongs to a column", Severity.NOTE),
        Kind("large_cache", "generators keep no more values in memory than usual", Severity.NOTE),
        Kind("stride", "ids advance by one", Severity.NOTE),
        Kind("no_primary_key", "each table has a primary key", Severity.NOTE),
        Kind("number_without_unique", "columns that are called like numbers are unique", Severity.NOTE),
        Kind("not_compared", "each generator was compared with its table", Severity.NOTE),
    )
}
"""What an audit looks for, in the order in which reports show it."""

FIGURES = (*KINDS, "unread")
"""What `--fail-if` may limit."""


@dataclass(frozen=True)
class AuditFinding:
    """One finding."""

    kind: str
    severity: Severity
    about: str  #: the column, generator, table or setting
    sentence: str
    remedy: str | None = None  #: a statement, which is shown and never run
    lock: str | None = None  #: which lock the remedy takes
    value: float | None = None  #: the figure, where its kind has one
    left: int | None = None  #: ids that are left, where that is what it is about
    accepted: bool = False  #: it is in the baseline, and does not count


@dataclass(frozen=True)
class AuditedId:
    """One generator, with the column that it serves."""

    id: str
    generator: str
    kind: str  #: the database's word for such a generator
    column: str | None  #: the column's type; None: the generator serves no column that is known
    column_limit: int | None
    generator_first: int
    generator_limit: int
    step: int
    cache: int
    cycles: bool
    position: int | None  #: the last value that was handed out
    furthest: int | None  #: the furthest value that a row has
    used: float | None = None  #: the greatest share that is used up of its ranges; None: the position is unknown
    of: str | None = None  #: which range that is
    left: int | None = None  #: ids until the first of its ranges ends
    behind: int | None = None  #: None: it could not be compared
    per_day: float | None = None  #: ids burned a day
    days_left: float | None = None
    until: str | None = None  #: the date on which inserts will start to fail


@dataclass(frozen=True)
class Unreadable:
    """Something that could not be read."""

    what: str
    why: str
    grant: str | None = None


@dataclass(frozen=True)
class AuditReport:
    """An audit of one database: what `--json` writes, and `--since` and `--baseline` read."""

    command: str
    at: str  #: when it was read, in UTC
    target: Mapping[str, str]
    tables: int
    generators: int
    unread_generators: int  #: those whose position or furthest row could not be read
    ids: tuple[AuditedId, ...]
    findings: tuple[AuditFinding, ...]
    gates: tuple[GateVerdict, ...]
    unread: tuple[Unreadable, ...]
    result: Result
    since: str | None = None  #: when the audit was made with which this one is compared
    unreadable_allowed: bool = False  #: what could not be read does not make it inconclusive

    @property
    def exit_code(self) -> ExitCode:
        """That of the command."""
        return exit_code(self.result)

    @property
    def counted(self) -> tuple[AuditFinding, ...]:
        """The findings that the baseline does not accept."""
        return tuple(one for one in self.findings if not one.accepted)

    def to_json(self) -> dict[str, Any]:
        """Return the report as JSON's own types."""
        return {"what": AUDIT_MARK, "format": AUDIT_FORMAT, **asdict(self), "exit_code": int(self.exit_code)}

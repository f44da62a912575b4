"""`audit`: read a database that is there, judge its generators and what is around them; nothing is written."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import sqlalchemy as sa

from idstorm.databases import targets
from idstorm.databases.registry import DATABASES
from idstorm.databases.targets import Address
from idstorm.databases.urls import mask, secrets_of, words_of
from idstorm.errors import EnvironmentFault, UsageError
from idstorm.findings.audit import FIGURES, AuditReport
from idstorm.findings.gate import Gate, read_gate, require_figure
from idstorm.judge.audit.audit import Asked
from idstorm.judge.audit.audit import audit as judge
from idstorm.quantities import parse_rate
from idstorm.record.audits import read_audit
from idstorm.record.plan import Target
from idstorm.record.survey import Survey
from idstorm.redaction import redact

_DAY = 86_400.0


@dataclass(frozen=True)
class AuditRequest:
    """What `idstorm audit` was asked for, in a user's words."""

    on: str
    fail_if: tuple[str, ...] = ()
    rates: tuple[str, ...] = ()  #: `RATE` or `ID=RATE`
    since: Path | None = None
    baseline: Path | None = None
    scan: bool = False
    allow_unreadable: bool = False
    again: tuple[str, ...] = field(default=())  #: the options on the command line that repeats it


def audit(request: AuditRequest) -> AuditReport:
    """Audit a database. Raises UsageError, or EnvironmentFault where it is out of reach or refuses to be read."""
    asked = Asked(
        gates=tuple(map(_gate, request.fail_if)),
        rates=dict(map(_rate, request.rates)),
        since=None if request.since is None else read_audit(request.since, "--since"),
        baseline=None if request.baseline is None else read_audit(request.baseline, "--baseline"),
        allow_unreadable=request.allow_unreadable,
    )
    address = targets.resolve(request.on)
    if address.programs is not None or address.fault is not None:
        variable = targets.variable_of(address.name)
        raise UsageError(f"{address.name} does not say which database to audit: set {variable}, or give its URL")
    at = datetime.now(UTC)
    survey, target = _surveyed(address, scan=request.scan)
    command = " ".join(["idstorm audit --on", _word(address.again), *map(_word, request.again)])
    return judge(survey, asked, command=command, at=at, target=_shown(target))


def _surveyed(address: Address, *, scan: bool) -> tuple[Survey, Target]:
    url = address.url
    try:
        with address.database.auditing(url) as connection:
            target = targets.target_behind(address.database, connection, url, address.name)
            survey = DATABASES[target.dialect].survey(connection, scan=scan)
    except sa.exc.SQLAlchemyError as error:
        refused = address.database.classify(error).environment
        hint = "; audit it as a user who may read the catalogue" if refused else ""
        words = words_of(error, url).partition("\n")[0]
        raise EnvironmentFault(f"{mask(url)} could not be audited: {words}{hint}") from error
    return _redacted(survey, secrets_of(url)), target


def _redacted(survey: Survey, secrets: tuple[str, ...]) -> Survey:
    """Return a survey whose reasons, in which a driver may quote its URL, hold none of its secrets."""
    unread = tuple(replace(one, why=redact(one.why, secrets)) for one in survey.unread)
    return replace(survey, unread=unread)


def _shown(target: Target) -> Mapping[str, str]:
    return {
        "name": target.name,
        "dialect": target.dialect,
        "driver": target.driver,
        "server": target.server,
        "url": target.url,
    }


def _gate(text: str) -> Gate:
    gate = read_gate(text, "used > 0.8")
    require_figure(gate, FIGURES)
    return gate


def _rate(text: str) -> tuple[str, float]:
    """Return the id that a rate is of, "" for all, and the ids a day."""
    name, _, rate = text.rpartition("=")
    return name, parse_rate(rate) * _DAY


def _word(word: str) -> str:
    return word if word.startswith('"$') else shlex.quote(word)

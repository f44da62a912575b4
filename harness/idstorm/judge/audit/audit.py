"""An audit: a survey, judged by gates, a baseline and an earlier audit.

A gate is on a figure of an id (`used`, `behind`, `days_left`) or on how many findings of a kind there are. What trips
one is an error. What the baseline has does not count, except that an accepted `used` counts again once half of what was
left then is gone.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from difflib import get_close_matches

from idstorm.errors import UsageError
from idstorm.findings.audit import KINDS, AuditedId, AuditFinding, AuditReport, Severity, Unreadable
from idstorm.findings.gate import Gate, GateVerdict
from idstorm.findings.results import Result, worst
from idstorm.judge.audit import looking
from idstorm.judge.audit.usage import Usage, forecast, usage_of
from idstorm.record.survey import Id, Reference, Survey, Unread, shown

USUAL = (Gate("used", ">", 0.8), Gate("behind", ">", 0.0), Gate("narrow_reference", ">", 0.0))
"""The gates where none is named for their figure."""

_ORDER = tuple(Severity)


@dataclass(frozen=True)
class Asked:
    """What an audit was asked for."""

    gates: tuple[Gate, ...] = ()
    rates: Mapping[str, float] = field(default_factory=dict)  #: ids a day by id, by "" for all others
    since: AuditReport | None = None
    baseline: AuditReport | None = None
    allow_unreadable: bool = False


def audit(survey: Survey, asked: Asked, *, command: str, at: datetime, target: Mapping[str, str]) -> AuditReport:
    """Return the report of an audit. Raises UsageError where a rate or an earlier audit is of other ids."""
    gates = (*(one for one in USUAL if one.figure not in {gate.figure for gate in asked.gates}), *asked.gates)
    earlier = _earlier(survey, asked, at, target)
    usages = list(_usages(survey, asked, at, earlier))
    found = [
        *looking.of_positions(usages, earlier, gates),
        *looking.of_generators(survey.ids),
        *looking.of_columns(survey),
        *looking.of_server(survey),
    ]
    then = {(one.kind, one.about): one for one in (() if asked.baseline is None else asked.baseline.findings)}
    found = [replace(one, accepted=_is_accepted(one, then.get((one.kind, one.about)))) for one in found]
    unread = tuple(_unread(survey))
    verdicts = tuple(_verdict(gate, usages, found, len(unread)) for gate in gates)
    tripped = {gate.figure for gate, verdict in zip(gates, verdicts, strict=True) if verdict.result is Result.FAILED}
    found = [_graded(one, gates, tripped) for one in found]
    lacking = bool(unread) and not asked.allow_unreadable
    return AuditReport(
        command=command,
        at=at.isoformat(),
        target=target,
        tables=survey.tables,
        generators=len({one.generator.name for one in survey.ids}),
        unread_generators=len({one.generator.name for one in survey.ids if any(_unread_of(one))}),
        ids=tuple(one.audited for one in usages),
        findings=tuple(sorted(found, key=_place)),
        gates=verdicts,
        unread=unread,
        result=worst([*(one.result for one in verdicts), *([Result.INCONCLUSIVE] if lacking else [])]),
        since=None if asked.since is None else asked.since.at,
        unreadable_allowed=asked.allow_unreadable,
    )


def _usages(
    survey: Survey, asked: Asked, at: datetime, earlier: Mapping[tuple[str, str], AuditedId]
) -> Iterator[Usage]:
    names = [one.name for one in survey.ids]
    for name in asked.rates:
        if name and name not in names:
            near = get_close_matches(name, names, n=1, cutoff=0.3)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise UsageError(f"--rate {name}=…: the database has no such id{hint}")
    since = None if asked.since is None else datetime.fromisoformat(asked.since.at)
    references = defaultdict[str, list[Reference]](list)
    for reference in survey.references:
        references[shown(reference.key)].append(reference)
    for one in survey.ids:
        usage = usage_of(one, references[one.name])
        rate = asked.rates.get(one.name, asked.rates.get(""))
        then = earlier.get((one.name, shown(one.generator.name)))
        yield replace(usage, audited=forecast(usage, at, rate, then, since))


def _earlier(survey: Survey, asked: Asked, at: datetime, target: Mapping[str, str]) -> dict[tuple[str, str], AuditedId]:
    """Return the ids of the earlier audit. Raises UsageError where that is not one of this database, or not earlier."""
    if asked.since is None:
        return {}
    ids = {(one.id, one.generator): one for one in asked.since.ids}
    known = any((one.name, shown(one.generator.name)) in ids for one in survey.ids)
    if asked.since.target.get("dialect") != target.get("dialect") or (survey.ids and not known):
        raise UsageError("--since: that is an audit of another database, which has none of this one's ids")
    if datetime.fromisoformat(asked.since.at) >= at:
        raise UsageError(f"--since: that audit was made at {asked.since.at}, which is not before this one")
    return ids


def _is_accepted(one: AuditFinding, then: AuditFinding | None) -> bool:
    return then is not None and (then.left is None or one.left is None or one.left * 2 > then.left)


def _verdict(gate: Gate, usages: Sequence[Usage], found: Sequence[AuditFinding], unread: int) -> GateVerdict:
    """Judge a gate by the worst figure that the baseline does not accept."""
    accepted = {(one.kind, one.about) for one in found if one.accepted}
    values: list[float | None]
    match gate.figure:
        case "used" | "behind" | "days_left":
            values = [
                None if gate.figure == "behind" and looking.is_subscribed(one.id) else getattr(one.audited, gate.figure)
                for one in usages
                if (gate.figure, one.audited.id) not in accepted
            ]
        case "unread":
            values = [unread]
        case kind:
            values = [Counter(one.kind for one in found if not one.accepted)[kind]]
    known = sorted((value for value in values if value is not None), reverse=gate.compare.startswith((">", "=")))
    worst_ = next((value for value in known if gate.tripped(value)), known[0] if known else None)
    if worst_ is not None:
        return GateVerdict(str(gate), worst_, Result.FAILED if gate.tripped(worst_) else Result.PASSED)
    unmeasured = gate.figure == "days_left" and all(one.audited.per_day is None for one in usages)
    return GateVerdict(str(gate), None, Result.INCONCLUSIVE if unmeasured else Result.PASSED)


def _graded(one: AuditFinding, gates: Sequence[Gate], tripped: set[str]) -> AuditFinding:
    """Return a finding as an error if it trips a gate, and as less than one if it does not."""
    if one.accepted or one.kind not in tripped:
        lower = Severity.WARNING if one.severity is Severity.ERROR and not one.accepted else one.severity
        return replace(one, severity=lower)
    measured = KINDS[one.kind].figure is not None and one.value is not None
    if measured and not any(gate.figure == one.kind and gate.tripped(one.value or 0) for gate in gates):
        return replace(one, severity=Severity.WARNING)
    return replace(one, severity=Severity.ERROR)


def _place(one: AuditFinding) -> tuple[bool, int, int, float, str]:
    """Errors first, then by kind, the worst of a kind first; what is accepted comes last."""
    return one.accepted, _ORDER.index(one.severity), list(KINDS).index(one.kind), -(one.value or 0), one.about


def _unread(survey: Survey) -> Iterator[Unreadable]:
    if not survey.tables and not survey.unread:
        yield Unreadable("tables", "there is none: is this the database, and may this user see it?")
    seen = set[Unread]()
    for one in (*(unread for id_ in survey.ids for unread in _unread_of(id_)), *survey.unread):
        if one not in seen:
            seen.add(one)
            yield Unreadable(shown(one.what), one.why, one.grant)


def _unread_of(one: Id) -> Iterator[Unread]:
    for unread in (one.generator.unread, None if one.column is None else one.column.unread):
        if unread is not None:
            yield unread

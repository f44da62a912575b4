"""Each kind of finding: what in a survey is one, in which words, and what mends it."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from idstorm.findings.audit import KINDS, AuditedId, AuditFinding, Severity
from idstorm.findings.gate import Gate
from idstorm.judge.audit.usage import Usage, called, went_back
from idstorm.record.survey import Id, Program, Remedy, Survey, shown

_COMMENT = re.compile(r"--[^\n]*|/\*.*?\*/", re.DOTALL)
_ADDS_TO_A_MAXIMUM = re.compile(
    r"\bmax\s*\([^()]*\)[^;]{0,60}?\+\s*\d"
    r"|\bNEW\.\S+\s*:?=\s*\(?\s*(?:SELECT\s+)?count\s*\([^()]*\)\s*\+\s*\d"
    r"|\bcount\s*\([^()]*\)\s*\+\s*\d\s+INTO\s+NEW\b",
    re.IGNORECASE,
)
_LOCKS = re.compile(
    r"\bfor\s+(?:no\s+key\s+)?update\b|\block\s+table\b|advisory_(?:xact_)?lock|get_lock", re.IGNORECASE
)
_NUMBER = re.compile(r"(?:^|_)(?:number|no|nr|num)$|^code$|[a-z]N(?:umber|o|r|um)$|^[a-z]+number$")
_TOO_FAR = 0.8  # a generator that would be this far after it was mended is better left where it is


def found(
    kind: str, about: str, sentence: str, remedy: Remedy | None = None, **more: float | int | None
) -> AuditFinding:
    """Return a finding of a kind, as severe as the kind is by itself."""
    statement, lock = (None, None) if remedy is None else (remedy.statement, remedy.lock)
    value, left = more.get("value"), more.get("left")
    return AuditFinding(
        kind,
        KINDS[kind].severity,
        shown(about),
        shown(sentence),
        statement,
        lock,
        value,
        None if left is None else int(left),
    )


def of_positions(
    usages: Sequence[Usage], earlier: Mapping[tuple[str, str], AuditedId], gates: Sequence[Gate]
) -> Iterator[AuditFinding]:
    """Yield ids of which more is used up than the gates allow, and generators that are behind or went back."""

    def trips(figure: str, value: float | None) -> bool:
        return value is not None and any(gate.figure == figure and gate.tripped(value) for gate in gates)

    for one in usages:
        audited = one.audited
        before = earlier.get((audited.id, audited.generator))
        if trips("used", audited.used):
            said = f"{audited.used:.0%} of {audited.of} is used up, {audited.left or 0:,} ids are left"
            yield found("used", audited.id, said, one.mend, value=audited.used, left=audited.left)
        if trips("days_left", audited.days_left):
            said = f"{audited.days_left:,.0f} days are left at {audited.per_day:,.0f} ids a day, until {audited.until}"
            yield found("days_left", audited.id, said, one.mend, value=audited.days_left)
        if audited.behind:
            yield _behind(one)
        if before is not None and went_back(one, before):
            now = "none" if audited.position is None else f"{audited.position:,}"
            said = f"{audited.generator} has handed out {now} last, and {before.position:,} at the earlier audit"
            yield found("went_back", audited.id, said)


def is_subscribed(one: Id) -> bool:
    """Whether rows come from another database, whose generators give the ids."""
    return one.column is not None and one.column.receives is not None


def _behind(usage: Usage) -> AuditFinding:
    """Tell of a generator that is behind. On a subscriber it is always: sequences are not replicated."""
    one, audited = usage.id, usage.audited
    column = one.column
    assert column is not None
    assert column.furthest is not None
    furthest = "max" if one.generator.sign > 0 else "min"
    sentence = (
        f"{called(one.generator)} comes to {one.generator.following:,} next, while {furthest}"
        f"({column.name}) is {column.furthest:,}: inserts will be refused where rows are"
    )
    if column.receives is not None:
        sentence += f"; the subscription {column.receives} brings rows, not positions: mend it before you promote"
        return found("logical_subscriber", audited.id, sentence, column.mend, value=audited.behind)
    spans = [span for span in (usage.tightest,) if span is not None]
    if any(span.share(column.furthest) > _TOO_FAR >= span.share(one.generator.position or 0) for span in spans):
        sentence += "; to bring it past these rows would use up its range: give them other ids instead"
        return found("behind", audited.id, sentence, value=audited.behind)
    return found("behind", audited.id, sentence, column.mend, value=audited.behind)


def of_generators(ids: Sequence[Id]) -> Iterator[AuditFinding]:
    """Yield what is odd about generators: their ends, cache, owners, and the types of their columns."""
    serving = defaultdict[str, list[Id]](list)
    for one in ids:
        serving[one.generator.name].append(one)
    for name, served in serving.items():
        generator, columns = served[0].generator, [one.column for one in served if one.column is not None]
        if generator.cycles:
            said = f"it begins again at {generator.first:,} after {generator.last:,}, where its ids are in use"
            yield found("cycles", name, said, generator.settle)
        if len(columns) > 1:
            yield found("shared_generator", name, f"it serves {' and '.join(one.id for one in columns)}")
        if not generator.owned:
            whose = f"it stays when {columns[0].id} is dropped" if columns else "no column draws from it by default"
            yield found(
                "unowned_generator",
                name,
                f"it belongs to no column: {whose}",
                None if generator.cycles else generator.settle,
            )
        if generator.cache > generator.usual_cache:
            said = f"it keeps {generator.cache:,} values in memory, which are gaps once they are lost"
            yield found("large_cache", name, said)
        for column in columns:
            if column.limit is None or generator.type is None:
                continue
            ends, holds = generator.last * generator.sign, column.limit * generator.sign
            if ends < holds and generator.type != column.type:
                said = f"{name} is {generator.type} and ends at {generator.last:,}; the column is {column.type}"
                yield found("narrow_generator", column.id, said, generator.widen)
            elif ends > holds:
                said = f"it is {column.type} and ends at {column.limit:,}; {name} goes on to {generator.last:,}"
                yield found("wide_generator", column.id, said, column.widen)


def of_columns(survey: Survey) -> Iterator[AuditFinding]:
    """Yield what is odd about tables and columns."""
    for one in survey.references:
        if one.limit < one.key_limit:
            said = f"it is {one.type} and ends at {one.limit:,}; {one.key}, to which it refers, is {one.key_type}"
            yield found("narrow_reference", one.column, said, one.widen)
    for table in survey.keyless:
        yield found("no_primary_key", table.table, "it has no primary key", table.remedy)
    for column in survey.unguarded:
        if _NUMBER.search(column.name.strip('"`')):
            said = f"it is {column.type}, is called like a number, and no unique index has it"
            yield found("number_without_unique", f"{column.table}.{column.name}", said, column.remedy)
    for id_ in survey.ids:
        if id_.column is not None and id_.column.uncompared is not None:
            said = f"it was not compared with {id_.generator.name}: {id_.column.uncompared}"
            yield found("not_compared", id_.name, said)


def of_server(survey: Survey) -> Iterator[AuditFinding]:
    """Yield what the server's settings and programs do to ids."""
    for name in survey.subscriptions:
        said = "it brings rows, not the positions of generators: audit once more before you promote this database"
        yield found("logical_subscriber", f"subscription {name}", said)
    for stride in survey.strides:
        yield found("stride", stride.name, f"it is {stride.value}: not every id is used")
    for program in survey.programs:
        if (one := _max_plus_one(program)) is not None:
            yield one


def _max_plus_one(program: Program) -> AuditFinding | None:
    source = _COMMENT.sub(" ", program.source)
    if _ADDS_TO_A_MAXIMUM.search(source) is None:
        return None
    said = f"the {program.runs} {program.name} takes a maximum and adds to it: two sessions can get the same number"
    one = found("max_plus_one", program.table, said)
    if _LOCKS.search(source) is None:
        return one
    return replace(one, severity=Severity.NOTE, sentence=f"{one.sentence}, unless its lock keeps them apart")

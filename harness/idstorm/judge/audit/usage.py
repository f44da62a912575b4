"""How far each generator has come, how far it may go, and when it will have come there.

As for `headroom`, the generator, the column and each column that refers to it have limits of their own, and the first
one that ends, ends the inserts. What counts is what the generator has handed out, not which rows are there.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from idstorm.findings.audit import AuditedId
from idstorm.record.survey import Generator, Id, Reference, Remedy, shown

_DAY = 86_400.0
_TOGETHER = 0.99  # of the greatest share: a sequence of 32 bits and its column, for example


@dataclass(frozen=True)
class Span:
    """A range of values that an id must stay in."""

    name: str
    first: int
    limit: int
    remedy: Remedy | None

    def share(self, value: int) -> float:
        """The share that is used up once this value was handed out."""
        return max(0.0, (value - self.first) / (self.limit - self.first)) if self.limit != self.first else 1.0


@dataclass(frozen=True)
class Usage:
    """An audited id, and the range that ends first."""

    audited: AuditedId
    id: Id
    tightest: Span | None = None
    mend: Remedy | None = None  #: what widens that range, and those that end with it


def usage_of(one: Id, references: Sequence[Reference] = ()) -> Usage:
    """Return how much of its ranges an id has used up, those of the columns that refer to it included.

    A generator that cycles never ends: its column's type may.
    """
    generator, column = one.generator, one.column
    read = column is not None and column.unread is None and generator.unread is None
    compared = read and column is not None and column.uncompared is None and not generator.cycles
    audited = AuditedId(
        id=one.name,
        generator=shown(generator.name),
        kind=generator.kind,
        column=None if column is None else column.type,
        column_limit=None if column is None else column.limit,
        generator_first=generator.first,
        generator_limit=generator.last,
        step=generator.step,
        cache=generator.cache,
        cycles=generator.cycles,
        position=generator.position,
        furthest=None if column is None else column.furthest,
        behind=one.lead if compared else None,
    )
    reached = _reached(one)
    spans = list(_spans(one, references))
    if reached is None or not spans:
        return Usage(audited, one)
    used = max(span.share(reached) for span in spans)
    ending = [span for span in spans if span.share(reached) >= used * _TOGETHER]
    tightest = max(ending, key=lambda span: span.share(reached))
    left = min(max(0, (span.limit - reached) * generator.sign // abs(generator.step)) for span in spans)
    position = None if audited.position is None else reached
    known = replace(audited, position=position, used=used, of=shown(tightest.name), left=left)
    return Usage(known, one, tightest, _all(span.remedy for span in ending))


def _all(remedies: Iterable[Remedy | None]) -> Remedy | None:
    known = [one for one in remedies if one is not None]
    if not known:
        return None
    return Remedy(" ".join(one.statement for one in known), "; ".join(one.lock for one in known))


def _reached(one: Id) -> int | None:
    """Return the last value that was handed out, or by the rows must have been; None where neither is known.

    A generator that was not used yet has used up what its start skips. One that stays at its last value has handed that
    out if a row has it.
    """
    generator, furthest = one.generator, None if one.column is None else one.column.furthest
    if generator.unread is not None:
        return furthest
    position = generator.start - generator.step if generator.position is None else generator.position
    if furthest is not None and not one.lead and furthest * generator.sign > position * generator.sign:
        return furthest
    return position


def called(generator: Generator) -> str:
    """Return a generator's kind and name, of which the one may be part of the other."""
    return generator.name if generator.name.startswith(generator.kind) else f"{generator.kind} {generator.name}"


def _spans(one: Id, references: Sequence[Reference]) -> Iterator[Span]:
    generator, column = one.generator, one.column
    if not generator.cycles:
        yield Span(called(generator), generator.first, generator.last, generator.widen)
    if column is None or column.limit is None:
        return
    yield Span(f"{column.id}, which is {column.type},", 0, column.limit, column.widen)
    for reference in references:
        if generator.sign > 0:
            yield Span(
                f"{reference.column}, which refers to it and is {reference.type},",
                0,
                reference.limit,
                reference.widen,
            )


def forecast(
    usage: Usage, at: datetime, rate: float | None, earlier: AuditedId | None, since: datetime | None
) -> AuditedId:
    """Return an id with its rate and its end. What was measured since an earlier audit counts before a `rate` a day.

    Ids are counted as they are burned, whether or not a row kept them.
    """
    audited, per_day = usage.audited, rate
    if since is not None and earlier is not None and usage.id.generator.unread is None and not audited.cycles:
        began = usage.id.generator.start - audited.step
        now, then = (began if one.position is None else one.position for one in (audited, earlier))
        burned = (now - then) / audited.step
        per_day = burned / ((at - since).total_seconds() / _DAY) if burned >= 0 else rate
    if per_day is None or audited.left is None:
        return audited
    days = audited.left / per_day if per_day else None
    return replace(audited, per_day=per_day, days_left=days, until=None if days is None else _date(at, days))


def went_back(usage: Usage, earlier: AuditedId | None) -> bool:
    """Whether a generator is not as far as it was."""
    audited = usage.audited
    if earlier is None or earlier.position is None or audited.cycles or usage.id.generator.unread is not None:
        return False
    return audited.position is None or (audited.position - earlier.position) * usage.id.generator.sign < 0


def _date(at: datetime, days: float) -> str:
    try:
        return (at + timedelta(days=days)).date().isoformat()
    except (OverflowError, ValueError):
        return "after the year 9999"

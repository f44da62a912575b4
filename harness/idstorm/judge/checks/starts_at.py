"""`starts_at`: is the first id the one asked for, and do ids advance by the increment asked for?

SQLAlchemy silently drops `Sequence(start=100)` on databases that have no sequences; this is where it shows.
Where the table's own counter makes the ids, the server's settings ask as well: its habits say by how much a counter
goes on, and from where, as `auto_increment_increment` and `auto_increment_offset` do on MySQL and MariaDB.

https://dev.mysql.com/doc/refman/9.7/en/replication-options-source.html#sysvar_auto_increment_increment
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from idstorm.findings.checks import Check, Figure
from idstorm.findings.finding import Finding
from idstorm.findings.results import Status
from idstorm.judge.evidence import Evidence
from idstorm.judge.groups import distinct, pieces
from idstorm.judge.ledger import TOO_FAR
from idstorm.judge.line import in_scope, scope_of
from idstorm.record.columns import Bools, Ints
from idstorm.record.plan import Generator
from idstorm.record.tape import Told

_ENOUGH = 30
"""Different ids from which the greatest common divisor of their distances is surely the increment."""


def starts_at(evidence: Evidence) -> Finding:
    """Hold where the lowest id handed (the highest, if they descend) and the distances are as they are asked for."""
    generator, history = evidence.plan.ids.generator, evidence.history
    scoped = evidence.plan.ids.codec.counted
    if not scoped and (not evidence.plan.ids.numeric or generator is None):
        return Finding(Status.NA, reason="the ids do not come from a generator with a start and an increment")
    if evidence.before is not None:
        return Finding(Status.NA, reason="the table was not empty")
    drawn = evidence.owned | (history.told == Told.BURNED)
    if scoped:
        return _within_scopes(evidence, drawn)
    assert generator is not None
    ids = history.keys.words if drawn.all() else history.keys.words[drawn]
    if (different := _different(ids)) < _ENOUGH:
        return Finding(Status.UNKNOWN, reason=f"{different} different ids were handed, {_ENOUGH} are needed")
    asked = _asked(evidence, generator)
    first = int(ids.min() if asked.increment > 0 else ids.max())
    divisors = [np.gcd.reduce(ids[piece] - first) for piece in pieces(len(ids))]
    step = int(np.gcd.reduce(divisors)) * (1 if asked.increment > 0 else -1)
    first += evidence.offset
    figures: dict[str, Any] = {
        "first": first,
        "step": step,
        "asked_first": asked.start,
        "asked_step": asked.increment,
    }
    if reason := _unsure(evidence, asked, first, step):
        return Finding(Status.UNKNOWN, figures, reason=reason)
    held = first == asked.start and step == asked.increment
    witness = {"first": first, "asked": asked.start, "step": step, "asked_step": asked.increment}
    return Finding(Status.HELD if held else Status.BROKEN, figures, () if held else (witness,))


def _within_scopes(evidence: Evidence, drawn: Bools) -> Finding:
    """Hold where each scope counts 1, 2, 3."""
    line = evidence.line
    if line is None:
        return Finding(Status.UNKNOWN, reason=TOO_FAR)
    places = distinct(evidence.places[drawn])
    firsts = np.flatnonzero(np.diff(line.stretch(places), prepend=-1))
    if (different := len(places) - len(firsts)) < _ENOUGH:
        return Finding(
            Status.UNKNOWN, reason=f"{different} ids followed the first of their scopes, {_ENOUGH} are needed"
        )
    apart = np.diff(places)
    apart[firsts[1:] - 1] = 0  # from one scope to the next
    step = int(np.gcd.reduce(np.unique(apart)))
    wrong = [place for place in places[firsts].tolist() if line.number(place) != 1]
    worst = max(wrong, key=lambda place: abs(line.number(place) - 1)) if wrong else int(places[0])
    first = line.number(worst)
    figures: dict[str, Any] = {"first": first, "step": step, "asked_first": 1, "asked_step": 1}
    if wrong and (unseen := int(np.count_nonzero(~evidence.owned))) and 0 < first - 1 <= unseen:
        reason = f"{unseen} inserts never saw their id: the first of a scope may be theirs"
        return Finding(Status.UNKNOWN, figures, reason=reason)
    row = int(np.flatnonzero(drawn & (evidence.places == worst))[0])
    witness = {**scope_of(evidence.history.keys, row), "first": first, "asked": 1, "step": step, "asked_step": 1}
    held = not wrong and step == 1
    return Finding(Status.HELD if held else Status.BROKEN, figures, () if held else (witness,))


def _different(ids: Ints) -> int:
    """Return how many different ids these are, or that they are enough."""
    some = len(np.unique(ids[: 4 * _ENOUGH]))
    return some if some >= _ENOUGH else len(distinct(ids))


def _asked(evidence: Evidence, generator: Generator) -> Generator:
    """Return what is asked of the generator: by the model, or by the server where the model leaves it to the table."""
    known = evidence.ending.server.capacity is not None
    return _asked_of_a_counter(evidence, generator) if known and evidence.of_a_counter else generator


def _asked_of_a_counter(evidence: Evidence, generator: Generator) -> Generator:
    """Return what is asked of a generator that is the table's own counter."""
    step, offset = evidence.habits.stride, evidence.habits.offset
    # An offset that is larger than the increment is ignored by the server.
    first = offset if offset <= step and generator.start == 1 else generator.start
    return Generator(first, step if generator.increment == 1 else generator.increment)


def _unsure(evidence: Evidence, asked: Generator, first: int, step: int) -> str | None:
    """Return why neither the first id nor the step is sure to have been seen."""
    server = _asked_of_a_counter(evidence, Generator()).increment
    if evidence.ending.server.capacity is None and step == server not in (1, asked.increment):
        return f"the server's counters go on by {server}, and whether one of them made the ids is not known"
    cache = evidence.cache if "session_sequence_cache" in evidence.plan.target.capabilities else 1
    if cache > 1 and step == asked.increment * cache:
        return f"each session drew a block of {cache} and used its first value alone: no step within a block was seen"
    # An insert that failed before it was told its id may have used up the first ones.
    skipped, off = divmod(first - asked.start, asked.increment)
    unseen = int(np.count_nonzero(~evidence.owned))
    if step == asked.increment and off == 0 and 0 < skipped <= unseen * cache:
        return f"{unseen} inserts never saw their id: the first may be theirs"
    return None


def _in_words(_: Mapping[str, Any], first: Mapping[str, Any]) -> str:
    where = in_scope(first)
    return f"first {first['first']:,}{where}, step {first['step']}"


CHECK = Check(
    "starts_at",
    "ids start and advance as asked",
    starts_at,
    figures={
        "first": Figure("an id", where_held=True, even_if_zero=True),
        "step": Figure("ids", where_held=True),
        "asked_first": Figure("an id"),
        "asked_step": Figure("ids"),
    },
    broke=_in_words,
    place=60,
)

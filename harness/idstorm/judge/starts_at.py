"""`starts_at`: is the first id the one asked for, and do ids advance by the increment asked for?

SQLAlchemy drops `Sequence(start=100)` without a word on databases that have no sequences; this is where it shows.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from idstorm.judge.evidence import Evidence
from idstorm.judge.groups import pieces
from idstorm.record.outcome import Status
from idstorm.record.verdict import Finding

_ENOUGH = 30
"""Ids from which the greatest common divisor of their distances is surely the increment."""


def starts_at(evidence: Evidence) -> Finding:
    """Hold where the lowest id handed (the highest, if they descend) and the distances are as the model asks."""
    generator, history = evidence.plan.ids.generator, evidence.history
    if not evidence.plan.ids.numeric or generator is None:
        return Finding(Status.NA, reason="the ids do not come from a generator with a start and an increment")
    if evidence.before is not None:
        return Finding(Status.NA, reason="the table was not empty")
    ids = history.keys.words if evidence.owned.all() else history.keys.words[evidence.owned]
    if len(ids) < _ENOUGH:
        return Finding(Status.UNKNOWN, reason=f"{len(ids)} ids were handed, {_ENOUGH} are needed")
    first = int(ids.min() if generator.increment > 0 else ids.max())
    divisors = [np.gcd.reduce(ids[piece] - first) for piece in pieces(len(ids))]
    step = int(np.gcd.reduce(divisors)) * (1 if generator.increment > 0 else -1)
    figures: dict[str, Any] = {
        "first": first,
        "step": step,
        "asked_first": generator.start,
        "asked_step": generator.increment,
    }
    # An insert that failed before it was told its id may have used up the first ones.
    skipped, off = divmod(first - generator.start, generator.increment)
    unseen = int(np.count_nonzero(~evidence.owned))
    if step == generator.increment and off == 0 and 0 < skipped <= unseen:
        return Finding(Status.UNKNOWN, figures, reason=f"{unseen} inserts never saw their id: the first may be theirs")
    held = first == generator.start and step == generator.increment
    witness = {"first": first, "asked": generator.start, "step": step, "asked_step": generator.increment}
    return Finding(Status.HELD if held else Status.BROKEN, figures, () if held else (witness,))

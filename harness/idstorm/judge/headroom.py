"""`headroom`: how much of the ids is used up, and how long will the rest last?

The column has a limit, and so has the generator, and they fail differently: an Integer column over a bigint sequence
refuses what the sequence goes on to hand out. What counts is how far the generator has come, not how many rows are
there: an id that a rollback or an upsert has burned is gone.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from idstorm.judge.evidence import Evidence
from idstorm.record.outcome import Status
from idstorm.record.verdict import Finding


def headroom(evidence: Evidence) -> Finding:
    """Hold where less than the stated fraction of the column's range, and of the generator's, is used up.

    `rows_left` allows for the ids that this storm burned for each row that it kept.
    """
    plan, capacity, census = evidence.plan, evidence.ending.capacity, evidence.census
    if not plan.ids.numeric:
        return Finding(Status.NA, reason="the ids are no numbers")
    if capacity is None:
        reason = "the database does not say how far the column can go" if evidence.ending.at else "it was not recorded"
        return Finding(Status.NA, reason=reason)
    if census is None or not len(census.known_ids):
        return Finding(Status.UNKNOWN, reason=evidence.ending.census or "the table is empty")
    step = 1 if plan.ids.generator is None else plan.ids.generator.increment
    ids = census.known_ids.words
    furthest = int(ids.max() if step > 0 else ids.min())
    known = [furthest, *([] if capacity.position is None else [capacity.position])]
    position = max(known) if step > 0 else min(known)
    used = position / capacity.limit if capacity.limit else 1.0
    burned = _burned(evidence, position, step)
    left = max(0, (capacity.limit - position) // step)
    rows_left = int(left / (1 + burned)) if burned else left
    figures: dict[str, Any] = {
        "used": used,
        "position": position,
        "limit": capacity.limit,
        "column": capacity.column,
        "column_limit": capacity.column_limit,
        "generator": capacity.generator,
        "generator_limit": capacity.generator_limit,
        "burned_per_row": round(burned, 3),
        "rows_left": rows_left,
    }
    if plan.forecast:
        figures["until"] = _until(evidence.ending.at, rows_left / plan.forecast)
    witness = {"position": position, "limit": capacity.limit, "rows_left": rows_left}
    broken = used >= plan.headroom
    return Finding(Status.BROKEN if broken else Status.HELD, figures, (witness,) if broken else ())


def _burned(evidence: Evidence, position: int, step: int) -> float:
    """Return how many ids this storm burned for each row that it kept."""
    ids = evidence.history.keys.words[evidence.owned]
    kept = evidence.kinds_of_entries[0]
    if not kept or not len(ids):
        return 0.0
    drawn = (position - int(ids.min() if step > 0 else ids.max())) // step + 1
    return max(0, drawn - kept) / kept


def _until(at: str | None, seconds: float) -> str:
    """Return the date on which inserts start to fail, or that nobody will live to see it."""
    try:
        return (datetime.fromisoformat(str(at)) + timedelta(seconds=seconds)).date().isoformat()
    except (OverflowError, ValueError):
        return "after the year 9999"

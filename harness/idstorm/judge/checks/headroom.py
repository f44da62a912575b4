"""`headroom`: how much of the ids is used up, and how long will the rest last?

The generator has a limit, so has the column, and so has each column that refers to it, and they fail differently: an
Integer column over a bigint sequence refuses what the sequence goes on to hand out. What counts is how far the
generator has come, not how many rows are there: an id that a rollback or an upsert has burned is gone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from idstorm.findings.checks import Check, Figure
from idstorm.findings.finding import Finding
from idstorm.findings.results import Status
from idstorm.judge.evidence import Evidence
from idstorm.record.capacity import Capacity


@dataclass(frozen=True)
class _Range:
    """What ids are drawn from, or must fit into."""

    name: str
    position: int  #: how far the ids have come
    first: int  #: what counts as used up begins here
    limit: int

    def used(self, step: int) -> float:
        """The share that is used up, in the direction from the first to the last.

        Ids that count down to where the range begins, as in an unsigned column, have used up nothing of it on the way.
        """
        width = self.limit - self.first
        return max(0.0, (self.position - self.first) / width) if width else float(not self.left(step))

    def left(self, step: int) -> int:
        """How many ids are left."""
        return max(0, (self.limit - self.position) // step)


def headroom(evidence: Evidence) -> Finding:
    """Hold where less than the stated fraction is used up of the generator's own range, and of each column's.

    A generator's range is what lies between its ends, so that what its start skipped counts as used; a column's begins
    at 0. `rows_left` allows for the ids that this storm burned for each row that it kept.
    """
    plan, server = evidence.plan, evidence.ending.server
    if not plan.ids.counted or plan.ids.codec.keyed:
        return Finding(Status.NA, reason="the ids are not numbers")
    if server.capacity_unread is not None:
        return Finding(Status.UNKNOWN, reason=server.capacity_unread)
    if server.capacity is None:
        reason = "the database does not say how far the column can go" if server.at else "it was not recorded"
        return Finding(Status.NA, reason=reason)
    if evidence.census is None or not len(evidence.census.known_ids):
        return Finding(Status.UNKNOWN, reason=evidence.ending.census.unread or "the table is empty")
    return _judge(evidence, server.capacity)


def _judge(evidence: Evidence, capacity: Capacity) -> Finding:
    plan = evidence.plan
    step = 1 if plan.ids.generator is None else plan.ids.generator.increment
    ranges = list(_ranges(evidence, capacity, step))
    if not ranges:
        return Finding(Status.UNKNOWN, reason="no row of the storm is there, and the generator was not used")
    tightest = max(ranges, key=lambda one: one.used(step))
    used = tightest.used(step)
    burned = _burned(evidence, ranges[0].position, step)
    left = min(one.left(step) for one in ranges)
    rows_left = int(left / (1 + burned)) if burned else left
    figures: dict[str, Any] = {
        "used": used,
        "position": tightest.position,
        "limit": tightest.limit,
        "of": tightest.name,
        "column": capacity.column,
        "column_limit": capacity.column_limit,
        "generator": capacity.generator,
        "generator_limit": capacity.generator_limit,
        "burned_per_row": round(burned, 3),
        "rows_left": rows_left,
    }
    if plan.forecast:
        figures["until"] = _until(evidence.ending.server.at, rows_left / plan.forecast)
    reason = "; ".join(_notes(evidence, capacity, step)) or None
    if used < plan.headroom and _no_first(capacity, step):
        return Finding(
            Status.UNKNOWN, figures, reason=f"the end from which {capacity.generator} starts was not recorded"
        )
    if used < plan.headroom:
        return Finding(Status.HELD, figures, reason=reason)
    witness = {"position": tightest.position, "limit": tightest.limit, "of": tightest.name, "rows_left": rows_left}
    return Finding(Status.BROKEN, figures, (witness,), reason=reason)


def _ranges(evidence: Evidence, capacity: Capacity, step: int) -> Iterator[_Range]:
    """Yield the range of the generator, of the column and of each column that refers to it, where ids are known."""
    first = capacity.generator_first
    if capacity.position is not None and not capacity.cycles and not _no_first(capacity, step):
        yield _Range(capacity.generator, capacity.position, first or 0, capacity.generator_limit)
    reached = [] if capacity.position is None or capacity.cycles else [capacity.position]
    own = evidence.own_entries
    if evidence.census is not None and own.any():
        ids = evidence.census.ids.take(own).numbers
        reached.append(int(ids.max() if step > 0 else ids.min()) + evidence.offset)
    if not reached:
        return
    furthest = max(reached) if step > 0 else min(reached)
    yield _Range(f"column {capacity.column}", furthest, 0, capacity.column_limit)
    for one in capacity.references:
        yield _Range(f"{one.column}, which refers to it and is {one.type}", furthest, 0, one.limit)


def _no_first(capacity: Capacity, step: int) -> bool:
    """Whether an older run did not record where its generator's range begins, and 0 is certainly not on its way."""
    if capacity.generator_first is not None or capacity.position is None:
        return False
    return capacity.position * step < 0 or capacity.generator_limit * step <= 0


def _notes(evidence: Evidence, capacity: Capacity, step: int) -> Iterator[str]:
    """Yield notes on what the share in use does not show."""
    if capacity.cycles:
        yield f"{capacity.generator} begins again at its other end, where its ids are still in use"
    if evidence.before is None or capacity.position is None:
        return
    ids = evidence.before.known_ids.numbers
    position = capacity.position - evidence.offset
    ahead = ids[ids > position if step > 0 else ids < position]
    if len(ahead):
        meets = int(ahead.min() if step > 0 else ahead.max()) + evidence.offset
        yield f"the generator will collide at {meets:,}, the id of a row that was there before"


def _burned(evidence: Evidence, position: int, step: int) -> float:
    """Return how many ids this storm burned for each row that it kept."""
    ids = evidence.history.keys.take(evidence.owned).numbers
    kept = evidence.kinds_of_entries[0]
    if not kept or not len(ids) or evidence.plan.ids.codec.counted:  # each scope uses the same numbers
        return 0.0
    drawn = (position - evidence.offset - int(ids.min() if step > 0 else ids.max())) // step + 1
    return max(0, drawn - kept) / kept


def _until(at: str | None, seconds: float) -> str:
    """Return the date on which inserts will start to fail, or a sentence if it is too far in the future."""
    try:
        return (datetime.fromisoformat(str(at)) + timedelta(seconds=seconds)).date().isoformat()
    except (OverflowError, ValueError):
        return "after the year 9999"


def _in_words(figures: Mapping[str, Any], first: Mapping[str, Any]) -> str:
    return f"{figures['used']:.0%} used ({first['position']:,} of {first['limit']:,})"


CHECK = Check(
    "headroom",
    "ids will last",
    headroom,
    figures={
        "used": Figure("a share of the range"),
        "position": Figure("an id"),
        "limit": Figure("an id"),
        "of": Figure("what is used up first", number=False),
        "column": Figure("a type", number=False),
        "column_limit": Figure("an id"),
        "generator": Figure("what makes the ids", number=False),
        "generator_limit": Figure("an id"),
        "burned_per_row": Figure("ids a row"),
        "rows_left": Figure("rows", where_held=True),
        "until": Figure("a date", number=False, where_held=True),
    },
    broke=_in_words,
    place=110,
)

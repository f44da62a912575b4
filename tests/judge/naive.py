"""A judge as slow and as plain as DESIGN's section 4: lists, loops, and every pair looked at.

It takes a history as it is written by hand, before anything has become a column.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import gcd
from typing import Any

from histories import STRANGER, Entry, Operation, Poll, Token, told_state
from idstorm.record.keys import Burned, Existing
from idstorm.record.outcome import Outcome
from idstorm.record.plan import Generator
from idstorm.record.tape import Flag, Told

OK, FAILED, UNKNOWN = Outcome.OK, Outcome.FAILED, Outcome.UNKNOWN

FAULTS = {
    "unique": {"duplicated"},
    "single_use": {"reissued"},
    "accepted": {"collisions"},
    "durable": {"lost", "doubled", "undeleted", "revived", "unexpected"},
    "faithful": {"misattributed"},
    "ordered": {"inversions"},
}
"""The figures that break a check unless they are zero."""


@dataclass
class Row:
    """A row, and all that is known of it."""

    id: object
    told: Told
    insert: Operation
    deletes: list[Operation] = field(default_factory=list)
    stored: list[object] = field(default_factory=list)

    @property
    def owned(self) -> bool:
        return self.told is Told.ID

    @property
    def committed(self) -> bool:
        return self.insert.outcome is OK or (self.insert.outcome is UNKNOWN and bool(self.stored))

    def deleted(self, *outcomes: Outcome) -> bool:
        return any(delete.outcome in outcomes for delete in self.deletes)


def rows_of(operations: Sequence[Operation], census: Sequence[Entry]) -> list[Row]:
    """Return the rows of all inserts as they were written, with what became of each."""
    rows = [Row(id_, told_state(id_), operation) for operation in operations for id_ in operation.ids]
    for operation in operations:
        for row in operation.deletes:
            rows[row].deletes.append(operation)
    for id_, known in census:
        if isinstance(known, int):
            rows[known].stored.append(id_)
    return rows


def judge(
    operations: Sequence[Operation],
    census: Sequence[Entry],
    before: Sequence[object] | None = None,
    generator: Generator | None = None,
    polls: Sequence[Poll] = (),
) -> dict[str, dict[str, Any]]:
    """Return the figures of every check."""
    rows = rows_of(operations, census)
    figures = {
        "pressure": _pressure(operations, rows),
        "unique": {"duplicated": _duplicated(rows, before or [], census)},
        "single_use": {"reissued": _reissued(rows)},
        "accepted": _accepted(operations),
        "durable": _durable(rows, census),
        "faithful": _faithful(rows, before or [], [id_ for id_, _ in census]),
    }
    numbers = [id_ for id_, known in census if isinstance(id_, int) and known is not None and known != STRANGER]
    if generator is not None:
        figures["starts_at"] = _starts_at(rows, before, generator)
        figures["gapless"] = _gapless(rows, numbers, [id_ for id_, _ in census], before or [], generator)
        figures["explained"] = {"unexplained": figures["gapless"].get("ledger", {}).get("unexplained", 0)}
        figures["ordered"] = _ordered(rows, 1 if generator.increment > 0 else -1)
        figures["visible"] = _visible(rows, polls, 1 if generator.increment > 0 else -1)
    if not numbers:
        figures.pop("explained", None)
    return figures


def _pressure(operations: Sequence[Operation], rows: list[Row]) -> dict[str, Any]:
    held = [each for each in operations if each.ended and not each.flags & Flag.UNCONNECTED and _overlaps(each)]
    busy = {instant for each in held for instant in range(each.begin, each.ended)}
    depths = [sum(each.begin <= other.begin < each.ended for each in held) for other in held]
    return {
        "attempted": len(rows),
        "acknowledged": sum(row.insert.outcome is OK and row.owned for row in rows),
        "failed": sum(row.insert.outcome is FAILED for row in rows),
        "unknown": sum(row.insert.outcome is UNKNOWN for row in rows),
        "overlap_mean": round(sum(each.ended - each.begin for each in held) / len(busy), 2) if busy else 0.0,
        "overlap_peak": max(depths, default=0),
    }


def _overlaps(one: Operation) -> bool:
    return one.outcome is OK or (one.error is not None and (one.error.raced or one.error.refused))


def _accepted(operations: Sequence[Operation]) -> dict[str, int]:
    errors = [each.error for each in operations if each.ids and each.error]
    return {
        "collisions": sum(error.refused for error in errors),
        "unrecognised": sum(not error.refused and not error.recognised for error in errors),
    }


def _faithful(rows: list[Row], before: Sequence[object], there: Sequence[object]) -> dict[str, int]:
    """Hold what was told of each row, and of rows that others had made: here, nobody names their owners."""
    ever = [*before, *there, *(row.id for row in rows if row.owned and row.insert.outcome is not FAILED)]
    existing = [row.id.id for row in rows if isinstance(row.id, Existing) and row.insert.outcome is OK]
    strange = sum(id_ not in ever for id_ in existing)
    return {"misattributed": sum(_misattributed(row) for row in rows) + strange, "of_existing": strange}


def _duplicated(rows: list[Row], before: Sequence[object], census: Sequence[Entry]) -> int:
    judged = [row for row in rows if row.owned and row.committed]
    duplicated = []
    for one in judged:
        for other in judged:
            if one is other or one.id != other.id or one.insert.handed > other.insert.handed:
                continue
            freed = [each.begin for each in one.deletes if each.outcome is not FAILED]
            if not any(began < other.insert.handed for began in freed) and one.id not in duplicated:
                duplicated.append(one.id)
    stored: dict[object, set[object]] = {}
    for id_, known in census:
        if id_ is not None and known is not None and known != STRANGER:
            stored.setdefault(id_, set()).add(known)
    taken = {row.id for row in judged if row.id in before} | {id_ for id_ in stored if id_ in before}
    return len({*duplicated, *(id_ for id_, those in stored.items() if len(those) > 1), *taken} - {None})


def untried(operations: Sequence[Operation], census: Sequence[Entry]) -> bool:
    """Return whether nothing could have brought an id back: each row that was acknowledged is there."""
    rows = rows_of(operations, census)
    return all(row.stored for row in rows if row.owned and row.insert.outcome is OK)


def _reissued(rows: list[Row]) -> int:
    acknowledged = [row.id for row in rows if row.owned and row.insert.outcome is OK]
    return len({id_ for id_ in acknowledged if acknowledged.count(id_) > 1})


def _durable(rows: list[Row], census: Sequence[Entry]) -> dict[str, Any]:
    counted = dict.fromkeys(("lost", "doubled", "undeleted", "revived", "unexpected", "recovered", "foreign"), 0)
    for row in rows:
        outcome = row.insert.outcome
        counted["lost"] += outcome is OK and row.owned and not row.stored and not row.deleted(OK, UNKNOWN)
        counted["doubled"] += len(row.stored) > 1
        counted["undeleted"] += row.deleted(OK) and bool(row.stored)
        counted["revived"] += bool(row.stored) and (outcome is FAILED or (outcome is OK and not row.owned))
        counted["recovered"] += bool(row.stored) and outcome is UNKNOWN
    for _, known in census:
        counted["foreign"] += known is None or known == STRANGER
        counted["unexpected"] += isinstance(known, Token) and known != STRANGER
    return counted


def _misattributed(row: Row) -> bool:
    return row.owned and row.insert.outcome is not FAILED and bool(row.stored) and row.id not in row.stored


def _starts_at(rows: list[Row], before: Sequence[object] | None, generator: Generator) -> dict[str, Any]:
    ids = [row.id for row in rows if row.owned and isinstance(row.id, int)]
    ids += [row.id.id for row in rows if isinstance(row.id, Burned)]
    if before is not None or len(set(ids)) < 30:
        return {}
    first = min(ids) if generator.increment > 0 else max(ids)
    step = gcd(*(id_ - first for id_ in ids)) * (1 if generator.increment > 0 else -1)
    return {"first": first, "step": step, "asked_first": generator.start, "asked_step": generator.increment}


def _ordered(rows: list[Row], direction: int) -> dict[str, Any]:
    judged = [row for row in rows if row.owned and row.committed]
    acknowledged = [row for row in rows if row.owned and row.insert.outcome is OK]
    overtaken, within, largest = 0, 0, 0
    for row in judged:
        later = [
            other
            for other in acknowledged
            if other.insert.ended < row.insert.begin and (number(other) - number(row)) * direction > 0
        ]
        overtaken += bool(later)
        within += any(other.insert.client == row.insert.client for other in later)
        largest = max([largest, *(abs(number(other) - number(row)) for other in later)])
    return {"inversions": overtaken, "within_a_client": within, "largest_overtake": largest}


def number(row: Row) -> int:
    """Return the id of a row, which is a number."""
    assert isinstance(row.id, int)
    return row.id


def _visible(rows: list[Row], polls: Sequence[Poll], direction: int) -> dict[str, Any]:
    seen = {row: poll.at + 2 for poll in reversed(polls) for row in poll.rows}
    missed = [row for place, row in enumerate(rows) if row.stored and place not in seen]
    lags = sorted(
        max(0, seen[place] - row.insert.ended)
        for place, row in enumerate(rows)
        if place in seen and row.insert.outcome is OK
    )
    shares = {"p50": 0.50, "p95": 0.95, "p99": 0.99, "max": 1.0}
    figures: dict[str, Any] = {
        "skipped": len(missed),
        "polls": len(polls),
        "advanced": sum(bool(poll.rows) for poll in polls),
        "lag_ms": {
            name: round(lags[min(int(share * len(lags)), len(lags) - 1)] / 1e6, 3) for name, share in shares.items()
        }
        if lags
        else {},
    }
    timed = [row for row in missed if row.owned and row.insert.ended]
    overtakes, behind, waits = [], [], []
    for row in timed:
        passing = [poll for poll in polls if (poll.high - number(row)) * direction >= 0]
        if passing:
            blind = [passing[0], *(poll for poll in passing if poll.at < row.insert.ended)]
            overtakes.append(abs(passing[0].high - number(row)))
            behind.append(abs(blind[-1].high - number(row)))
            waits.append(max(0, row.insert.ended - passing[0].at))
    if not missed and figures["advanced"] >= 10:
        figures |= {"overtake": 0, "safe_lag_ids": 0, "safe_lag_ms": 0.0}
    if overtakes:
        figures |= {
            "overtake": max(overtakes),
            "safe_lag_ids": max(behind),
            "safe_lag_ms": round(max(waits) / 1e6, 3),
        }
    return figures


def _gapless(
    rows: list[Row], own: list[int], there: Sequence[object], before: Sequence[object], generator: Generator
) -> dict[str, Any]:
    if not own:
        return {}
    beyond = [id_ for id_ in there if isinstance(id_, int)]
    ids = [id_ for id_ in beyond if min(own) <= id_ <= max(own)]
    widths, width = [], 0
    causes = "rolled_back given_up unknown deleted foreign off_grid refused upserted unexplained"
    ledger = dict.fromkeys(causes.split(), 0)
    never_told = sum(row.told is Told.NOTHING and row.insert.outcome is not OK and not row.stored for row in rows)
    upserted = sum(row.told in (Told.EXISTING, Told.NO_ROW) for row in rows)
    for value in range(min(ids), max(ids) + 1):
        if value in ids:
            widths.append(width)
            width = 0
            continue
        width += 1
        of_it = [row for row in rows if row.owned and row.id == value]
        if any(row.insert.outcome is FAILED for row in of_it):
            cause = "rolled_back"
        elif Burned(value) in [row.id for row in rows]:
            cause = "given_up"
        elif any(row.insert.outcome is UNKNOWN for row in of_it):
            cause = "unknown"
        elif any(row.deleted(OK, UNKNOWN) for row in of_it):
            cause = "deleted"
        elif value in before:
            cause = "foreign"
        elif (value - min(ids)) % generator.increment:
            cause = "off_grid"
        elif ledger["refused"] < never_told:
            cause = "refused"
        else:
            cause = "upserted" if ledger["upserted"] < upserted else "unexplained"
        ledger[cause] += 1
    missing = sum(widths)
    below, above = [id_ for id_ in beyond if id_ < min(own)], [id_ for id_ in beyond if id_ > max(own)]
    ledger["foreign"] += min(own) - max(below) - 1 if below else 0
    ledger["foreign"] += min(above) - max(own) - 1 if above else 0
    return {
        "missing": missing,
        "gaps": sum(width > 0 for width in widths),
        "largest": max(widths),
        "ratio": missing / (max(ids) - min(ids) + 1),
        "ledger": {cause: number for cause, number in ledger.items() if number},
    }

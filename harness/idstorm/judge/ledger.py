"""The ledger: why each missing id is missing.

Gaps are normal almost everywhere: a generator does not take part in transactions. Unexplained gaps are news,
so each missing id is charged to the first cause that fits:

=============  =====================================================================================================
rolled_back    a client was told it, and its transaction failed
given_up       the work said that it gave it up inside a transaction
unknown        a client was told it, and what became of its transaction is not known
deleted        its row was deleted
foreign        a row had it before the storm
application    the ids, or some of them, do not come from the generator alone
off_grid       the generator steps over it
stride         left to other servers, each of which takes only every n-th value, as the target's habits say
at_random      where ids come back, those past the largest are drawn at random (SQLite's rowids)
bulk           drawn in a block for an INSERT of many rows, of which the rest is dropped, as the target's habits say
cached         the rest of a block that a session had drawn from a cached sequence, of which each has its own
refused        one for each insert that reached the database and never saw its id
upserted       one for each insert that met a row
crash          what a server may skip that has been started again: what it had logged ahead
=============  =====================================================================================================

The first seven are charged by the id, the next four by where a gap lies and how wide it is, the last three by number.
What is left is unexplained, a lower bound. What lies between the range of the storm's own ids and rows that were there
before is not the generator's: it is not a missing id, and is reported as `foreign` beside those that are.

https://www.postgresql.org/docs/current/sql-createsequence.html (cache; up to 32 values are logged ahead)
https://dev.mysql.com/doc/refman/9.7/en/innodb-auto-increment-handling.html (a bulk insert's block doubles as it goes)
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from idstorm.findings.finding import Finding
from idstorm.findings.results import Status
from idstorm.judge.evidence import Evidence
from idstorm.judge.groups import distinct, lookup
from idstorm.judge.span import Span
from idstorm.record.columns import Ints, Keys, join_keys
from idstorm.record.outcome import Outcome
from idstorm.record.plan import Generator
from idstorm.record.tape import Flag, Told

CAUSES = (
    *("rolled_back", "given_up", "unknown", "deleted", "foreign", "application", "off_grid", "stride", "at_random"),
    *("bulk", "cached", "refused", "upserted", "crash", "unexplained"),
)
"""What a missing id may be charged to."""

TOO_FAR = "the numbers lie too far apart to be counted in so many scopes"

_LARGEST = (1 << 63) - 1


@dataclass(frozen=True)
class Ledger:
    """The causes that were found, with the number of ids of each, and the widest gap that is not fully explained."""

    causes: dict[str, int]
    widest: tuple[int, int] | None = None  #: the ids on both sides

    @property
    def unexplained(self) -> int:
        """The missing ids for which no cause was found."""
        return self.causes.get("unexplained", 0)


@dataclass
class _Gaps:
    """The gaps that are still to be charged: the ids on both sides of each, and how many ids it has."""

    low: Ints
    high: Ints
    open: np.ndarray[tuple[int], np.dtype[np.uint64]]

    @property
    def total(self) -> int:
        return int(self.open.sum())

    def widest(self, offset: int) -> tuple[int, int]:
        """Return the ids on both sides of the gap with the most left to charge."""
        place = int(self.open.argmax())
        return int(self.low[place]) + offset, int(self.high[place]) + offset

    def charge(self, number: np.ndarray[tuple[int], np.dtype[np.uint64]]) -> int:
        """Take at most this many from each gap, and return how many were taken in total."""
        taken = np.minimum(self.open, number)
        self.open = self.open - taken
        return int(taken.sum())

    def charge_all(self, which: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> int:
        """Take all of these gaps, and return how many ids they had."""
        return self.charge(np.where(which, self.open, np.uint64(0)))


def no_span(evidence: Evidence) -> Finding | None:
    """Return why the ids of the table have no span; None if they have one."""
    if not evidence.plan.ids.counted:
        return Finding(Status.NA, reason="the ids are not numbers")
    if evidence.census is None or not evidence.ending.census.quiet:
        unread = evidence.ending.census.unread or "there is no census of a quiet table"
        return Finding(Status.UNKNOWN, reason=unread)
    if not evidence.own_entries.any():
        return Finding(Status.UNKNOWN, reason="no row of the storm is there")
    if evidence.line is None:
        return Finding(Status.UNKNOWN, reason=TOO_FAR)
    return None


def ledger(evidence: Evidence) -> Ledger:
    """Return why values are missing between the lowest and the highest id in use."""
    span, causes = evidence.span, dict[str, int]()
    charged = np.zeros(0, np.int64)
    for cause, ids in known_causes(evidence):
        more = np.setdiff1d(span.without(ids), charged, assume_unique=True)
        charged = np.concatenate([charged, more])
        causes[cause] = len(more)
    generator = evidence.plan.ids.generator
    if generator is None:
        causes["application"] = span.missing - len(charged)
        return Ledger({cause: number for cause, number in causes.items() if number})
    gaps = _gaps(span, charged, abs(generator.increment))
    causes["off_grid"] = span.missing - len(charged) - gaps.total
    for cause, number in _by_place(evidence, gaps):
        causes[cause] = causes.get(cause, 0) + number
    left = gaps.total
    for cause, number in _by_number(evidence).items():
        causes[cause] = min(left, number)
        left -= causes[cause]
    causes["unexplained"] = left
    return Ledger(
        {cause: number for cause, number in causes.items() if number}, gaps.widest(evidence.offset) if left else None
    )


def known_causes(evidence: Evidence) -> Iterator[tuple[str, Ints]]:
    """Yield the causes that are charged by the id, each with the places of the ids that it may have cost."""
    history, outcome, line = evidence.history, evidence.row_outcome, evidence.line
    assert line is not None
    told = history.told == Told.ID
    yield "rolled_back", evidence.places[told & (outcome == Outcome.FAILED)]
    yield "given_up", evidence.places[history.told == Told.BURNED]
    yield "unknown", evidence.places[told & (outcome == Outcome.UNKNOWN)]
    yield "deleted", evidence.places[told & evidence.deleted(Outcome.OK, Outcome.UNKNOWN)]
    yield "foreign", np.zeros(0, np.int64) if evidence.before is None else line.places(evidence.before.known_ids)


def _gaps(span: Span, charged: Ints, step: int) -> _Gaps:
    """Return the gaps that are left between ids in use and charged ones, with how many of the generator's are in each.

    A charged id cuts the gap that it lies in.
    """
    edges = distinct(np.concatenate([span.before, span.after, charged]))
    low, high = edges[:-1], edges[1:]
    within = np.searchsorted(span.before, low, side="right") - 1
    inside = (within >= 0) & (high <= span.after[within])
    low, high = low[inside], high[inside]
    widths = (high - low).view(np.uint64) - np.uint64(1)  # which no range of int64 overflows
    next_one = step - (low % step - span.low % step) % step - 1  # values before the next on the grid
    ahead = next_one.astype(np.uint64)
    missing = np.where(widths > ahead, (widths - np.minimum(ahead, widths) - 1) // np.uint64(step) + 1, np.uint64(0))
    return _Gaps(low, high, missing)


def _by_place(evidence: Evidence, gaps: _Gaps) -> Iterator[tuple[str, int]]:
    """Charge what the position and the width of a gap reveal."""
    plan = evidence.plan
    stride = evidence.habits.stride if evidence.of_a_counter else 1
    if stride > 1:  # an insert goes on to the next value of its own server's, from where another's had ended
        yield "stride", gaps.charge_all(gaps.open < 2 * stride)
    assert evidence.census is not None
    largest = int(evidence.census.known_ids.words.max())
    if largest == _LARGEST and "rowid_reuse" in plan.target.capabilities:
        yield "at_random", gaps.charge(gaps.open)
    if _in_blocks(evidence):
        yield "bulk", _bulk(evidence, gaps)
    if "session_sequence_cache" in plan.target.capabilities:
        yield "cached", _cached(evidence, gaps)


def _in_blocks(evidence: Evidence) -> bool:
    """Whether an INSERT of many rows may draw a block of the table's own counter."""
    return evidence.of_a_counter and evidence.habits.blocks and evidence.plan.fleet.batch > 1


def _bulk(evidence: Evidence, gaps: _Gaps) -> int:
    """Charge gaps that follow a row of an insert of many rows, and are narrower than it had rows.

    A block for a statement of unknown length has 1, 2, 4, 8 … values, so that its rest is less than the statement.
    """
    history, census, codec = evidence.history, evidence.census, evidence.history.keys.codec
    assert census is not None
    told, entries = np.flatnonzero(evidence.owned), np.flatnonzero(evidence.row_of_entry >= 0)
    entries = entries[~evidence.owned[evidence.row_of_entry[entries]]]  # rows that no client was told of
    rows = np.concatenate([told, evidence.row_of_entry[entries]])
    if not len(rows):
        return 0
    ids = join_keys(codec, [history.keys.take(told), census.ids.take(entries)])
    owner = lookup(ids, Keys(codec, gaps.low))
    together = history.of_rows(history.rows, rows[np.maximum(owner, 0)])
    return gaps.charge_all((owner >= 0) & (gaps.open < together))


def _cached(evidence: Evidence, gaps: _Gaps) -> int:
    """Charge the tails of blocks, of which each session that ends can leave one.

    Blocks begin at the generator's start and follow one another, so that a gap within one is no tail. Where `setup` has
    moved the sequence, or a server that was started again goes on from what it had logged, it is not known where they
    begin: then each gap can have one tail.
    """
    generator, size = evidence.plan.ids.generator, evidence.cache
    assert generator is not None
    generator = replace(generator, start=generator.start - evidence.offset)  # gaps are told in words
    drawn = evidence.history.keys.words[evidence.owned | (evidence.history.told == Told.BURNED)]
    first = int(drawn.min() if generator.increment > 0 else drawn.max()) if len(drawn) else generator.start
    if evidence.restarted or (first - generator.start) % (size * generator.increment):
        tails = np.full(len(gaps.open), size - 1, np.uint64)
    else:
        tails = _tails(gaps, generator, size)
    tails = np.minimum(gaps.open, tails)
    before = np.cumsum(tails) - tails
    most = np.uint64(min(evidence.sessions * (size - 1), _LARGEST))  # of all sessions together
    return gaps.charge(np.minimum(tails, most - np.minimum(before, most)))


def _tails(gaps: _Gaps, generator: Generator, size: int) -> np.ndarray[tuple[int], np.dtype[np.uint64]]:
    """Return how much of each gap can be tails of blocks, counted from the generator's start."""
    low, high = ((ids - generator.start) // generator.increment for ids in (gaps.low, gaps.high))
    if generator.increment < 0:
        low, high = high, low
    blocks = high // size - low // size
    tails = np.where(blocks > 0, size - 1 - low % size + np.maximum(blocks - 1, 0) * (size - 1), 0)
    return tails.astype(np.uint64)


def _by_number(evidence: Evidence) -> dict[str, int]:
    """Return, for each cause whose ids no client was told, how many ids it can have used at most."""
    history = evidence.history
    reached = history.of_rows(history.flags) & Flag.UNCONNECTED == 0
    never_told = (history.told == Told.NOTHING) & (evidence.row_outcome != Outcome.OK) & reached
    never_told &= ~evidence.found  # one that is there has its id in the table, told or not
    return {
        "refused": int(np.count_nonzero(never_told)) * (2 if _in_blocks(evidence) else 1),
        "upserted": int(np.count_nonzero((history.told == Told.EXISTING) | (history.told == Told.NO_ROW))),
        "crash": max(evidence.habits.ahead, evidence.cache) if evidence.restarted else 0,
    }

"""`visible`: does a reader that polls `id > last seen` get every row?

Outbox pollers and incremental jobs depend on it. Ids are handed out before rows become visible: where a later id
commits first, and the reader comes in between, it never looks back. Rows are told apart by their tokens, so that an id
that was handed out again is not mistaken for the row that had it before. Where rows carry none, they are told apart by
their ids, as long as no id could have named two.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from idstorm.findings.checks import Check, Figure
from idstorm.findings.finding import Finding
from idstorm.findings.results import Status
from idstorm.judge.evidence import FOREIGN, Evidence
from idstorm.judge.groups import pieces
from idstorm.judge.quantiles import QUANTILES, quantiles_ms
from idstorm.record.columns import Ints
from idstorm.record.outcome import Outcome
from idstorm.record.plan import Ids
from idstorm.record.poll_log import Reading

MIN_ADVANCED = 10
"""Polls that have to find something new before a reader that missed nothing proves anything."""

_NEVER_SEEN = 0


def visible(evidence: Evidence) -> Finding:
    """Hold if the reader got every row that the table holds at the end.

    `safe_lag_ids` is how far behind the highest id it would have had to stay to miss nothing, `safe_lag_ms` how long
    it would have had to wait with each id; both, like the times until visibility, are upper bounds.
    """
    if not evidence.plan.reader:
        return Finding(Status.NA, reason=_why_nobody_reads(evidence.plan.ids))
    reading = evidence.reading
    if evidence.census is None or reading is None:
        return Finding(
            Status.UNKNOWN,
            reason=evidence.ending.census.unread or evidence.ending.reader or "the reader recorded nothing",
        )
    if evidence.plan.ids.token is None and (len(evidence.contested) or len(evidence.history.deleted)):
        reason = "rows carry no token, and ids that repeat, or rows that are deleted, leave open which of them was read"
        return Finding(Status.UNKNOWN, reason=reason)
    seen_at = _first_seen(evidence, reading)
    skipped = evidence.found & (seen_at == _NEVER_SEEN)
    rows = np.flatnonzero(skipped)
    numeric = evidence.plan.ids.numeric
    if not reading.complete:  # what was never passed, or may be come back to, may only not have been read yet
        certain = numeric and not evidence.plan.looks_back
        rows = rows[_passed(evidence, reading, rows) < len(reading)] if certain else rows[:0]
    advanced = int(np.count_nonzero(reading.counts))
    figures: dict[str, Any] = {
        "skipped": len(rows),
        "polls": len(reading),
        "advanced": advanced,
        "lag_ms": quantiles_ms(lags) if len(lags := _lags_in(evidence, seen_at)) else {},
    }
    if len(rows):
        figures |= _remedies(evidence, reading, rows) if numeric else {}
        witnesses = [_witness(evidence, reading, row) for row in evidence.describe_all(rows)]
        return Finding(Status.BROKEN, figures, tuple(witnesses))
    if not reading.complete:
        return Finding(
            Status.UNKNOWN, figures, reason=evidence.ending.reader or "the reader's last poll did not succeed"
        )
    if advanced < MIN_ADVANCED:
        reason = (
            f"{advanced} polls found something new, but at least {MIN_ADVANCED} are needed: raise --inserts or --time"
        )
        return Finding(Status.UNKNOWN, figures, reason=reason)
    nothing = {"overtake": 0, "safe_lag_ids": 0, "safe_lag_ms": 0.0} if numeric else {}
    return Finding(Status.HELD, figures | nothing)


def _why_nobody_reads(ids: Ids) -> str:
    if ids.token is None and not ids.numeric:
        return "no column of the table can carry a token, so missed rows cannot be told apart"
    if not ids.readable:
        return "the ids are not meant to be in any order"
    if len(ids.columns) > 1 and not ids.codec.counted:
        return "a reader polls for rows beyond the last id of one column, and the id has several"
    return "there was no reader: ask for one with --reader"


def _first_seen(evidence: Evidence, reading: Reading) -> Ints:
    """Return for each row when the poll that first returned it had ended."""
    seen_at, rows_of = np.full(len(evidence.history.told), _NEVER_SEEN), _finder(evidence)
    after = np.cumsum(reading.counts)
    for piece in reversed(list(pieces(len(reading.tokens)))):  # the first sighting is written last
        rows = rows_of(reading.tokens[piece])
        first, last = np.searchsorted(after, (piece.start, piece.stop - 1), side="right")
        shares = np.diff(np.minimum(after[first : last + 1], piece.stop), prepend=piece.start)
        ended = np.repeat(reading.ended[first : last + 1], shares)[::-1]
        known = (rows >= 0)[::-1]
        seen_at[rows[::-1][known]] = ended[known]
    return seen_at


def _finder(evidence: Evidence) -> Callable[[Ints], Ints]:
    """Return how the rows are found that a poll returned: by their tokens or, where they carry none, by their ids."""
    if evidence.plan.ids.token is not None:
        return evidence.rows_of
    rows = np.flatnonzero(evidence.owned & (evidence.row_outcome != Outcome.FAILED))
    rows = rows[np.argsort(evidence.history.keys.words[rows], kind="stable")]
    ids = evidence.history.keys.words[rows]

    def find(words: Ints) -> Ints:
        if not len(ids):
            return np.full(len(words), FOREIGN)
        place = np.minimum(np.searchsorted(ids, words), len(ids) - 1)
        return np.where(ids[place] == words, rows[place], FOREIGN)

    return find


def lags_of(evidence: Evidence, reading: Reading) -> Ints:
    """Return the nanoseconds from each row's acknowledgement to the end of the poll that first returned it.

    What was never returned is left out.
    """
    return _lags_in(evidence, _first_seen(evidence, reading))


def _lags_in(evidence: Evidence, seen_at: Ints) -> Ints:
    """Return the lags, computed in `seen_at` itself, which is garbage afterwards: a copy could take too much memory."""
    ended, number = evidence.history.of_rows(evidence.history.ended), 0
    for piece in pieces(len(seen_at)):
        seen = seen_at[piece]
        ok = (seen != _NEVER_SEEN) & (evidence.row_outcome[piece] == Outcome.OK)
        lags = seen[ok] - ended[piece][ok]
        seen_at[number : number + len(lags)] = lags
        number += len(lags)
    found = seen_at[:number]
    np.maximum(found, 0, out=found)
    return found


def _passed(evidence: Evidence, reading: Reading, rows: Ints) -> Ints:
    """Return for each row the first poll by whose end a later id had been seen."""
    ids, high = evidence.history.keys.words[rows], reading.high
    if _descends(evidence):
        ids, high = ~ids, ~high
    passed: Ints = np.searchsorted(high, ids, side="left")
    return passed


def _descends(evidence: Evidence) -> bool:
    generator = evidence.plan.ids.generator
    return generator is not None and generator.increment < 0


def _remedies(evidence: Evidence, reading: Reading, rows: Ints) -> dict[str, Any]:
    """Return how far the reader was ahead of the rows that it missed, and what it would have had to wait."""
    history = evidence.history
    ended = history.of_rows(history.ended, rows)
    passed = _passed(evidence, reading, rows)
    known = (passed < len(reading)) & evidence.owned[rows] & (ended != 0)
    rows, ended, passed = rows[known], ended[known], passed[known]
    if not len(rows):
        return {}
    ids = history.keys.words[rows]
    last = np.maximum(passed, np.searchsorted(reading.begin, ended, side="left") - 1)  # that may not have seen it
    return {
        "overtake": int(np.abs(reading.high[passed] - ids).max()),
        "safe_lag_ids": int(np.abs(reading.high[last] - ids).max()),
        "safe_lag_ms": round(max(0, int((ended - reading.begin[passed]).max())) / 1e6, 3),
    }


def _witness(evidence: Evidence, reading: Reading, row: Any) -> dict[str, Any]:
    """Return a row that was missed, with what the reader had seen when it passed by."""
    if not isinstance(row["id"], int) or not evidence.plan.ids.numeric:
        return dict(row)
    word = np.int64(row["id"] - evidence.offset)
    ids, high = (~word, ~reading.high) if _descends(evidence) else (word, reading.high)
    poll = int(np.searchsorted(high, ids, side="left"))
    had_seen = int(reading.high[poll]) + evidence.offset if poll < len(reading) else None
    return {"id": row["id"], "had_seen": had_seen, **row}


def _in_words(figures: Mapping[str, Any], first: Mapping[str, Any]) -> str:
    passed = f", {first['had_seen']} was seen before" if first.get("had_seen") else ""
    return f"{figures['skipped']:,} skipped ({first['id']}{passed})"


CHECK = Check(
    "visible",
    "a reader that polls for newer ids misses no row",
    visible,
    figures={
        "skipped": Figure("rows"),
        "polls": Figure("polls", where_held=True),
        "advanced": Figure("polls"),
        "overtake": Figure("ids"),
        "safe_lag_ids": Figure("ids"),
        "safe_lag_ms": Figure("ms"),
        **{f"lag_ms.{quantile}": Figure("ms", where_held=True) for quantile in QUANTILES},
    },
    broke=_in_words,
    place=100,
)
